"""Runs: positions that follow one another, so that one statement serves all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

__all__ = ["runs"]


def runs(positions: Iterable[int]) -> Iterator[tuple[int, int]]:
    """The first and the last of each run among positions that ascend.

    >>> list(runs([1, 2, 3, 7, 9, 10]))
    [(1, 3), (7, 7), (9, 10)]
    """
    start = last = None
    for position in positions:
        if last is None or position != last + 1:
            if start is not None and last is not None:
                yield start, last
            start = position
        last = position
    if start is not None and last is not None:
        yield start, last
