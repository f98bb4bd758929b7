"""Looking at the fields of events: finding one by its name, and comparing its value. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["MISSING", "equal", "look_up"]

#: What is found where there is no such field.
MISSING: Final = object()


def look_up(fields: Mapping[str, Any], name: str) -> Any:
    """Find a field by its name, or else follow the dots into nested fields."""
    value = fields.get(name, MISSING)
    if value is not MISSING or "." not in name:
        return value
    inner: Any = fields
    for part in name.split("."):
        if not isinstance(inner, Mapping) or part not in inner:
            return MISSING
        inner = inner[part]
    return inner


def equal(value: Any, expected: Any) -> bool:
    """Equality of JSON values: 1 and 1.0 are equal, 1 and true are not."""
    return isinstance(value, bool) == isinstance(expected, bool) and bool(value == expected)
