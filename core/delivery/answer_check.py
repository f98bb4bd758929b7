"""Whether the answer of a sink can be one, asked before anything is counted or settled by it.

A custom sink may answer anything: nothing at all, a list where a set is expected, a generator that can be
read once. What does not fit is no answer: the batch counts as failed, is repeated, and ends in the dead
letters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from logweir.settings.delivery import bounded_wait
from logweir.sinks.results import WriteResult

__all__ = ["sound", "wait_of"]

_ALL_STORED = WriteResult.all_stored()


def sound(result: object, size: int) -> WriteResult:
    """Return the answer, in its declared types, if it can be the answer to a batch of that size.

    Raises:
        TypeError: It is no ``WriteResult``, its parts have odd types, or it speaks of events that are not in
            the batch, or of one twice.
    """
    if result is _ALL_STORED:
        return _ALL_STORED
    if not isinstance(result, WriteResult):
        raise TypeError(f"the sink answered {type(result).__name__} instead of a WriteResult")
    # Read once, for it may be a generator; and from here on nothing of it can raise.
    duplicate, retry = _indexes("duplicate", result.duplicate), _indexes("retry", result.retry)
    rejected = _reasons(result.rejected)
    verdicts = [*duplicate, *retry, *rejected]
    if verdicts and (len(set(verdicts)) != len(verdicts) or not 0 <= min(verdicts) <= max(verdicts) < size):
        raise TypeError("the sink's verdicts do not fit the batch")
    return WriteResult(
        frozenset(duplicate),
        frozenset(retry),
        rejected,
        _seconds(result.retry_after),
        _text("retry_reason", result.retry_reason),
    )


def wait_of(value: Any) -> float | None:
    """Return the wait that a sink's error asks for, bounded; None if it asks for none, or for no number."""
    try:
        return _seconds(value)
    except TypeError:
        return None


def _indexes(name: str, verdict: Any) -> list[int]:
    # By the exact type: True is the index 1 in every other respect.
    indexes = list(verdict) if isinstance(verdict, Iterable) else None
    if indexes is None or any(type(index) is not int for index in indexes):
        raise TypeError(f"the sink's verdict {name!r} is no set of indexes")
    return indexes


def _reasons(verdict: Any) -> dict[int, str]:
    if not isinstance(verdict, Mapping):
        raise TypeError("the sink's verdict 'rejected' is no mapping of indexes to reasons")
    reasons = {index: _text("rejected", reason) for index, reason in verdict.items()}
    _indexes("rejected", reasons)
    return reasons


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"the sink's {name!r} has {type(value).__name__} where a text belongs")
    return value


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"the sink's 'retry_after' is {type(value).__name__}, no finite number of seconds")
    return bounded_wait(float(value))
