"""Truncation: an event that is too large as a whole is cut, the largest values first.

:func:`fit` leaves small fields whole and lets the largest share what is left. What was cut says so: each
value by a mark, and the event by the field :data:`TRUNCATED_FIELD`. The costs that the walk of the snapshot
counts with are defined here, so that both mean the same by a size. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from logweir.encoding.cuts import LONGEST_MARK, joined, kept_ends

__all__ = ["CUT_KEY", "ENTRY_COST", "ITEM_COST", "TRUNCATED_FIELD", "fit", "is_item_mark", "text_cost"]

#: The field that an event has when it was too large as a whole.
TRUNCATED_FIELD = "logweir_truncated"

# What an entry and an item cost beyond the length of their texts: quotes, commas, a number.
ENTRY_COST = 12
ITEM_COST = 8

CUT_KEY = "…"
_ITEM_MARK = re.compile(r"…\[truncated \d+ items\]")


def fit(fields: dict[str, Any], limit: int) -> tuple[dict[str, Any], int, bool]:
    """Cut a snapshot to a size: small fields stay whole, the largest share what is left.

    Returns:
        The fields, their size, and whether anything was cut.
    """
    costs = {name: _entry_cost(name, value) for name, value in fields.items()}
    total = sum(costs.values())
    if total <= limit:
        return fields, total, False
    room = limit - _entry_cost(TRUNCATED_FIELD, value=True)  # first of all, the event says that it was cut
    share = _fair_share(costs.values(), room)
    result: dict[str, Any] = {}
    for name, value in fields.items():
        kept = value if costs[name] <= share else _shrunk(value, share - _entry_cost(name, None))
        cost = _entry_cost(name, kept)
        if kept is not _DROPPED and cost <= room and name != TRUNCATED_FIELD:
            result[name] = kept
            room -= cost
    result[TRUNCATED_FIELD] = True
    return result, limit - room, True


def _fair_share(costs: Iterable[int], room: int) -> int:
    """Return the cost up to which every entry fits if the larger ones are cut to it."""
    # From the smallest: each that is below an equal share of what is left stays whole, and what it does not
    # need is left to the larger ones; the first that is above it, and all behind, are cut to that share.
    ordered = sorted(costs)
    for index, cost in enumerate(ordered):
        fair = room // (len(ordered) - index)
        if cost > fair:
            return fair
        room -= cost
    return room


_DROPPED = object()


def _shrunk(value: Any, room: int) -> Any:
    """Return as much of a value, and a mark, as fits the room; ``_DROPPED`` if not even the mark does."""
    kind = type(value)
    if kind is str:
        return _shrunk_text(value, room)
    if kind is list:
        return _shrunk_list(value, room)
    if kind is dict:
        return _shrunk_dict(value, room)
    return value if room >= 0 else _DROPPED


def _shrunk_text(text: str, room: int) -> Any:
    room -= LONGEST_MARK
    if room < 0:
        return _DROPPED
    data = text.encode()
    head, tail = kept_ends(text, room)
    start = data[:head].decode(errors="ignore")  # a character that the cut splits is dropped
    end = data[len(data) - tail :].decode(errors="ignore")
    return joined(start, len(text) - len(start) - len(end), end)


def _shrunk_list(items: list[Any], room: int) -> Any:
    room -= ITEM_COST + LONGEST_MARK
    if room < 0:
        return _DROPPED
    kept: list[Any] = []
    for item in items:
        cost = ITEM_COST + _cost(item)
        if cost > room:
            break
        kept.append(item)
        room -= cost
    return [*kept, f"…[truncated {len(items) - len(kept)} items]"]


def _shrunk_dict(entries: dict[str, Any], room: int) -> Any:
    room -= ENTRY_COST + len(CUT_KEY) + LONGEST_MARK
    if room < 0:
        return _DROPPED
    kept: dict[str, Any] = {}
    for name, value in entries.items():
        cost = _entry_cost(name, value)
        if cost > room:
            break
        kept[name] = value
        room -= cost
    return {**kept, CUT_KEY: f"…[truncated {len(entries) - len(kept)} items]"}


def _entry_cost(name: str, value: Any) -> int:
    return ENTRY_COST + len(name) + _cost(value)


def _cost(value: Any) -> int:
    """Return what the walk counts for a value: the length of its texts and a fixed sum for each member."""
    kind = type(value)
    if kind is str:
        return text_cost(value)
    if kind is list:
        return sum(ITEM_COST + _cost(item) for item in value)
    if kind is dict:
        return sum(_entry_cost(name, item) for name, item in value.items())
    return 0


def text_cost(text: str) -> int:
    """About the bytes of a text in JSON."""
    return len(text) if text.isascii() else len(text.encode())


def is_item_mark(value: object) -> bool:
    """Whether this is what an earlier cut left at the end of a list or mapping."""
    return type(value) is str and _ITEM_MARK.fullmatch(value) is not None
