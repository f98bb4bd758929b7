"""SQLite, in a file: no server, no driver to install."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Table,
    Text,
    and_,
    func,
    or_,
    select,
    true,
    type_coerce,
)

from logweir.encoding.fields import numbers_equal_to
from logweir.sinks.sql.dialects.contract import Database, Path, json_path, json_text

__all__ = ["Sqlite"]

_JSON_TYPES = {
    str: ["text"],
    int: ["integer", "real"],
    float: ["integer", "real"],
    type(None): ["null"],
    dict: ["object"],
    list: ["array"],
}
_INT64 = range(-(2**63), 2**63)


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
        """They travel as one JSON array, of which SQLite reads a text up to its first NUL."""
        wanted = sorted(ids)
        odd = [event_id for event_id in wanted if "\0" in event_id]
        plain = [event_id for event_id in wanted if "\0" not in event_id] if odd else wanted
        given = func.json_each(json_text(plain)).table_valued("value")
        found = table.c.id.in_(select(given.c.value))
        return or_(found, table.c.id.in_(odd)) if odd else found

    def contains(self, column: ColumnElement[Any], wanted: str) -> ColumnElement[bool]:
        """See :meth:`Database.contains`."""
        return func.instr(column, wanted) > 0

    def json_contains(self, document: Column[Any], wanted: str) -> ColumnElement[bool]:
        """See :meth:`Database.json_contains`."""
        return self.contains(type_coerce(document, Text), json_text(wanted)[1:-1])

    def json_lacks(self, document: Column[Any], name: str) -> ColumnElement[bool]:
        """See :meth:`Database.json_lacks`."""
        return func.json_type(document, json_path([name])).is_(None)

    def json_has(self, document: Column[Any], path: Path, value: Any) -> ColumnElement[bool]:
        """See :meth:`Database.json_has`."""
        odd = next((place for place, part in enumerate(path) if not _can_be_written(part)), None)
        if odd is not None:
            member = func.json_each(document, json_path(path[:odd])).table_valued("key", "type", "value")
            is_last = odd == len(path) - 1
            found = _is(member.c.type, member.c.value, value) if is_last else true()
            return select(member.c.key).where(member.c.key == path[odd], found).exists()
        where = json_path(path)
        return _is(func.json_type(document, where), func.json_extract(document, where), value)

    def json_has_item(self, document: Column[Any], path: Path, value: Any) -> ColumnElement[bool]:
        """See :meth:`Database.json_has_item`."""
        if not all(map(_can_be_written, path)):
            return self.json_has(document, path, [])
        where = json_path(path)
        item = func.json_each(document, where).table_valued("key", "type", "value")
        found = select(item.c.key).where(_is(item.c.type, item.c.value, value)).exists()
        return and_(func.json_type(document, where) == "array", found)


def _can_be_written(part: str | int) -> bool:
    """Whether SQLite's paths have a way to write this name."""
    return isinstance(part, int) or json_text(part) == f'"{part}"'


def _is(kind: ColumnElement[Any], found: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
    if isinstance(value, bool):
        return kind == str(value).lower()
    right_kind = kind.in_(_JSON_TYPES.get(type(value), []))
    if isinstance(value, str):
        return and_(right_kind, found == value)
    if isinstance(value, int | float):
        numbers = [number for number in numbers_equal_to(value) if type(number) is float or number in _INT64]
        return and_(right_kind, found.in_(numbers))
    return right_kind  # objects and lists: their text may differ, and they be equal
