"""Explicit writes: one row, at once, into one relational sink, past the queues.

The caller waits for the answer, so a passing fault is tried again until the caller's time is up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import cast

from logweir.delivery.call_sink import call_sink
from logweir.delivery.channel import Channel
from logweir.delivery.retry import pause_before_retry
from logweir.delivery.worker import Clock
from logweir.errors import AuditError, LogweirError, SinkRejected
from logweir.event import Event
from logweir.redaction.reasons import masked
from logweir.settings.suggestions import no_such
from logweir.sinks.contract import Transactional
from logweir.sinks.templated import TemplatedSink

__all__ = ["find_transactional", "has_outbox", "record", "transactional"]


def transactional(channel: Channel) -> Transactional:
    """The sink of a channel that :func:`find_transactional` has found."""
    return cast("Transactional", channel.sink)


def has_outbox(channel: Channel) -> bool:
    """Whether explicit rows of this sink are relayed to the other sinks of their route."""
    return isinstance(channel.sink, Transactional) and channel.sink.keeps_outbox


def find_transactional(
    channels: Mapping[str, Channel], routed: Iterable[Channel], name: str | None
) -> Channel:
    """Choose the sink whose table an explicit row goes into.

    Args:
        channels: All of them, in the order of routing.yaml.
        routed: Those to which the event's route leads.
        name: The sink that the caller wants, if it does.

    Raises:
        LogweirError: There is none, or the one wanted cannot take it.
    """
    if name is not None:
        if name not in channels:
            raise LogweirError(no_such("sink", name, channels))
        if not channels[name].reports_stored:
            raise LogweirError(
                f"sink {name!r} is not opened here (deliver: elsewhere); LogService needs one that is"
            )
        if isinstance(channels[name].sink, TemplatedSink):
            raise LogweirError(
                f"sink {name!r} has a table for each event, by the values that name it; LogService needs a "
                "relational sink whose table has a fixed name"
            )
        if not isinstance(channels[name].sink, Transactional):
            raise LogweirError(f"sink {name!r} has no table; LogService needs a relational sink")
        return channels[name]
    for channel in (*routed, *channels.values()):
        if isinstance(channel.sink, Transactional):
            return channel
    raise LogweirError(
        "LogService needs a relational sink that this process delivers to itself and routing.yaml has none; "
        "add one of type sqlite, mysql or postgresql, whose table has a fixed name"
    )


async def record(channel: Channel, event: Event, timeout: float, clock: Clock) -> None:
    """Write one row through a channel's sink; on the loop thread.

    Raises:
        AuditError: It was not written within ``timeout`` seconds, or never will be.
    """
    retry = channel.config.retry
    attempts = 0
    last = "the sink did not answer"
    try:
        async with asyncio.timeout(timeout):
            while True:
                try:
                    await call_sink(
                        lambda: transactional(channel).record(event), retry.timeout, channel.call("record")
                    )
                except SinkRejected as error:
                    raise AuditError(
                        f"sink {channel.name!r} refuses event {event.id} ({event.name}): {masked(str(error))}"
                    ) from None
                except Exception as error:  # noqa: BLE001 - as in a worker: it may pass
                    attempts += 1
                    last = masked(str(error)) or type(error).__name__
                    await clock.sleep(pause_before_retry(attempts, retry))
                else:
                    return
    except TimeoutError:
        what = f"event {event.id} ({event.name})"
        raise AuditError(
            f"{what} was not written to sink {channel.name!r} within {timeout:g} s: {last}"
        ) from None
