"""What is said of a name that does not exist: the nearest one that does, or all of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["instead_of", "no_such"]


def no_such(what: str, name: str, known: Iterable[str]) -> str:
    """Say that there is no sink, route or the like of this name, and which there are."""
    return f"there is no {what} {name!r}; {instead_of(name, known)}"


def instead_of(name: str, known: Iterable[str]) -> str:
    """Name what may be meant by a name, or else all that could be: ``there are a, b``."""
    names = list(known)
    nearest = difflib.get_close_matches(name, names, 1)
    if nearest:
        return f"did you mean {nearest[0]!r}?"
    return f"there are {', '.join(names)}" if names else "there are none"
