"""Dividing what is sent into requests of bounded size. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["portions"]

ItemT = TypeVar("ItemT")


def portions(
    items: Sequence[ItemT], weight_of: Callable[[ItemT], int], largest: int
) -> list[Sequence[ItemT]]:
    """Return the items in portions, in their order.

    Args:
        items: What is divided.
        weight_of: The bytes of an item.
        largest: The most bytes of a portion; an item that has more is a portion by itself.
    """
    made: list[Sequence[ItemT]] = []
    start = size = 0
    for position, item in enumerate(items):
        weight = weight_of(item)
        if size and size + weight > largest:
            made.append(items[start:position])
            start, size = position, 0
        size += weight
    if start < len(items):
        made.append(items[start:])
    return made
