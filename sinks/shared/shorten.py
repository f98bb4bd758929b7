"""Cutting an event until it fits into a line. Pure, and the same each time."""

from __future__ import annotations

from typing import Any

import msgspec

from logweir.encoding.cuts import cut_text
from logweir.event import Event

__all__ = ["shorten"]

_MARK = "logweir_truncated"
_SMALLEST_CAP = 32

_encode = msgspec.json.Encoder().encode


def shorten(event: Event, longest: int) -> Event:
    """The event with its long texts, lists and objects cut until name and fields fit in ``longest`` bytes.

    The field ``logweir_truncated`` says so. If even short values are too many, no field is kept.
    """
    cap = max(longest, _SMALLEST_CAP)
    while cap >= _SMALLEST_CAP:
        fields = {**_cut(event.fields, cap), _MARK: True}
        if len(_encode(fields)) + len(_encode(event.name)) <= longest:
            return msgspec.structs.replace(event, fields=fields)
        cap //= 2
    room = max(longest - len(_encode({_MARK: True})) - 2, 0)
    name = event.name
    while len(_encode(name)) > room and name:
        name = name[: len(name) // 2]
    return msgspec.structs.replace(event, name=name, fields={_MARK: True})


def _cut(value: Any, cap: int) -> Any:
    if isinstance(value, str):
        return cut_text(value, cap)
    if isinstance(value, list):
        kept = [_cut(item, cap) for item in value[:cap]]
        return kept if len(value) <= cap else [*kept, f"…[truncated {len(value) - cap} items]"]
    if isinstance(value, dict):
        return {name: _cut(value[name], cap) for name in list(value)[:cap]}
    return value
