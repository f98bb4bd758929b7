"""Storing a batch, whatever the receiver refuses of it.

A receiver does not say which records it refused. So that those are dead letters with a reason, and no others,
what was refused in part is sent again in halves until a half was taken or refused whole. Those beside a
refused one are therefore sent more than once; ``logweir.id`` says which are the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event
from logweir.process.pacing import in_slices_of_thread
from logweir.sinks.otlp.config import OtlpConfig
from logweir.sinks.otlp.encode import log_record, request_of
from logweir.sinks.otlp.verdicts import Answer, refused_of
from logweir.sinks.results import WriteResult
from logweir.sinks.shared.batch_verdicts import BatchVerdicts
from logweir.sinks.shared.wording import encoding_fault

__all__ = ["Send", "store"]

#: Sends the body of one request.
Send = Callable[[bytes], Awaitable[Answer]]
_Records = dict[int, tuple[Event, LogRecord]]


async def store(batch: Sequence[Event], config: OtlpConfig, send: Send) -> WriteResult:
    """Send a batch.

    Raises:
        SinkUnavailable: Nothing was stored, and the same may be stored later.
        SinkRejected: The request will never be taken as it is.
    """
    verdicts = BatchVerdicts()
    # In threads: it would hold up the loop.
    records = await asyncio.to_thread(_encoded, batch, verdicts)
    parts = [list(records)] if records else []
    while parts:
        part = parts.pop()
        body = await asyncio.to_thread(
            request_of, [records[index] for index in part], config.resource, compressed=config.gzip
        )
        try:
            refused, reason = refused_of(await send(body))
            if refused >= len(part):
                raise SinkRejected(f"the receiver refused it: {reason or 'without a reason'}")  # noqa: TRY301
        except SinkRejected as error:
            # The worker halves what is refused whole, as long as nothing of it is stored.
            if not verdicts.answered and len(part) == len(batch):
                raise
            if len(part) == 1:
                verdicts.rejected[part[0]] = str(error)
            else:
                parts += _halves(part)
        except SinkUnavailable as error:
            if not verdicts.answered and not verdicts.rejected:
                raise
            verdicts.retry.update(part, *parts)
            verdicts.retry_reason, verdicts.retry_after = str(error), error.retry_after
            break
        else:
            verdicts.answered = True
            if refused:
                parts += _halves(part)
    return verdicts.result()


def _encoded(batch: Sequence[Event], verdicts: BatchVerdicts) -> _Records:
    records: _Records = {}
    for index, event in enumerate(event for part in in_slices_of_thread(batch) for event in part):
        try:
            records[index] = event, log_record(event)
        except (TypeError, ValueError) as error:
            verdicts.rejected[index] = f"a value cannot be written as OTLP: {encoding_fault(error)}"
    return records


def _halves(part: list[int]) -> list[list[int]]:
    middle = len(part) // 2
    return [part[middle:], part[:middle]]
