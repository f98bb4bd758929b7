"""Fields as the columns of VictoriaLogs, and back. Pure.

VictoriaLogs has no types and no depth: a line's objects are taken apart into columns of text, ``null`` and
empty texts are no columns. So a *shape* goes with the fields, which says what each was; events of one call
site have the same, which costs the store next to nothing. Shape and columns give back the identical fields.

Some fields cannot be columns: their names are too long for the store, meet each other, or are too many. Such
fields go as JSON into one column. Their names are bounded too, since VictoriaLogs silently drops the events
of a block in which they are more than 2,000: input of users that is logged as names would cost other events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from logweir.sinks.victorialogs.config import FIELD_PREFIX

__all__ = ["ColumnGuard", "Shaper", "column_of", "fields_of"]

#: The longest name of a column, in bytes.
_LONGEST = 128
_DEEPEST = 64
#: Structures remembered at once; more are no loss but time.
_MOST_PLANS = 10_000

_TEXT, _EMPTY, _INTEGER, _FLOAT, _BOOLEAN, _NONE, _LIST = "s", "e", "i", "f", "b", "n", "j"
_CODES: Mapping[type, str] = {str: _TEXT, int: _INTEGER, float: _FLOAT, bool: _BOOLEAN}
_BACK: Mapping[str, Callable[[str], Any]] = {
    _TEXT: str,
    _INTEGER: int,
    _FLOAT: float,
    _BOOLEAN: lambda text: text == "true",
    _LIST: msgspec.json.decode,
}

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.decode

#: What is written as fields, and the shape; of fields that are one column, their JSON and no shape.
Written = tuple[dict[str, Any] | str, str]


def column_of(name: str) -> str:
    """The column of a field."""
    return FIELD_PREFIX + name


class ColumnGuard:
    """Counts the names of columns and admits no more than so many.

    Args:
        most: How many.
        report: Called once, when one more is met.
    """

    def __init__(self, most: int, report: Callable[[], None]) -> None:
        self._most = most
        self._report = report
        self._known: set[str] = set()
        self._is_reported = False

    def admits(self, names: set[str]) -> bool:
        """Whether all these may be columns; if so, they are known from now on."""
        new = names - self._known
        if not new:
            return True
        if len(self._known) + len(new) > self._most:
            if not self._is_reported:
                self._is_reported = True
                self._report()
            return False
        self._known |= new
        return True


class Shaper:
    """Writes fields in the form that a store without types takes.

    Args:
        guard: Says which names may be columns.
    """

    def __init__(self, guard: ColumnGuard) -> None:
        self._guard = guard
        self._plans: dict[tuple[Any, ...], str] = {}
        self._most = 0

    def bound(self, most: int) -> None:
        """From now on, write no more fields of one event as columns than this."""
        if most != self._most:
            self._most = most
            self._plans.clear()

    def written(self, fields: dict[str, Any]) -> Written:
        """The fields and their shape. The way of flat fields is the hot path."""
        if not fields:
            return fields, ""
        values = fields.values()
        structure = (*fields, *map(type, values))
        shape = self._plans.get(structure)
        if shape is None:
            shape = self._plan(fields, structure)
        if shape and "" not in values:
            return fields, shape
        return self._unusual(fields)

    def _plan(self, fields: dict[str, Any], structure: tuple[Any, ...]) -> str:
        """The shape of flat fields of this structure; empty for others."""
        if len(self._plans) >= _MOST_PLANS:
            self._plans.clear()
        codes = {name: _CODES.get(type(value), "") for name, value in fields.items()}
        fits = all(codes.values()) and self._fits(set(fields))
        self._plans[structure] = shape = _encode(codes).decode() if fits else ""
        return shape

    def _unusual(self, fields: dict[str, Any]) -> Written:
        flat: dict[str, str] = {}
        shape = _flattened(fields, "", flat, 0)
        if shape is not None and self._fits(set(flat)):
            return flat, _encode(shape).decode()
        return _encode(fields).decode(), ""

    def _fits(self, names: set[str]) -> bool:
        if len(names) > self._most or "" in names:
            return False
        if any(len(column_of(name).encode()) > _LONGEST for name in names):
            return False
        return self._guard.admits(names)


def _flattened(
    fields: Mapping[str, Any], prefix: str, flat: dict[str, str], depth: int
) -> dict[str, Any] | None:
    """Fill in the columns, and return the shape; None if they cannot be columns."""
    if depth > _DEEPEST:
        return None
    shape: dict[str, Any] = {}
    for name, value in fields.items():
        path = prefix + name
        if type(value) is dict:
            inner = _flattened(value, f"{path}.", flat, depth + 1)
            if inner is None:
                return None
            shape[name] = inner
            continue
        code, text = _coded(value)
        shape[name] = code
        if text is None:
            continue
        if path in flat:  # as `a.b` and `b` in `a` are
            return None
        flat[path] = text
    return shape


def _coded(value: Any) -> tuple[str, str | None]:
    """What a value was, and its text; None for one that is no column."""
    if value is None:
        return _NONE, None
    if isinstance(value, str):
        return (_TEXT, value) if value else (_EMPTY, None)
    code = _CODES.get(type(value), _LIST)
    return code, _encode(value).decode()


def fields_of(row: Mapping[str, str], message_column: str | None = None) -> dict[str, Any]:
    """The fields that a row was made of.

    Args:
        row: The columns, as VictoriaLogs gives them back.
        message_column: The column that stands in the row as its message.

    Raises:
        ValueError: They are not those of an event of ours.
    """
    if whole := row.get("fields"):
        return _decode(whole, type=dict[str, Any])
    if not (shape := row.get("shape")):
        return {}
    return _restored(_decode(shape, type=dict[str, Any]), FIELD_PREFIX, row, message_column)


def _restored(
    shape: Mapping[str, Any], prefix: str, row: Mapping[str, str], message_column: str | None
) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, code in shape.items():
        column = prefix + name
        if isinstance(code, dict):
            fields[name] = _restored(code, f"{column}.", row, message_column)
        elif code == _NONE:
            fields[name] = None
        elif code == _EMPTY:
            fields[name] = ""
        else:
            text = row.get("_msg", "") if column == message_column else row.get(column)
            if code not in _BACK:
                raise ValueError(f"the shape {code!r} of {column!r} is not one of ours")
            # A number that is none (NaN is `null` in JSON) is no column.
            fields[name] = None if text is None else _BACK[code](text)
    return fields
