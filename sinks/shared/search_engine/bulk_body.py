"""The bodies of bulk requests: events as the servers take many of them at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import msgspec

from logweir.event import Event
from logweir.process.pacing import in_slices
from logweir.sinks.shared.search_engine.encode import Encoder
from logweir.sinks.shared.search_engine.layout import Layout

__all__ = ["Body", "bodies"]

_encode_json = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Body:
    """One bulk request.

    Attributes:
        index: The index in the request's path; actions for another name it.
        data: Newline-delimited JSON.
        events: The event of each action, as an index of the batch.
    """

    index: str
    data: bytes
    events: Sequence[int]


async def bodies(
    batch: Sequence[Event],
    chosen: Sequence[int],
    layout: Layout,
    encoder: Encoder,
    max_bytes: int,
) -> AsyncIterator[Body]:
    """Yield bulk requests for the chosen events of a batch, none larger than ``max_bytes``.

    A single event that is larger goes alone: the server will say that it is.
    """
    parts: list[bytes] = []
    events: list[int] = []
    size, index = 0, ""
    async for part in in_slices(chosen):
        for number in part:
            event = batch[number]
            target = layout.index_of(event.time)
            document = _encode_json(encoder(event))
            # The request's path names the first event's index, so that most actions need not name theirs.
            action = _action(event.id, None if target == index else target)
            added = len(action) + len(document) + 2  # and two line feeds
            if parts and size + added > max_bytes:
                yield Body(index, b"\n".join((*parts, b"")), events)
                parts, events, size = [], [], 0
            if not parts:
                index, action = target, _action(event.id, None)
            parts += (action, document)
            events.append(number)
            size += added
    if parts:
        yield Body(index, b"\n".join((*parts, b"")), events)


def _action(event_id: str, index: str | None) -> bytes:
    if index is None:
        return b'{"create":{"_id":' + _encode_json(event_id) + b"}}"
    return _encode_json({"create": {"_index": index, "_id": event_id}})
