"""The outbox: what the explicit service committed goes on to the other sinks of its route.

A transaction of the application's commits a row and, with it, a note in the outbox beside the table (the
"transactional outbox" pattern). The outbox relay, on the loop thread, finds notes (those of rolled
back transactions never come into being), hands each event to the queues of the other sinks, and deletes the
note when every one of them has it for good, be it as a dead letter. A crash in between repeats it, which
sinks absorb by id: at least once, and only if the transaction committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from logweir.delivery.call_sink import call_sink
from logweir.delivery.channel import Channel
from logweir.delivery.direct_write import transactional
from logweir.diagnostics import report
from logweir.errors import AuditError
from logweir.event import Event

__all__ = ["OutboxRelay"]

_BATCH = 500
#: Seconds between two looks at an outbox that was empty or could not be relayed.
_PAUSE = 0.5
_STOP_SECONDS = 1.0

#: Hands an event to the sinks of its route other than the one named; raises AuditError unless all have it.
Forward = Callable[[Event, str], Awaitable[None]]


class OutboxRelay:
    """Empties the outboxes of a runtime.

    Args:
        channels: Those whose sinks keep an outbox, as they are at present.
        forward: Hands an event on.
    """

    def __init__(self, channels: Callable[[], Iterable[Channel]], forward: Forward) -> None:
        self._channels = channels
        self._forward = forward

        self._busy: dict[str, asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Relay until :meth:`stop`; a sink that cannot be read delays no other."""
        while not self._stopping.is_set():
            for channel in self._channels():
                task = self._busy.get(channel.name)
                if task is None or task.done():
                    self._busy[channel.name] = asyncio.ensure_future(self._empty(channel))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _PAUSE)

    async def stop(self) -> None:
        """End: what is half relayed may finish, for a moment; the rest stays in its outbox."""
        self._stopping.set()
        if self._busy:
            _, late = await asyncio.wait(self._busy.values(), timeout=_STOP_SECONDS)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=_STOP_SECONDS)

    async def _empty(self, channel: Channel) -> None:
        """Relay until the outbox is empty, or does not get emptier."""
        try:
            await channel.opened_or_not()  # until then nothing can be said of its outbox
            while await self.once(channel) == _BATCH and not self._stopping.is_set():
                pass
        except Exception as error:  # noqa: BLE001 - the sink is down, or whatever it raises: tried again
            report(f"{channel.name}.outbox", "the outbox of sink %r waits: %s", channel.name, error)

    async def once(self, channel: Channel) -> int:
        """Relay one batch; return how many events every other sink has now.

        Raises:
            Exception: Whatever the sink raises.
        """
        sink, timeout = transactional(channel), channel.config.retry.timeout
        events = await call_sink(lambda: sink.outbox_waiting(_BATCH), timeout, channel.call("outbox_waiting"))
        answers = await asyncio.gather(*(self._relayed(event, channel.name) for event in events))
        done = [event.id for event, relayed in zip(events, answers, strict=True) if relayed]
        # Deleted only when every sink has them for good: a crash before this repeats them, and loses none.
        if done:
            await call_sink(lambda: sink.outbox_done(done), timeout, channel.call("outbox_done"))
        return len(done)

    async def _relayed(self, event: Event, source: str) -> bool:
        try:
            await self._forward(event, source)
        except AuditError as error:
            report(f"{source}.outbox", "an event of the outbox of sink %r waits: %s", source, error)
            return False
        return True
