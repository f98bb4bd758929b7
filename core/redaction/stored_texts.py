"""Names as they are stored: a text of a class of its own, or a member of an enumeration, is its text.

What masks by a name must not depend on the class that the name is of: ``(Header.AUTHORIZATION, "S")``.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

__all__ = ["stored_text", "stored_texts"]

#: Types of items that need no look.
_PLAIN = frozenset({str, int, float, bool, type(None), dict, list, tuple, bytes})
#: Items of a list that may be looked at; names and values in turn, or a command, have fewer.
_MOST_ITEMS = 512


def stored_text(value: Any) -> Any:
    """Return the text that is stored of a value; anything else as it is. No code of the value's is run."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if issubclass(kind, str):
        return str.__str__(value)
    if issubclass(kind, Enum):
        inner = value._value_
        return str.__str__(inner) if issubclass(type(inner), str) else value
    return value


def stored_texts(items: Sequence[Any]) -> Sequence[Any]:
    """Return a list with the texts in it as they are stored; a long one as it is."""
    if len(items) > _MOST_ITEMS or _PLAIN.issuperset(map(type, items)):
        return items
    return [stored_text(item) for item in items]
