"""From a :class:`Query` to the WHERE clause over the audit table. Pure; the JSON functions are SQLite's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, Text, and_, func, or_, select, type_coerce

from logweir.sinks.contract import Query
from logweir.sinks.searching import nanoseconds
from logweir.sinks.sql.table import TYPED_FIELDS

__all__ = ["conditions_of", "has_id_in"]

_JSON_TYPES = {
    str: ["text"],
    int: ["integer", "real"],
    float: ["integer", "real"],
    type(None): ["null"],
    dict: ["object"],
    list: ["array"],
}


def conditions_of(query: Query, table: Table) -> list[ColumnElement[bool]]:
    """Return the conditions of a query; they are joined by *and*."""
    return list(_conditions(query, table))


def has_id_in(table: Table, ids: Iterable[str]) -> ColumnElement[bool]:
    """The row's id is one of these, as many as there may be: they travel as one JSON array."""
    given = func.json_each(json.dumps(sorted(ids))).table_valued("value")
    return table.c.id.in_(select(given.c.value))


def _conditions(query: Query, table: Table) -> Iterator[ColumnElement[bool]]:
    columns = table.c
    if query.start is not None:
        yield columns.time_us >= nanoseconds(query.start) // 1000
    if query.end is not None:
        yield columns.time_us < nanoseconds(query.end) // 1000
    for name, value in (("kind", query.kind), ("action", query.name), ("trace_id", query.trace_id)):
        if value is not None:
            yield columns[name] == value
    if query.ids is not None:
        yield has_id_in(table, query.ids)
    if query.text is not None:
        yield _contains(table, query.text)
    for name, value in query.fields.items():
        yield _field_equals(table, name, value)


def _contains(table: Table, wanted: str) -> ColumnElement[bool]:
    """The text stands in the name, in a typed field or in the JSON of the other fields."""
    names = ["action", *(name for name, longest in TYPED_FIELDS.items() if longest)]
    texts = [table.c[name] for name in names]
    places = [*texts, type_coerce(table.c.extra_info, Text)]
    return or_(*(place.contains(wanted, autoescape=True) for place in places))


def _field_equals(table: Table, name: str, value: Any) -> ColumnElement[bool]:
    """The conditions mirror ``to_row``: its column's index finds the row, the JSON decides in doubt."""
    in_json = _json_equals(table.c.extra_info, name, value)
    if name not in TYPED_FIELDS or isinstance(value, bool):
        return in_json
    column, longest = table.c[name], TYPED_FIELDS[name]
    if longest is None:
        return column == value if isinstance(value, int | float) else in_json
    if isinstance(value, int):
        return and_(column == str(value), in_json)
    if isinstance(value, str):
        moved = func.json_type(table.c.extra_info, _json_path([name])).is_(None)
        return and_(column == value[:longest], moved if len(value) <= longest else in_json)
    return in_json


def _json_equals(document: Column[Any], name: str, value: Any) -> ColumnElement[bool]:
    """The field has this value, whether its name has dots itself or leads into nested fields."""
    if '"' in name or "\\" in name:  # SQLite's paths cannot say this
        member = func.json_each(document).table_valued("key", "type", "value")
        found = _is(member.c.type, member.c.value, value)
        return select(member.c.key).where(member.c.key == name, found).exists()
    paths = sorted({_json_path([name]), _json_path(name.split("."))})
    return or_(
        *(_is(func.json_type(document, path), func.json_extract(document, path), value) for path in paths)
    )


def _is(kind: ColumnElement[Any], found: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
    if isinstance(value, bool):
        return kind == str(value).lower()
    right_kind = kind.in_(_JSON_TYPES.get(type(value), []))
    if value is None:
        return right_kind
    plain = isinstance(value, str | int | float)
    expected = value if plain else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return and_(right_kind, found == expected)


def _json_path(parts: list[str]) -> str:
    return "$" + "".join(f".{json.dumps(part, ensure_ascii=False)}" for part in parts)
