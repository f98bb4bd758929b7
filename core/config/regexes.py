"""Regular expressions of routing.yaml: one that is none is refused in the same words wherever it stands."""

from __future__ import annotations

import re
from typing import AnyStr

__all__ = ["compiled"]


def compiled(pattern: AnyStr) -> re.Pattern[AnyStr]:
    """Return the expression as it searches.

    Raises:
        ValueError: It is no regular expression.
    """
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"not a regular expression: {error}") from None
