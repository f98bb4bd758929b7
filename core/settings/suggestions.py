"""What is said of a name that does not exist: the nearest one that does, or all of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean", "instead_of", "no_such"]


def no_such(what: str, name: str, known: Iterable[str]) -> str:
    """Say that there is no sink, route or the like of this name, and which there are."""
    return f"there is no {what} {name!r}; {instead_of(name, known)}"


def instead_of(name: str, known: Iterable[str]) -> str:
    """Name what may be meant by a name, or else all that could be: ``there are a, b``."""
    names = list(known)
    return did_you_mean(name, names) or (f"there are {', '.join(names)}" if names else "there are none")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Ask for the name that is nearest, in whatever case it was written; empty where none is near."""
    by_lower = {one.lower(): one for one in known}
    nearest = difflib.get_close_matches(name.lower(), by_lower, 1)
    return f"did you mean {by_lower[nearest[0]]!r}?" if nearest else ""
