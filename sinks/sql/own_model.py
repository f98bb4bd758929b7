"""An audit table of the application's own: found by its dotted path, checked, and filled.

Such a table has the audit columns, whatever else it has. A further column is filled from the event's field
of its name, if the value can be turned into the column's type without loss; the field stays in
``extra_info`` as well, from where it is read back as it was.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from importlib import import_module
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Table

from logweir.event import Event
from logweir.sinks.sql.encode import Row, to_row
from logweir.sinks.sql.table import CHAIN_COLUMNS, audit_table

__all__ = ["AUDIT_COLUMNS", "fill", "find_table"]

AUDIT_COLUMNS = tuple(audit_table("audit_log").columns.keys())


def find_table(path: str) -> Table:
    """Return the table that a dotted path such as ``package.module:Class`` names.

    Raises:
        ValueError: It names none, or one that lacks audit columns; the message names them all.
    """
    module_name, _, name = path.partition(":")
    try:
        found = operator.attrgetter(name)(import_module(module_name))
    except Exception as error:  # noqa: BLE001 - importing runs code of the user's, which may raise anything
        raise ValueError(f"{path!r} names no model ({error}); write package.module:Class") from None
    table = found if isinstance(found, Table) else getattr(found, "__table__", None)
    if not isinstance(table, Table):
        what = type(found).__name__
        raise ValueError(f"{path!r} is no model but {what}; name a declarative class or a Table")  # noqa: TRY004 - a value of a key
    missing = [column for column in AUDIT_COLUMNS if column not in table.columns]
    if missing:
        raise ValueError(f"the model {path!r} lacks the audit columns {', '.join(missing)}; add them")
    return table


def fill(table: Table, event: Event) -> Row:
    """Return the row of an event in a table that has the audit columns, and perhaps more."""
    row = to_row(event)
    for name, convert in _extra_columns(table).items():
        if (value := event.fields.get(name)) is not None:
            row[name] = convert(value)
    return row


@lru_cache(maxsize=64)
def _extra_columns(table: Table) -> dict[str, Callable[[Any], Any]]:
    """The columns beyond the audit's, each with the function that turns a field into its value."""
    return {
        column.name: _converter(column)
        for column in table.columns
        if column.name not in {*AUDIT_COLUMNS, *CHAIN_COLUMNS}
        and column.computed is None
        and column.identity is None
    }


def _converter(column: Column[Any]) -> Callable[[Any], Any]:
    try:
        kind = column.type.python_type
    except NotImplementedError:
        return lambda value: value
    if issubclass(kind, Enum):
        return lambda value: _converted(kind, value)
    longest = getattr(column.type, "length", None)
    if issubclass(kind, str) and longest is not None:
        return lambda value: _converted(lambda text: _words(text, longest), value)
    for base, convert in _CONVERTERS:
        if issubclass(kind, base):
            return lambda value: _converted(convert, value)
    return lambda value: value


def _converted(convert: Callable[[Any], Any], value: Any) -> Any:
    """A value that does not fit leaves the column empty; ``extra_info`` has it."""
    try:
        return convert(value)
    except (ValueError, TypeError, ArithmeticError):
        return None


def _whole(value: Any) -> int:
    number = int(value)
    if isinstance(value, float) and number != value:
        raise ValueError
    return number


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _words(value: Any, longest: int | None = None) -> str:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise TypeError
    text = str(value)
    if longest is not None and len(text) > longest:
        raise ValueError
    return text


_CONVERTERS: Iterable[tuple[type, Callable[[Any], Any]]] = (
    (bool, _truth),
    (int, _whole),
    (float, float),
    (Decimal, lambda value: Decimal(str(value))),
    (datetime, datetime.fromisoformat),
    (date, date.fromisoformat),
    (time, time.fromisoformat),
    (UUID, UUID),
    (str, _words),
)
