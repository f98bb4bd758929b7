"""Options of the relational sinks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar, Self

from pydantic import Field, PrivateAttr, SecretStr, ValidationInfo, field_validator, model_validator
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from logweir.settings.delivery import directory_of
from logweir.settings.tls import TlsConfig
from logweir.settings.units import FileMode, Seconds
from logweir.sinks.shared.credentials import check_behind_password, check_once
from logweir.sinks.shared.destinations import TemplatedConfig, check_template, is_template
from logweir.sinks.sql.own_model import find_table

__all__ = ["MysqlConfig", "PostgresqlConfig", "ServerConfig", "SqlConfig", "SqliteConfig", "numbers_in"]

#: Of asyncpg's connect().
_NUMBERS: dict[str, Callable[[str], int | float]] = {
    "statement_cache_size": int,
    "max_cached_statement_lifetime": int,
    "max_cacheable_statement_size": int,
    "command_timeout": float,
}
_AUDIT_DB = "sqlite+aiosqlite:///audit.db"
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,47}")
#: Of a table that an event names; in lower case, for some servers take `Acme` and `acme` for one.
_DESTINATION = re.compile(r"[a-z_][a-z0-9_.-]{0,47}")
#: Names of what stands beside other tables: their outbox and chains, and in SQLite and PostgreSQL their
#: indexes, of which `ix_a_user_time` would be both a's and a_user's.
_OF_OTHERS = re.compile(
    r"logweir_schema|sqlite_.*|(?:ix|ux)_.*|.*_(?:user|pkey|outbox|chain|chain_gone|chain_ids|chain_closed)"
)


def _checked_url(value: SecretStr) -> SecretStr:
    try:
        make_url(value.get_secret_value())
    except (ArgumentError, ValueError):
        raise ValueError("not a database URL; write one such as sqlite+aiosqlite:///audit.db") from None
    return value


def numbers_in(url: URL) -> dict[str, int | float]:
    """Return the options of asyncpg in a URL that are numbers, which SQLAlchemy would hand on as texts.

    Raises:
        ValueError: One is none.
    """
    found: dict[str, int | float] = {}
    for name, convert in _NUMBERS.items():
        if (text := url.query.get(name)) is not None:
            try:
                found[name] = convert(str(text))
            except ValueError:
                raise ValueError(f"the option {name} in the url is a number, such as ?{name}=0") from None
    return found


class SqlConfig(TemplatedConfig):
    """What all relational sinks have."""

    template_key: ClassVar[str] = "table"

    url: SecretStr
    """The database, as SQLAlchemy writes it; the driver must be asynchronous."""
    table: str = Field(default="audit_log")
    """The name of the audit table. With placeholders, as in `audit_{fields.tenant}`, each event goes to the
    table that its values name."""
    model: str | None = None
    """Dotted path (`package.module:Class`) of a SQLAlchemy model of your own: a declarative class or `Table`.
    It has the audit columns and may have more, which are filled from the fields of their names."""
    provision: bool = False
    """Whether the sink may create its table and indexes, and bring an older table up to date."""
    outbox: bool = False
    """Whether rows written by `LogService` are relayed, once committed, to the other sinks of their route;
    the notes are kept in a table beside the audit table, named after it with `_outbox`."""

    _is_destination: bool = PrivateAttr(default=False)

    _url = field_validator("url")(_checked_url)

    def at_destination(self, text: str) -> Self | None:
        """The options for one table; None if none can have this name beside the others."""
        if not _DESTINATION.fullmatch(text) or _OF_OTHERS.fullmatch(text):
            return None
        made = self.model_copy(update={"table": text})
        made._is_destination = True  # noqa: SLF001 - of our own class
        return made

    @property
    def is_destination(self) -> bool:
        """Whether the table is one of many that events name."""
        return self._is_destination or is_template(self.table)

    @field_validator("table")
    @classmethod
    def _table_is_an_identifier(cls, value: str) -> str:
        if is_template(value):
            check_template(value, "table")
        elif not _IDENTIFIER.fullmatch(value):
            raise ValueError(f"{value!r} is no table name; use letters, digits and underscores, at most 48")
        return value

    @field_validator("model")
    @classmethod
    def _model_is_an_audit_table(cls, value: str | None) -> str | None:
        if value is not None:
            find_table(value)
        return value

    @property
    def address(self) -> URL:
        """The database and, where it has any, the credentials."""
        return make_url(self.url.get_secret_value())

    @model_validator(mode="after")
    def _a_model_names_its_table(self) -> SqlConfig:
        if self.model is not None and "table" in self.model_fields_set:
            raise ValueError("the table of a model has the name that the model gives it; remove table")
        return self

    @model_validator(mode="after")
    def _an_outbox_stands_beside_one_table(self) -> SqlConfig:
        if self.outbox and is_template(self.table):
            raise ValueError(
                "an outbox stands beside one table; write a fixed name as table, or remove outbox"
            )
        return self


class SqliteConfig(SqlConfig):
    """SQLite: the audit table with no server."""

    type: str = "sqlite"
    url: SecretStr = Field(
        default=SecretStr(_AUDIT_DB),
        json_schema_extra={"default": _AUDIT_DB},  # a file's name is no secret
    )
    """The file: `sqlite+aiosqlite:///relative.db` or `sqlite+aiosqlite:////absolute.db`; folders are made."""
    mode: FileMode = "0600"
    """Permissions of a database that the sink makes, in quotes: `"0640"`. By default only the owner may read
    it. SQLite gives them to the log of its transactions too."""
    busy_timeout: Seconds = 5.0
    """How long to wait for another writer of the same file."""

    @field_validator("url")
    @classmethod
    def _url_is_a_file(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        url = make_url(value.get_secret_value())
        if url.drivername != "sqlite+aiosqlite":
            raise ValueError("the url of a sqlite sink begins with sqlite+aiosqlite:///")
        if url.host or url.username or url.password:  # which messages about the file would show
            raise ValueError(
                "a file has no host or user; write three slashes before its path, four if it is absolute"
            )
        if url.database in (None, "", ":memory:") or "mode=memory" in url.query.values():
            raise ValueError("a database in memory keeps nothing; name a file, or use a sink of type memory")
        path = str(url.database)
        beside = directory_of(info) / path
        if path.startswith("file:") or str(beside) == path:
            return value
        return SecretStr(url.set(database=str(beside)).render_as_string(hide_password=False))


class ServerConfig(SqlConfig):
    """What relational sinks with a server have."""

    drivers: ClassVar[tuple[str, ...]] = ()

    username: str | None = None
    """The user, if the url names none; taken as it is, without %XX."""
    password: SecretStr | None = None
    """The password, if the url has none; taken as it is, without %XX."""
    connect_timeout: Seconds = Field(default=5.0, gt=0)
    """How long a connection may take, and a wait for one that is free."""
    statement_timeout: Seconds = Field(default=30.0, ge=1.0)
    """How long one statement may take; the server is asked to end it too, and its waits for locks sooner: by
    `retry.timeout`."""
    tls: TlsConfig | None = None
    """Encryption; by default what the server and the driver agree on."""

    @field_validator("url")
    @classmethod
    def _url_has_an_asynchronous_driver(cls, value: SecretStr) -> SecretStr:
        url = make_url(value.get_secret_value())
        check_behind_password(url.host, url.database, *url.query)
        if url.drivername not in cls.drivers:
            kind = cls.model_fields["type"].default
            begins = " or ".join(f"{driver}://" for driver in cls.drivers)
            raise ValueError(f"the url of a {kind} sink begins with {begins}, not {url.drivername}://")
        if not url.database:
            raise ValueError("the url names no database; add it at the end, as in ://user:password@host/app")
        return value

    @model_validator(mode="after")
    def _credentials_are_given_once(self) -> ServerConfig:
        url = make_url(self.url.get_secret_value())
        check_once(url.username, url.password, self.username, self.password)
        return self

    @property
    def address(self) -> URL:
        """The database and the credentials, from the url or from keys of their own."""
        url = super().address
        if self.username is not None:
            url = url.set(username=self.username)
        if self.password is not None:
            url = url.set(password=self.password.get_secret_value())
        return url


class MysqlConfig(ServerConfig):
    """MySQL or MariaDB: the audit table beside the business data."""

    drivers = ("mysql+aiomysql", "mariadb+aiomysql")

    type: str = "mysql"
    url: SecretStr
    """`mysql+aiomysql://user:password@host:3306/database`; MariaDB is recognised."""


class PostgresqlConfig(ServerConfig):
    """PostgreSQL: the audit table beside the business data."""

    drivers = ("postgresql+asyncpg",)

    type: str = "postgresql"
    url: SecretStr
    """`postgresql+asyncpg://user:password@host:5432/database`"""
    pooler: bool = False
    """Whether a pooler stands before the server that gives each transaction another connection, such as
    PgBouncer in transaction mode: then nothing is left on a connection, and none is asked for at its start.
    `?statement_cache_size=0` in the url says the same."""

    @field_validator("url")
    @classmethod
    def _numbers_in_the_url_are_numbers(cls, value: SecretStr) -> SecretStr:
        numbers_in(make_url(value.get_secret_value()))
        return value

    @property
    def is_pooled(self) -> bool:
        """Whether nothing may be left on a connection."""
        return self.pooler or numbers_in(self.address).get("statement_cache_size") == 0
