"""From a :class:`Query` to the WHERE clause over the audit table. Pure; each database has its own words.

The clause lets through all that matches, and little else: what it returns is compared with the query again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, false, or_, true

from logweir.sinks.contract import Query
from logweir.sinks.query_match import nanoseconds
from logweir.sinks.sql.dialects.contract import Database
from logweir.sinks.sql.nul_escape import hide_nul
from logweir.sinks.sql.table import TYPED_FIELDS

__all__ = ["conditions_of"]

#: Typed fields with an index, by which a user's events are found in order of time.
_INDEXED = {"user_id"}
_IN_A_NUMBER = re.compile(r"-?[0-9]*\.?[0-9]*(e[-+]?[0-9]*)?")
#: Parts of numbers that a row may spell in another way: with an exponent, or with zeros in front.
_OTHERWISE_WRITTEN = re.compile(r"-?[0-9]*\.?[0-9]*e[-+]?[0-9]*|-?0?\.?0[0-9]*")


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
    yield from _of_attributes(query, table, database, stored)
    if query.ids is not None:
        yield database.has_id_in(table, {stored(id_) for id_ in query.ids})
    if query.text is not None:
        yield _contains(table, stored(query.text), database)
    for name, value in query.fields.items():
        yield _field_equals(table, stored(name), stored(value), database)


def _of_attributes(
    query: Query, table: Table, database: Database, stored: Callable[[Any], Any]
) -> Iterator[ColumnElement[bool]]:
    """The conditions on columns of text."""
    for name, value in (
        ("action", query.name),
        ("trace_id", query.trace_id),
        ("service", query.service),
    ):
        if value is not None:
            yield database.text_equals(table.c[name], stored(value))
    if query.levels is not None:
        levels = [database.text_equals(table.c.level, stored(level)) for level in sorted(query.levels)]
        yield or_(false(), *levels)


def _contains(table: Table, wanted: str, database: Database) -> ColumnElement[bool]:
    """The text stands in the name, in a typed field or in the JSON of the other fields."""
    if _OTHERWISE_WRITTEN.fullmatch(wanted):
        return true()
    names = ["action", *(name for name, longest in TYPED_FIELDS.items() if longest)]
    found = [database.contains(table.c[name], wanted) for name in names]
    # The name of a typed field is nowhere in its row, and the text of a number in no column.
    present = {name for name, longest in TYPED_FIELDS.items() if wanted in name}
    if _IN_A_NUMBER.fullmatch(wanted):
        present.update(name for name, longest in TYPED_FIELDS.items() if longest is None)
    found += [table.c[name].is_not(None) for name in sorted(present)]
    return or_(*found, database.json_contains(table.c.extra_info, wanted))


def _field_equals(table: Table, name: str, value: Any, database: Database) -> ColumnElement[bool]:
    """The conditions mirror ``to_row``: its column's index finds the row, the JSON decides in doubt."""
    document = table.c.extra_info
    in_json = database.json_equals(document, name, value)
    if name not in TYPED_FIELDS or isinstance(value, bool) or not isinstance(value, str | int | float):
        return in_json
    column, longest = table.c[name], TYPED_FIELDS[name]
    # A list, and a number of the other type, have nothing in the column.
    without_column = and_(column.is_(None), in_json)
    if longest is None:
        return in_json if isinstance(value, str) else or_(column == value, without_column)
    if isinstance(value, float):
        return in_json
    if isinstance(value, int):
        in_column = and_(column == str(value), in_json)
    else:
        decided = database.json_lacks(document, name) if len(value) <= longest else in_json
        in_column = and_(database.text_equals(column, value[:longest]), decided)
    # Asked both ways, the index that gives a user's events in order would serve no longer.
    return in_column if name in _INDEXED else or_(in_column, without_column)
