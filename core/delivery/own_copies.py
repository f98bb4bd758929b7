"""What a sink gets of an event that others share: the event itself, or a copy of its own.

One event serves all its sinks, its receipts and the dead letters, so nobody may change it, and its fields are
plain dictionaries that anybody could. logweir's own sinks do not; for them nothing is copied. A sink that
logweir does not know gets copies, made anew for each write, and may do with them what it likes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from logweir.event import Event

__all__ = ["for_sink"]


def for_sink(sink: object) -> Callable[[Sequence[Event]], Sequence[Event]]:
    """Return what makes, of a batch, the batch for this sink."""
    itself = getattr(sink, "itself", sink)
    ours = type(itself).__module__.startswith(("logweir.sinks.", "logweir.delivery."))
    return _as_it_is if ours else _copied


def _as_it_is(batch: Sequence[Event]) -> Sequence[Event]:
    return batch


def _copied(batch: Sequence[Event]) -> Sequence[Event]:
    return [msgspec.structs.replace(event, fields=_copy(event.fields)) for event in batch]


def _copy(value: Any) -> Any:
    # JSON's own types and no others, see the snapshot: no copy.deepcopy, which costs ten times as much.
    kind = type(value)
    if kind is dict:
        return {name: _copy(item) for name, item in value.items()}
    if kind is list:
        return [_copy(item) for item in value]
    return value
