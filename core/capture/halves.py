"""Objects under the first half of a name, as in ``{"api": {"key": "..."}}``: entries with whole names."""

from __future__ import annotations

from typing import Any

from logweir.encoding.parts import Entries, Labelled
from logweir.redaction.halves import SECOND_HALVES

__all__ = ["joined_halves"]


def joined_halves(first: str, mapping: dict[Any, Any]) -> Entries:
    """Return the entries of what has the name ``first``; a second half has the joined name too."""
    seconds = SECOND_HALVES[first.lower()]
    return Entries(
        (key, Labelled((f"{first} {key}",), value) if type(key) is str and key.lower() in seconds else value)
        for key, value in list(mapping.items())
    )
