"""Storing a batch whatever the webhook refuses of it: as one request, or as a request for each event."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event
from logweir.sinks.http.config import HttpConfig
from logweir.sinks.http.encode import Request, request_of
from logweir.sinks.http.verdicts import Answer, result_of
from logweir.sinks.results import WriteResult
from logweir.sinks.shared.batch_verdicts import BatchVerdicts

__all__ = ["Send", "store"]

#: The share of ``retry.timeout`` after which no request for one more event begins.
_LAST_START = 0.5

#: Sends one request.
Send = Callable[[Request], Awaitable[Answer]]


async def store(batch: Sequence[Event], config: HttpConfig, send: Send) -> WriteResult:
    """Send a batch.

    Args:
        batch: The events.
        config: The sink's options.
        send: Sends one request.

    Raises:
        SinkUnavailable: Nothing was stored, and the same may be stored later.
        SinkRejected: The request will never be taken as it is.
    """
    fresh, repeated = _first_of_each_id(batch)
    if not fresh:
        return WriteResult.all_stored()
    send_events = _send_together if config.mode == "batch" else _send_one_by_one
    result = await send_events([batch[index] for index in fresh], config, send)
    verdicts = BatchVerdicts(retry_after=result.retry_after)
    verdicts.add(result, fresh)
    verdicts.follow(repeated)
    return verdicts.result()


async def _send_together(events: Sequence[Event], config: HttpConfig, send: Send) -> WriteResult:
    return result_of(await send(await _encoded(events, config)), events)


async def _send_one_by_one(events: Sequence[Event], config: HttpConfig, send: Send) -> WriteResult:
    """Send a request for each event; once the server fails, or time runs out, the rest is not tried.

    What was stored by then must be reported before the worker gives the whole batch up.
    """
    failure: SinkUnavailable | None = None
    latest = time.monotonic() + config.retry.timeout * _LAST_START
    verdicts = BatchVerdicts()
    turn = iter(range(len(events)))  # shared: whoever is free takes the next event

    async def send_in_turn() -> None:
        nonlocal failure
        for index in turn:
            if failure is not None or time.monotonic() > latest:
                verdicts.retry.add(index)
                continue
            try:
                result = await _send_together([events[index]], config, send)
            except SinkUnavailable as error:
                failure = error
                verdicts.retry.add(index)
            except SinkRejected as error:
                verdicts.rejected[index] = str(error)
            else:
                verdicts.add(result, [index])

    async with asyncio.TaskGroup() as senders:
        for _ in range(min(config.concurrency, len(events))):
            senders.create_task(send_in_turn())
    if failure is not None and len(verdicts.retry) == len(events):
        raise failure
    if failure is not None:
        verdicts.retry_after, verdicts.retry_reason = failure.retry_after, str(failure)
    else:
        verdicts.retry_reason = verdicts.retry_reason or "there was no time left for it"
    return verdicts.result()


async def _encoded(events: Sequence[Event], config: HttpConfig) -> Request:
    try:
        if config.gzip and config.mode == "batch":  # compressing a batch would hold up the loop
            return await asyncio.to_thread(request_of, events, config, time.time())
        return request_of(events, config, time.time())
    except (TypeError, ValueError) as error:
        reason = error.reason if isinstance(error, UnicodeEncodeError) else str(error)
        raise SinkRejected(f"a value cannot be written as JSON: {reason}") from None


def _first_of_each_id(batch: Sequence[Event]) -> tuple[list[int], dict[int, int]]:
    """The indexes of the events to send, and of those whose id comes earlier in the batch, with where."""
    first = dict[str, int]()
    repeated = dict[int, int]()
    for index, event in enumerate(batch):
        if first.setdefault(event.id, index) != index:
            repeated[index] = first[event.id]
    return list(first.values()), repeated
