"""SQLite, in a file: no server, no driver to install."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, Text, and_, func, select, type_coerce

from logweir.sinks.sql.dialects.contract import Database, json_path, json_text

__all__ = ["Sqlite"]

_JSON_TYPES = {
    str: ["text"],
    int: ["integer", "real"],
    float: ["integer", "real"],
    type(None): ["null"],
    dict: ["object"],
    list: ["array"],
}


class Sqlite(Database):
    """SQLite's own words."""

    label = "SQLite"
    version_query = "SELECT sqlite_version()"

    @contextmanager
    def schema_lock(self, connection: Connection, table: str) -> Iterator[None]:
        """Be the file's only writer until the transaction ends."""
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield

    def has_id_in(self, table: Table, ids: Iterable[str]) -> ColumnElement[bool]:
        """They travel as one JSON array."""
        given = func.json_each(json_text(sorted(ids))).table_valued("value")
        return table.c.id.in_(select(given.c.value))

    def contains(self, column: ColumnElement[Any], wanted: str) -> ColumnElement[bool]:
        """See :meth:`Database.contains`."""
        return func.instr(column, wanted) > 0

    def json_contains(self, document: Column[Any], wanted: str) -> ColumnElement[bool]:
        """See :meth:`Database.json_contains`."""
        return self.contains(type_coerce(document, Text), json_text(wanted)[1:-1])

    def json_lacks(self, document: Column[Any], name: str) -> ColumnElement[bool]:
        """See :meth:`Database.json_lacks`."""
        return func.json_type(document, json_path([name])).is_(None)

    def json_has(self, document: Column[Any], path: Sequence[str], value: Any) -> ColumnElement[bool]:
        """See :meth:`Database.json_has`."""
        name = path[0]
        if len(path) == 1 and ('"' in name or "\\" in name):  # SQLite's paths cannot say this
            member = func.json_each(document).table_valued("key", "type", "value")
            found = _is(member.c.type, member.c.value, value)
            return select(member.c.key).where(member.c.key == name, found).exists()
        where = json_path(path)
        return _is(func.json_type(document, where), func.json_extract(document, where), value)


def _is(kind: ColumnElement[Any], found: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
    if isinstance(value, bool):
        return kind == str(value).lower()
    right_kind = kind.in_(_JSON_TYPES.get(type(value), []))
    if value is None:
        return right_kind
    return and_(right_kind, found == (value if isinstance(value, str | int | float) else json_text(value)))
