"""The part of the contract that concerns the process: a sink's events, the loop, cancellation, order.

A mixin of :class:`logweir.testing.SinkContract`, from which a sink's author inherits.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from logweir.delivery.answer_check import sound
from logweir.event import Event
from logweir.sinks.contract import Sink
from logweir.sinks.threaded import as_async
from logweir.testing.events import assert_law, make_event

__all__ = ["Conduct", "cancelled_at"]

#: The longest that a call may keep the loop from going on, in seconds: what the watchdog reports.
_BLOCKED_AFTER = 1.0
#: At most so many awaits of one call are cancelled, each in a call of its own.
_MOST_AWAITS = 60
#: The longest that a cancelled call may take to end.
_PATIENCE = 30.0


class Conduct:
    """How a sink behaves towards those beside it."""

    idempotent: ClassVar[bool] = True

    def make_sink(self, tmp_path: Path) -> Any:
        """See :class:`logweir.testing.SinkContract`, as for those below."""
        raise NotImplementedError

    def opened(self, tmp_path: Path) -> AbstractAsyncContextManager[tuple[Sink[Any], Any]]:
        """An open sink and the sink itself."""
        raise NotImplementedError

    async def stored(self, sink: Any, ids: Sequence[str] | None = None) -> list[Event]:
        """What the sink has."""
        raise NotImplementedError

    async def test_a_write_leaves_its_events_as_they_were(self, tmp_path: Path) -> None:
        batch = [
            make_event("event", nested={"list": [1, {"a": [None]}], "b": {}}, x=number) for number in range(5)
        ]
        given, before = list(batch), copy.deepcopy(batch)
        async with self.opened(tmp_path) as (sink, _):
            await sink.write(given)
            await sink.write(given)  # and those that it has already
        assert [id(event) for event in given] == [id(event) for event in batch], (
            "the batch itself was changed"
        )
        assert batch == before, "an event's fields were changed"

    async def test_verdicts_have_their_declared_types(self, tmp_path: Path) -> None:
        batch = [make_event(number=number) for number in range(4)]
        async with self.opened(tmp_path) as (sink, _):
            for again in (batch[:2], batch, [batch[0], batch[0]]):
                result = await sink.write(again)
                assert sound(result, len(again)) == result
                assert isinstance(result.duplicate, frozenset)
                assert isinstance(result.retry, frozenset)

    async def test_no_call_blocks_the_event_loop(self, tmp_path: Path) -> None:
        batches = [[make_event(text="x" * 200, number=number) for number in range(500)] for _ in range(3)]
        sink = as_async(self.make_sink(tmp_path))
        async with _longest_pause() as opening:
            await sink.open()
        longest = []
        for batch in batches:
            async with _longest_pause() as pause:
                assert_law(await sink.write(batch), len(batch))
            longest.append(pause)
        async with _longest_pause() as closing:
            await sink.close()
        # The best of three, for it may be the machine that stood still.
        assert min(pause.seconds for pause in longest) < _BLOCKED_AFTER, "write blocks the event loop"
        assert opening.seconds < 3 * _BLOCKED_AFTER, "open blocks the event loop"
        assert closing.seconds < 3 * _BLOCKED_AFTER, "close blocks the event loop"

    async def test_a_write_may_be_cancelled_at_every_await(self, tmp_path: Path) -> None:
        acknowledged: list[Event] = []
        async with self.opened(tmp_path) as (sink, itself):
            for number in range(1, _MOST_AWAITS + 1):
                batch = [make_event("cancelled", number=number, item=item) for item in range(3)]
                whole, answer = await cancelled_at(number, partial(sink.write, batch))
                if answer is not None:
                    assert_law(answer, len(batch))
                else:
                    # It was cut off, so the worker sends it again; the sink may have it already.
                    assert_law(await sink.write(batch), len(batch))
                acknowledged += batch
                if whole:
                    break
            await self._expect(itself, acknowledged)

    async def test_an_open_may_be_cancelled_at_every_await(self, tmp_path: Path) -> None:
        for number in range(1, _MOST_AWAITS + 1):
            sink = as_async(self.make_sink(tmp_path))
            whole, _ = await cancelled_at(number, sink.open)
            await sink.open()
            try:
                assert_law(await sink.write([make_event("opened", number=number)]), 1)
            finally:
                await sink.close()
            if whole:
                break

    async def test_a_close_may_be_cancelled_at_every_await(self, tmp_path: Path) -> None:
        for number in range(1, _MOST_AWAITS + 1):
            sink = as_async(self.make_sink(tmp_path))
            await sink.open()
            assert_law(await sink.write([make_event("closing", number=number)]), 1)
            whole, _ = await cancelled_at(number, sink.close)
            await sink.open()
            try:
                assert_law(await sink.write([make_event("again", number=number)]), 1)
            finally:
                await sink.close()
            if whole:
                break

    async def test_events_may_come_in_any_order_of_their_times(self, tmp_path: Path) -> None:
        # What was set aside, or comes from another worker, is older than what was written before it.
        now = time.time_ns()
        batch = [make_event("event", time_ns=now + number * 10**6, number=number) for number in range(20)]
        async with self.opened(tmp_path) as (sink, itself):
            for part in (batch[10:], batch[9:4:-1], batch[:5]):
                assert_law(await sink.write(part), len(part))
            await self._expect(itself, batch)

    async def _expect(self, itself: Any, events: Sequence[Event]) -> None:
        """Expect that each of them is stored, once if the sink is idempotent."""
        found = [event.id for event in await self.stored(itself)]
        assert set(found) == {event.id for event in events}, "an event was acknowledged and is not there"
        if self.idempotent:
            assert len(found) == len(events), "an event is there twice"


class _Pause:
    """The longest time between two turns of the loop, in seconds."""

    seconds = 0.0


@asynccontextmanager
async def _longest_pause() -> AsyncIterator[_Pause]:
    pause = _Pause()
    last = time.monotonic()

    def note() -> None:
        nonlocal last
        now = time.monotonic()
        pause.seconds, last = max(pause.seconds, now - last), now

    async def tick() -> None:
        while True:
            await asyncio.sleep(0.01)
            note()

    ticking = asyncio.ensure_future(tick())
    await asyncio.sleep(0)
    try:
        yield pause
    finally:
        note()
        ticking.cancel()


class _CancelAtAwait:
    """Awaits work, and cancels the task at its n-th await."""

    def __init__(self, work: Awaitable[Any], number: int) -> None:
        self._work = work
        self._number = number
        #: Whether the work ended before it.
        self.whole = True

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._work.__await__()
        number = 0
        error: BaseException | None = None
        while True:
            try:
                waits_for = next(steps) if error is None else steps.throw(error)
            except StopIteration as end:
                return end.value
            error = None
            number += 1
            if number == self._number:
                self.whole = False
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                yield waits_for
            except BaseException as thrown:  # noqa: BLE001 - it is the work's, as in `yield from`
                error = thrown


async def cancelled_at(number: int, work: Callable[[], Awaitable[Any]]) -> tuple[bool, Any]:
    """Cancel a call at its n-th await; whether it ended before that, and its answer if it gave one."""
    waiting = _CancelAtAwait(work(), number)

    async def call() -> Any:
        return await waiting

    task = asyncio.ensure_future(call())
    await asyncio.wait((task,), timeout=_PATIENCE)
    assert task.done(), "a cancelled call did not end"
    if task.cancelled():
        return waiting.whole, None
    if waiting.whole:
        return True, task.result()
    # It may raise what it likes instead of the cancellation, or have been as good as done.
    return False, None if task.exception() else task.result()
