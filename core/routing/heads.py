"""Heads of events, by which answers are kept: what is the same at each call of one call site."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

__all__ = ["MOST_HEADS", "Head", "HeadCache"]

#: The most heads whose answers are kept: a program has some hundreds of call sites.
MOST_HEADS = 4096
#: The most characters of a head whose answer is kept.
_LONGEST_KEPT = 512


Key = TypeVar("Key", bound="tuple[str | None, ...]")
Kept = TypeVar("Kept")


class Head(NamedTuple):
    """What is the same at each call of one call site; None where nobody asks for it."""

    kind: str | None
    level: str | None
    name: str | None
    logger: str | None


class HeadCache(dict[Key, Kept]):
    """What was worked out for heads, at most :data:`MOST_HEADS` of them; looked up as a dictionary.

    Args:
        before_clearing: Called before a full cache is emptied.
    """

    def __init__(self, before_clearing: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self._before_clearing = before_clearing

    def keep(self, head: Key, answer: Kept) -> bool:
        """Keep an answer; False for a long head, whose name is a text that differs with every call."""
        if sum(len(part) for part in head if part is not None) > _LONGEST_KEPT:
            return False
        if len(self) >= MOST_HEADS:
            self._before_clearing()
            self.clear()
        self[head] = answer
        return True
