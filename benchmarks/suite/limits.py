"""What a store may take of the machine: minutes and gigabytes."""

from __future__ import annotations

from typing import Literal

__all__ = ["LimitReached"]


class LimitReached(Exception):
    """A store took, or would take, more than it may; it is measured no further, and the others are.

    Attributes:
        limit: Which limit.
    """

    def __init__(self, limit: Literal["minutes", "disk"], why: str) -> None:
        super().__init__(why)
        self.limit = limit
