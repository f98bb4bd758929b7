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
from logweir.delivery.spool.spool import Spool
from logweir.event import Event
from logweir.process import reentry
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
    init = reentry.Deferred.__init__

    def blind(self: Any, lock: Any, inside: Any = None) -> None:
        init(self, lock, lambda: False)

    with patch.object(reentry.Deferred, "__init__", blind):
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
        a_put_inside_a_put_takes_the_same_position,
        a_sink_that_cancels_itself_ends_its_worker,
        a_flush_that_times_out_stays_in_the_queue,
        what_the_disk_refuses_at_a_reload_is_forgotten,
        what_is_moved_is_counted_twice,
        the_old_data_directory_is_left_behind,
        callers_are_answered_before_the_commit,
    )
}
