"""Looking at the fields of events: finding one by its name, and comparing its value. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

__all__ = ["MISSING", "equal", "has_item", "index_of", "look_up", "numbers_equal_to", "text_in"]

#: What is found where there is no such field.
MISSING: Final = object()
#: An index of more digits is that of no list.
_MOST_DIGITS = 9


def look_up(fields: Mapping[str, Any], name: str) -> Any:
    """Find a field by its name, or else follow the dots into nested fields and items of lists."""
    value = fields.get(name, MISSING)
    if value is not MISSING or "." not in name:
        return value
    inner: Any = fields
    for part in name.split("."):
        if isinstance(inner, list):
            place = index_of(part)
            if place is None or place >= len(inner):
                return MISSING
            inner = inner[place]
        elif isinstance(inner, Mapping) and part in inner:
            inner = inner[part]
        else:
            return MISSING
    return inner


def index_of(part: str) -> int | None:
    """The place in a list that a part of a dotted name means (``0`` is the first); None if it means none."""
    if (
        not (part.isascii() and part.isdigit())
        or len(part) > _MOST_DIGITS
        or (part[0] == "0" and part != "0")
    ):
        return None
    return int(part)


def equal(value: Any, expected: Any) -> bool:
    """Equality of JSON values at any depth: 1 and 1.0 are equal, 1 and true are not."""
    if not isinstance(expected, list | dict):
        return isinstance(value, bool) == isinstance(expected, bool) and bool(value == expected)
    if isinstance(expected, list):
        if not isinstance(value, list) or len(value) != len(expected):
            return False
        return all(map(equal, value, expected))
    if not isinstance(value, dict) or value.keys() != expected.keys():
        return False
    return all(equal(value[name], inner) for name, inner in expected.items())


def numbers_equal_to(value: float) -> list[int | float]:
    """The number as the integer and as the float that equal it, in whichever it may have been written."""
    found: list[int | float] = [value]
    for convert in (int, float):
        try:
            other = convert(value)
        except (OverflowError, ValueError):  # infinite, or beyond what a float can be
            continue
        if other == value and type(other) is not type(value):
            found.append(other)
    return found


def has_item(value: Any, expected: Any) -> bool:
    """Whether a value is a list that has an item equal to the expected one."""
    return isinstance(value, list) and any(equal(item, expected) for item in value)


def text_in(value: Any, wanted: str) -> bool:
    """Whether a text stands in a value, or in the name or the value of one that it holds.

    A text is looked at as it is, a number, ``true``, ``false`` and ``null`` as they are written in JSON.
    """
    if isinstance(value, str):
        return wanted in value
    if isinstance(value, dict):
        return any(wanted in name or text_in(inner, wanted) for name, inner in value.items())
    if isinstance(value, list):
        return any(text_in(item, wanted) for item in value)
    return wanted in msgspec.json.encode(value).decode()
