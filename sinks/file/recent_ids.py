"""The ids of the events written lately, so that a batch that is sent again is not stored again."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["RecentIds"]


class RecentIds:
    """Remembers at least the last ``count`` ids, and at most twice as many.

    Two generations take turns, so that forgetting costs nothing: when the younger is full, it becomes
    the older one, and what the older one held is forgotten.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._younger: set[str] = set()
        self._older: set[str] = set()

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._younger or event_id in self._older

    def has_any(self, ids: set[str]) -> bool:
        """Whether one of these is remembered."""
        return not (self._younger.isdisjoint(ids) and self._older.isdisjoint(ids))

    def add(self, ids: Iterable[str]) -> None:
        """Remember these."""
        self._younger.update(ids)
        if len(self._younger) >= self._count:
            self._older, self._younger = self._younger, set()
