"""From a :class:`Query` to the WHERE clause over the audit table. Pure; each database has its own words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, or_

from logweir.sinks.contract import Query
from logweir.sinks.query_match import nanoseconds
from logweir.sinks.sql.dialects.contract import Database
from logweir.sinks.sql.nul_escape import hide_nul
from logweir.sinks.sql.table import TYPED_FIELDS

__all__ = ["conditions_of"]


def conditions_of(query: Query, table: Table, database: Database) -> list[ColumnElement[bool]]:
    """Return the conditions of a query; they are joined by *and*."""
    return list(_conditions(query, table, database))


def _conditions(query: Query, table: Table, database: Database) -> Iterator[ColumnElement[bool]]:
    columns = table.c
    stored: Callable[[Any], Any] = hide_nul if database.escapes_nul else lambda value: value
    if query.start is not None:
        yield columns.time_us >= nanoseconds(query.start) // 1000
    if query.end is not None:
        yield columns.time_us < nanoseconds(query.end) // 1000
    if query.kind is not None:
        yield columns.kind == query.kind.value
    for name, value in (("action", query.name), ("trace_id", query.trace_id)):
        if value is not None:
            yield database.text_equals(columns[name], stored(value))
    if query.ids is not None:
        yield database.has_id_in(table, {stored(id_) for id_ in query.ids})
    if query.text is not None:
        yield _contains(table, stored(query.text), database)
    for name, value in query.fields.items():
        yield _field_equals(table, stored(name), stored(value), database)


def _contains(table: Table, wanted: str, database: Database) -> ColumnElement[bool]:
    """The text stands in the name, in a typed field or in the JSON of the other fields."""
    names = ["action", *(name for name, longest in TYPED_FIELDS.items() if longest)]
    in_columns = (database.contains(table.c[name], wanted) for name in names)
    return or_(*in_columns, database.json_contains(table.c.extra_info, wanted))


def _field_equals(table: Table, name: str, value: Any, database: Database) -> ColumnElement[bool]:
    """The conditions mirror ``to_row``: its column's index finds the row, the JSON decides in doubt."""
    document = table.c.extra_info
    in_json = database.json_equals(document, name, value)
    if name not in TYPED_FIELDS or isinstance(value, bool):
        return in_json
    column, longest = table.c[name], TYPED_FIELDS[name]
    if longest is None:
        return column == value if isinstance(value, int | float) else in_json
    if isinstance(value, int):
        return and_(column == str(value), in_json)
    if isinstance(value, str):
        decided = database.json_lacks(document, name) if len(value) <= longest else in_json
        return and_(database.text_equals(column, value[:longest]), decided)
    return in_json
