"""Options of the relational sinks."""

from __future__ import annotations

import re

from pydantic import Field, SecretStr, field_validator
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from logweir.config.units import Seconds
from logweir.sinks.contract import SinkConfig

__all__ = ["SqlConfig", "SqliteConfig"]

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


def _checked_url(value: SecretStr) -> SecretStr:
    try:
        make_url(value.get_secret_value())
    except (ArgumentError, ValueError):
        raise ValueError("not a database URL; write one such as sqlite+aiosqlite:///audit.db") from None
    return value


class SqlConfig(SinkConfig):
    """What all relational sinks have."""

    url: SecretStr
    """The database, as SQLAlchemy writes it; the driver must be asynchronous."""
    table: str = Field(default="audit_log")
    """The name of the audit table."""
    provision: bool = False
    """Whether the sink may create its table and indexes."""
    outbox: bool = False
    """Whether rows written by `LogService` are relayed, once committed, to the other sinks of their route;
    the notes are kept in a table beside the audit table, named after it with `_outbox`."""

    _url = field_validator("url")(_checked_url)

    @field_validator("table")
    @classmethod
    def _table_is_an_identifier(cls, value: str) -> str:
        if not _IDENTIFIER.fullmatch(value):
            raise ValueError(f"{value!r} is no table name; use letters, digits and underscores, at most 63")
        return value


class SqliteConfig(SqlConfig):
    """SQLite: the audit table with no server."""

    type: str = "sqlite"
    url: SecretStr = SecretStr("sqlite+aiosqlite:///audit.db")
    """The file: `sqlite+aiosqlite:///relative.db` or `sqlite+aiosqlite:////absolute.db`; folders are made."""
    busy_timeout: Seconds = 5.0
    """How long to wait for another writer of the same file."""

    @field_validator("url")
    @classmethod
    def _url_is_a_file(cls, value: SecretStr) -> SecretStr:
        url = make_url(value.get_secret_value())
        if url.drivername != "sqlite+aiosqlite":
            raise ValueError("the url of a sqlite sink begins with sqlite+aiosqlite:///")
        if url.database in (None, "", ":memory:") or "mode=memory" in url.query.values():
            raise ValueError("a database in memory keeps nothing; name a file, or use a sink of type memory")
        return value
