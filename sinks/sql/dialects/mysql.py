"""MySQL and MariaDB by aiomysql: sessions that refuse instead of truncating, and their JSON functions.

They speak one protocol and differ in JSON: MySQL has a type of its own that compares by value, MariaDB has
functions over text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import ceil
from typing import Any

from sqlalchemy import (
    CHAR,
    JSON,
    Column,
    ColumnElement,
    Connection,
    String,
    Table,
    Text,
    and_,
    cast,
    collate,
    func,
    literal,
    or_,
    text,
    type_coerce,
)

from logweir.encoding.fields import numbers_equal_to
from logweir.errors import SinkUnavailable
from logweir.sinks.shared.tls import tls_context
from logweir.sinks.sql.config import ServerConfig, SqlConfig
from logweir.sinks.sql.dialects.contract import Database, Path, json_path, json_text

__all__ = ["MariaDb", "MySql"]

#: MySQL runs its comment, MariaDB passes it over, and the other way round.
_SESSION = (
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00',"
    " innodb_lock_wait_timeout = {wait}, lock_wait_timeout = {wait}"
    " /*!80000 , max_execution_time = {milliseconds} */ /*M! , max_statement_time = {seconds} */"
)
#: How long to wait for another process that creates or migrates the table.
_LOCK_SECONDS = 10
#: Columns that never hold other letters than ASCII has.
_PLAIN = {"id", "kind", "level", "trace_id", "span_id"}
_CHARACTER_SETS = text(
    "SELECT column_name, character_set_name FROM information_schema.columns"
    " WHERE table_name = :table AND table_schema = COALESCE(:schema, DATABASE())"
    " AND character_set_name NOT LIKE 'utf8mb4' AND character_set_name NOT LIKE 'utf16%'"
    " AND character_set_name NOT IN ('utf32', 'gb18030', 'binary')"
)


class MySql(Database):
    """MySQL's own words."""

    label = "MySQL"
    keeps_json_text = False
    sorts_whole_ranges = True
    takes_literals = True

    def connect_arguments(self, config: SqlConfig) -> Mapping[str, Any]:
        """Strict, in UTC, with bounded waits for locks; the server ends a long SELECT itself."""
        if not isinstance(config, ServerConfig):
            return {}
        seconds = config.statement_timeout
        session = _SESSION.format(
            wait=max(1, ceil(min(seconds, config.retry.timeout))),
            milliseconds=int(seconds * 1000),
            seconds=seconds,
        )
        arguments: dict[str, Any] = {
            "charset": "utf8mb4",
            "init_command": session,
            "connect_timeout": config.connect_timeout,
            "program_name": "logweir",
        }
        if config.tls is not None:
            arguments["ssl"] = tls_context(config.tls)
        return arguments

    @contextmanager
    def schema_lock(self, connection: Connection, table: str) -> Iterator[None]:
        """Hold a lock of the session's, which the implicit commits of DDL do not end."""
        name = f"logweir.{table}"[:64]
        if connection.scalar(func.get_lock(name, _LOCK_SECONDS).select()) != 1:
            raise SinkUnavailable(f"another process is changing the table {table}")
        try:
            yield
        finally:
            connection.scalar(func.release_lock(name).select())

    def packet_limit(self, connection: Connection) -> int | None:
        """Return the server's ``max_allowed_packet``."""
        return int(connection.exec_driver_sql("SELECT @@max_allowed_packet").scalar_one())

    def narrow_encoding(self, connection: Connection, table: Table) -> str:
        """Of the columns, each of which may have a character set of its own; ids have plain letters."""
        rows = connection.execute(_CHARACTER_SETS, {"table": table.name, "schema": table.schema})
        narrow = {name: charset for name, charset in rows if name in table.c and name not in _PLAIN}
        return ", ".join(f"the column {name} is {charset}" for name, charset in sorted(narrow.items()))

    def text_equals(self, column: ColumnElement[Any], value: str) -> ColumnElement[bool]:
        """Trailing spaces count, which ``utf8mb4_bin`` by itself would pass over."""
        return and_(column == value, func.char_length(column) == len(value))

    def has_id_in(self, table: Table, ids: Iterable[str]) -> ColumnElement[bool]:
        """The driver writes them into the statement, as many as there may be."""
        return table.c.id.in_(sorted(ids))

    def contains(self, column: ColumnElement[Any], wanted: str) -> ColumnElement[bool]:
        """See :meth:`Database.contains`."""
        return func.locate(wanted, column) > 0

    def json_contains(self, document: Column[Any], wanted: str) -> ColumnElement[bool]:
        """JSON as text has the connection's collation, which would find "ann" in "Ann"."""
        return self.contains(collate(cast(document, CHAR), "utf8mb4_bin"), json_text(wanted)[1:-1])

    def json_lacks(self, document: Column[Any], name: str) -> ColumnElement[bool]:
        """See :meth:`Database.json_lacks`."""
        return func.json_contains_path(document, "one", json_path([name])) == 0

    def json_has(self, document: Column[Any], path: Path, value: Any) -> ColumnElement[bool]:
        """MySQL compares JSON by value, and distinguishes its types."""
        wanted = cast(literal(json_text(value), String), JSON)
        return type_coerce(func.json_extract(document, json_path(path)), Text) == wanted

    def json_has_item(self, document: Column[Any], path: Path, value: Any) -> ColumnElement[bool]:
        """JSON_CONTAINS takes 5 and 5.0 for two values, so that a number is asked for as both."""
        where = json_path(path)
        if isinstance(value, list | dict):
            return func.json_type(func.json_extract(document, where)) == "ARRAY"
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        wanted = numbers_equal_to(value) if is_number else [value]
        return or_(*(func.json_contains(document, json_text(item), where) == 1 for item in wanted))


class MariaDb(MySql):
    """MariaDB's own words."""

    label = "MariaDB"
    keeps_json_text = True

    def json_contains(self, document: Column[Any], wanted: str) -> ColumnElement[bool]:
        """JSON is the text that was written."""
        return self.contains(type_coerce(document, Text), json_text(wanted)[1:-1])

    def json_lacks(self, document: Column[Any], name: str) -> ColumnElement[bool]:
        """A document that is too deep for MariaDB's functions counts as lacking it."""
        return func.coalesce(super().json_lacks(document, name), True)

    def json_has(self, document: Column[Any], path: Path, value: Any) -> ColumnElement[bool]:
        """JSON_EQUALS compares numbers by value, and distinguishes types."""
        return func.json_equals(func.json_extract(document, json_path(path)), json_text(value)) == 1

    def json_equals(self, document: Column[Any], name: str, value: Any) -> ColumnElement[bool]:
        """A document that is too deep for MariaDB's functions is let through: it counts as no JSON."""
        return or_(super().json_equals(document, name, value), func.json_valid(document) == 0)
