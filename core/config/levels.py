"""The grammar of a level in routing.yaml: a name, or a comparison such as `>=error` or `<warning`. Pure.

Validation, the search for routes that nothing can reach, and the compiled conditions all read it here.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable

from logweir.event import LEVELS, known_level

__all__ = ["COMPARISONS", "levels_meant", "split_level", "unknown_level"]

_SIGNS = "<>=!"
#: What may stand before a level's name; nothing stands for equality.
COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    ">=": int.__ge__,
    ">": int.__gt__,
    "<=": int.__le__,
    "<": int.__lt__,
    "==": int.__eq__,
    "": int.__eq__,
}


def split_level(expression: str) -> tuple[str, str]:
    """Return the comparison and the name of an expression, neither of which need be known."""
    name = expression.lstrip(_SIGNS)
    return expression[: len(expression) - len(name)], name.strip()


def unknown_level(expression: str) -> str:
    """Say that an expression stands for no level, which one may be meant, and which there are."""
    comparison, name = split_level(expression)
    nearest = known_level(name) or next(iter(difflib.get_close_matches(name.lower(), LEVELS, 1)), None)
    sign = comparison if comparison in COMPARISONS else ""
    meant = f"did you mean {sign + nearest!r}? " if nearest else ""
    return f"unknown level {expression!r}; {meant}there are {', '.join(LEVELS)}, and comparisons like >=error"


def levels_meant(expression: str) -> frozenset[str]:
    """Return the names of the levels that a valid expression stands for."""
    comparison, name = split_level(expression)
    compare = COMPARISONS[comparison]
    return frozenset(level for level, number in LEVELS.items() if compare(number, LEVELS[name]))
