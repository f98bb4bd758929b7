"""PostgreSQL by asyncpg: bounded statements, and jsonb operators over the stored text."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    Integer,
    String,
    Table,
    Text,
    any_,
    cast,
    func,
    literal,
    not_,
    or_,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB

from logweir.encoding.fields import numbers_equal_to
from logweir.sinks.shared.tls import tls_context
from logweir.sinks.sql.config import PostgresqlConfig, ServerConfig, SqlConfig, numbers_in
from logweir.sinks.sql.dialects.contract import Database, Path, json_text

__all__ = ["PostgreSql"]

#: Encodings that hold all of Unicode; SQL_ASCII keeps any bytes as they are.
_WIDE = {"UTF8", "SQL_ASCII", "GB18030"}


def _is_pooled(config: ServerConfig) -> bool:
    return isinstance(config, PostgresqlConfig) and config.is_pooled


def _limits(config: ServerConfig) -> dict[str, str]:
    milliseconds = str(int(config.statement_timeout * 1000))
    return {
        "statement_timeout": milliseconds,
        "lock_timeout": str(int(min(config.statement_timeout, config.retry.timeout) * 1000)),
        "idle_in_transaction_session_timeout": milliseconds,
    }


def _leaving_nothing_behind() -> dict[str, Any]:
    """What asyncpg and SQLAlchemy are given where each transaction may have another connection.

    Statements have no name, so that none is looked for, or met, on a connection where it was not made.
    """
    from asyncpg import Connection as DriverConnection  # noqa: PLC0415 - an extra, needed by this alone

    class Pooled(DriverConnection):  # type: ignore[misc]
        """Learns the types it needs in a transaction: a question and its answer on one connection."""

        __slots__ = ()

        async def set_type_codec(self, *arguments: Any, **options: Any) -> None:
            async with self.transaction():
                await super().set_type_codec(*arguments, **options)

    return {
        "connection_class": Pooled,
        "statement_cache_size": 0,
        "prepared_statement_cache_size": 0,
        "prepared_statement_name_func": str,  # which returns an empty name
    }


class PostgreSql(Database):
    """PostgreSQL's own words."""

    label = "PostgreSQL"
    version_query = "SHOW server_version"
    escapes_nul = True
    takes_joined_columns = True

    def connect_arguments(self, config: SqlConfig) -> Mapping[str, Any]:
        """In UTC, with statements and lock waits that the server ends itself."""
        if not isinstance(config, ServerConfig):
            return {}
        arguments: dict[str, Any] = {
            "timeout": config.connect_timeout,
            "server_settings": {"application_name": "logweir", "timezone": "UTC"},
            **numbers_in(config.address),
        }
        if _is_pooled(config):
            arguments |= _leaving_nothing_behind()
        else:
            arguments["server_settings"] |= _limits(config)
        if config.tls is not None:
            arguments["ssl"] = tls_context(config.tls)
        return arguments

    def settings_of_transactions(self, config: SqlConfig) -> Mapping[str, str]:
        """Behind a pooler, the limits that a connection has from its start elsewhere."""
        return _limits(config) if isinstance(config, ServerConfig) and _is_pooled(config) else {}

    @contextmanager
    def schema_lock(self, connection: Connection, table: str) -> Iterator[None]:
        """Hold an advisory lock until the transaction ends: DDL is part of it."""
        connection.scalar(func.pg_advisory_xact_lock(zlib.crc32(f"logweir.{table}".encode())).select())
        yield

    def narrow_encoding(self, connection: Connection, table: Table) -> str:
        """Of the database as a whole."""
        encoding = str(connection.exec_driver_sql("SHOW server_encoding").scalar_one())
        return "" if encoding in _WIDE else f"the database's encoding is {encoding}"

    def json_text_of(self, document: Column[Any]) -> ColumnElement[str]:
        """The driver would read it."""
        return cast(document, Text)

    def has_id_in(self, table: Table, ids: Iterable[str]) -> ColumnElement[bool]:
        """They travel as one array."""
        return table.c.id == any_(literal(sorted(ids), ARRAY(String)))

    def contains(self, column: ColumnElement[Any], wanted: str) -> ColumnElement[bool]:
        """See :meth:`Database.contains`."""
        return func.strpos(column, wanted) > 0

    def json_contains(self, document: Column[Any], wanted: str) -> ColumnElement[bool]:
        """See :meth:`Database.json_contains`."""
        return self.contains(cast(document, Text), json_text(wanted)[1:-1])

    def json_lacks(self, document: Column[Any], name: str) -> ColumnElement[bool]:
        """See :meth:`Database.json_lacks`."""
        return not_(cast(document, JSONB).bool_op("?")(literal(name, Text)))

    def json_has(self, document: Column[Any], path: Path, value: Any) -> ColumnElement[bool]:
        """Compare as jsonb does: by value, types distinguished."""
        found = _at(document, path)
        return or_(*(type_coerce(found, Text) == wanted for wanted in _spellings(value)))

    def json_has_item(self, document: Column[Any], path: Path, value: Any) -> ColumnElement[bool]:
        """A list contains what it has as an item."""
        found = _at(document, path)
        return or_(*(found.bool_op("@>")(func.jsonb_build_array(wanted)) for wanted in _spellings(value)))


def _at(document: Column[Any], path: Path) -> Any:
    found: Any = cast(document, JSONB)
    for part in path:
        at = literal(part, Integer if isinstance(part, int) else Text)
        found = type_coerce(found.op("->")(at), JSONB)
    return found


def _spellings(value: Any) -> list[ColumnElement[Any]]:
    """The value as jsonb; a number as each of those equal to it, which it writes by their decimal digits."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    values = numbers_equal_to(value) if is_number else [value]
    return [cast(literal(json_text(item), Text), JSONB) for item in values]
