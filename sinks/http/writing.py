"""Storing a batch whatever the webhook refuses of it: as one request, or as a request for each event."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from logweir.errors import SinkError, SinkRejected, SinkUnavailable
from logweir.event import Event
from logweir.process.pacing import in_slices
from logweir.sinks.http.config import HttpConfig
from logweir.sinks.http.encode import Request, encoder_of, request_of
from logweir.sinks.http.verdicts import Answer, FailedOnIt, result_of
from logweir.sinks.results import WriteResult
from logweir.sinks.shared.batch_verdicts import BatchVerdicts
from logweir.sinks.shared.wording import encoding_fault

__all__ = ["Send", "store"]

#: The share of ``retry.timeout`` after which no request for one more event begins.
_LAST_START = 0.5

#: Failures in a row after which it is the server that fails, and not an event that it fails on.
_FAILURES = 5

#: Sends one request.
Send = Callable[[Request], Awaitable[Answer]]


@dataclass(slots=True)
class _Verdicts(BatchVerdicts):
    """Verdicts so far, and whether the server fails, and not on some events alone."""

    failures: int = 0
    failure: SinkUnavailable | None = None

    def put_off(self, index: int, error: SinkUnavailable) -> None:
        """Note that an event is to be sent again."""
        self.failures += 1
        self.retry.add(index)
        self.retry_reason = str(error)
        if not isinstance(error, FailedOnIt) or self.failures >= _FAILURES:
            self.failure = error


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
    send_events = _send_together if config.format != "single" else _send_one_by_one
    result = await send_events([batch[index] for index in fresh], config, send)
    verdicts = BatchVerdicts(retry_after=result.retry_after)
    verdicts.add(result, fresh)
    verdicts.follow(repeated)
    return verdicts.result()


async def _send_together(events: Sequence[Event], config: HttpConfig, send: Send) -> WriteResult:
    """Send one request; if the server fails on it, its halves, and so on until it fails on single events.

    Those are to be sent again, and the others are stored. If it fails again and again it is the server that
    fails, and not some events that it fails on.
    """
    verdicts = BatchVerdicts()
    parts = [range(len(events))]
    # Halves of halves down to a single event, where the first success may be, and some more.
    patience = len(events).bit_length() + _FAILURES
    failures = 0
    latest = time.monotonic() + config.retry.timeout * _LAST_START
    while parts:
        part = parts.pop()
        try:
            result = await _send(events[part.start : part.stop], config, send)
        except FailedOnIt as error:
            failures += 1
            verdicts.retry_reason = str(error)
            if len(part) == 1:
                verdicts.retry.update(part)
            else:
                middle = part.start + len(part) // 2
                parts += [range(middle, part.stop), range(part.start, middle)]
            if failures < patience and time.monotonic() < latest:
                continue
            if not verdicts.answered:
                raise
            break
        except SinkError as error:
            if not verdicts.answered and not verdicts.retry:
                raise
            verdicts.retry.update(part)
            verdicts.retry_reason = str(error)
            verdicts.retry_after = error.retry_after if isinstance(error, SinkUnavailable) else None
            break
        failures, verdicts.answered = 0, True
        verdicts.add(result, part)
        verdicts.retry_after = result.retry_after or verdicts.retry_after
    verdicts.retry.update(index for part in parts for index in part)
    return verdicts.result()


async def _send(events: Sequence[Event], config: HttpConfig, send: Send) -> WriteResult:
    return result_of(await send(await _encoded(events, config)), events)


async def _send_one_by_one(events: Sequence[Event], config: HttpConfig, send: Send) -> WriteResult:
    """Send a request for each event; once the server fails, or time runs out, the rest is not tried.

    What was stored by then must be reported before the worker gives the whole batch up.
    """
    latest = time.monotonic() + config.retry.timeout * _LAST_START
    verdicts = _Verdicts()
    turn = iter(range(len(events)))  # shared: whoever is free takes the next event

    async def send_in_turn() -> None:
        for index in turn:
            if verdicts.failure is not None or time.monotonic() > latest:
                verdicts.retry.add(index)
                verdicts.retry_reason = verdicts.retry_reason or "there was no time left for it"
                continue
            try:
                result = await _send([events[index]], config, send)
            except SinkUnavailable as error:
                verdicts.put_off(index, error)
                continue
            except SinkRejected as error:
                verdicts.rejected[index] = str(error)
            else:
                verdicts.add(result, [index])
            verdicts.failures = 0

    async with asyncio.TaskGroup() as senders:
        for _ in range(min(config.concurrency, len(events))):
            senders.create_task(send_in_turn())
    if verdicts.failure is not None:
        if len(verdicts.retry) == len(events):
            raise verdicts.failure
        verdicts.retry_after = verdicts.failure.retry_after
    return verdicts.result()


async def _encoded(events: Sequence[Event], config: HttpConfig) -> Request:
    try:
        encode = encoder_of(config)
        encoded = [encode(event) async for part in in_slices(events) for event in part]
        if config.gzip and config.format != "single":  # compressing a batch would hold up the loop
            return await asyncio.to_thread(request_of, events, encoded, config, time.time())
        return request_of(events, encoded, config, time.time())
    except (TypeError, ValueError) as error:
        raise SinkRejected(f"a value cannot be written as JSON: {encoding_fault(error)}") from None


def _first_of_each_id(batch: Sequence[Event]) -> tuple[list[int], dict[int, int]]:
    """The indexes of the events to send, and of those whose id comes earlier in the batch, with where."""
    first = dict[str, int]()
    repeated = dict[int, int]()
    for index, event in enumerate(batch):
        if first.setdefault(event.id, index) != index:
            repeated[index] = first[event.id]
    return list(first.values()), repeated
