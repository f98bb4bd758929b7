"""The power of the simulation: faults that delivery once had, or could have, put back one at a time.

Each is a function that breaks the code for the length of a block. A simulation that finds no law broken then
would not have found the fault either.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from logweir.delivery import channel, worker
from logweir.delivery.queue import FlushWaiter
from logweir.delivery.queues.bounded import BoundedQueue
from logweir.delivery.queues.disk import DiskQueue
from logweir.delivery.queues.memory import MemoryQueue
from logweir.delivery.receipts import Receipt
from logweir.delivery.spool import orphans
from logweir.delivery.spool.spool import Spool
from logweir.event import Event
from logweir.runtime.fan_out import FanOut
from logweir.runtime.reload import Reload

__all__ = ["BREAKS"]


@contextmanager
def an_event_that_waits_blocks_those_behind_it() -> Iterator[None]:
    """What a sink puts off goes back to its place in the queue."""
    with _settling_in_place(MemoryQueue), _settling_in_place(DiskQueue):
        yield


@contextmanager
def _settling_in_place(queue: type[BoundedQueue]) -> Iterator[None]:
    settle = queue.settle

    def in_place(self: Any, lease: Any, unsettled: Sequence[Event] = (), put_off: Sequence[Any] = ()) -> None:
        waiting = [event for item in put_off for event, _ in item.attempts]
        settle(self, lease, [*waiting, *unsettled])

    with patch.object(queue, "settle", in_place):
        yield


@contextmanager
def a_put_inside_a_put_takes_the_same_position() -> Iterator[None]:
    """A call that interrupts another one of its thread goes on as if it did not."""
    with patch.object(BoundedQueue, "_is_inside", lambda self: False, create=True):
        yield


@contextmanager
def a_sink_that_cancels_itself_ends_its_worker() -> Iterator[None]:
    """What a sink raises reaches the loop."""

    async def unguarded(work: Callable[[], Any], timeout: float) -> Any:
        async with asyncio.timeout(timeout):
            return await work()

    with patch.object(worker, "call_sink", unguarded), patch.object(channel, "call_sink", unguarded):
        yield


@contextmanager
def a_flush_that_times_out_stays_in_the_queue() -> Iterator[None]:
    """Nobody takes a cancelled waiter back."""

    async def settled_up_to(self: BoundedQueue, mark: int) -> None:
        if not self._reached(mark):
            waiter = FlushWaiter(mark, asyncio.get_running_loop().create_future())
            self._flushes.append(waiter)
            await waiter.done

    with patch.object(BoundedQueue, "settled_up_to", settled_up_to):
        yield


@contextmanager
def an_event_is_given_twice_in_the_fan_out() -> Iterator[None]:
    """Sinks that had it are forgotten when a reload has changed the routes."""
    rest = FanOut._dispatch_rest

    def forgetting(self: FanOut, event: Event, given: Sequence[Any], left: Sequence[Any]) -> None:
        rest(self, event, (), [*given, *left])

    with patch.object(FanOut, "_dispatch_rest", forgetting):
        yield


@contextmanager
def what_the_disk_refuses_at_a_reload_is_forgotten() -> Iterator[None]:
    """Instead of being handed over, or counted as lost."""
    with patch.object(Reload, "_hand_over", lambda self, channel, events: self.save(channel, events)):
        yield


@contextmanager
def what_is_moved_is_counted_twice() -> Iterator[None]:
    """What a channel hands on stays among what it accepted."""

    def without(self: Any, events: Sequence[Event]) -> None:
        for event in events:
            self._receipts.durable(self.name, event)

    with patch.object(channel.Channel, "count_saved", without):
        yield


@contextmanager
def the_old_data_directory_is_left_behind() -> Iterator[None]:
    """And nobody looks there later."""
    adopt = Spool.adopt

    def own_only(self: Spool, directory: Any = None) -> int:
        return adopt(self) if directory in {None, self.directory} else 0

    with patch.object(Spool, "adopt", own_only):
        yield


@contextmanager
def an_audit_is_refused_when_every_queue_has_closed() -> Iterator[None]:
    """Instead of being routed anew."""

    def once(self: FanOut, event: Event, acknowledge: Any) -> Receipt:
        channels = self.pipeline.router.route(event)
        receipt = Receipt(event, tuple(channel.name for channel in channels))
        for each in channels:
            each.put(event, receipt.on_durable(each.name))
        return receipt

    with patch.object(FanOut, "audit", once):
        yield


@contextmanager
def what_was_adopted_is_dropped_before_it_is_committed() -> Iterator[None]:
    """The wrong order of two steps: a crash in between loses a piece."""
    move = orphans._move

    def dropping_first(path: Any, take: Any, moved: list[int]) -> None:
        def late(records: Sequence[Any]) -> None:
            held.extend(records)

        held: list[Any] = []
        move(path, late, moved)
        take(held)

    with patch.object(orphans, "_move", dropping_first):
        yield


@contextmanager
def callers_are_answered_before_the_commit() -> Iterator[None]:
    """Durable is said of what is only staged."""
    stage = Spool.stage

    def at_once(self: Spool, backlog: Any, event: Event, on_commit: Any = None) -> None:
        stage(self, backlog, event, None)
        if on_commit is not None:
            on_commit(None)

    with patch.object(Spool, "stage", at_once):
        yield


BREAKS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    each.__name__: each
    for each in (
        an_event_that_waits_blocks_those_behind_it,
        a_sink_that_cancels_itself_ends_its_worker,
        a_flush_that_times_out_stays_in_the_queue,
        an_event_is_given_twice_in_the_fan_out,
        what_the_disk_refuses_at_a_reload_is_forgotten,
        what_is_moved_is_counted_twice,
        the_old_data_directory_is_left_behind,
        an_audit_is_refused_when_every_queue_has_closed,
        what_was_adopted_is_dropped_before_it_is_committed,
        callers_are_answered_before_the_commit,
    )
}
