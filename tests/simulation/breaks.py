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

from greenlet import getcurrent

from logweir.delivery import channel, worker
from logweir.delivery.queue import FlushWaiter
from logweir.delivery.queues.bounded import BoundedQueue
from logweir.delivery.queues.disk import DiskQueue
from logweir.delivery.queues.memory import MemoryQueue
from logweir.delivery.receipts import Receipt
from logweir.delivery.spool.committer import Committer
from logweir.delivery.spool.housekeeping import Housekeeping
from logweir.delivery.spool.notifications import Answers
from logweir.delivery.spool.spool import Spool
from logweir.event import Event
from logweir.process import reentry
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


@contextmanager
def a_fan_out_that_goes_on_gives_again_what_was_given() -> Iterator[None]:
    """A log line whose sink is gone in the middle of its call goes to all sinks of its new routes."""

    def _dispatch_rest(self: Any, event: Event, given: Sequence[Any], left: Sequence[Any]) -> None:
        while left:
            answers = {each.name: self._put(each, event) for each in left}
            left = [] if None not in answers.values() else self.pipeline.router.route(event)

    with patch.object(FanOut, "_dispatch_rest", _dispatch_rest):
        yield


@contextmanager
def files_left_by_a_reload_are_looked_for_later() -> Iterator[None]:
    """At the next look from time to time, and not at once."""
    with patch.object(Housekeeping, "hurry", lambda self: None):
        yield


@contextmanager
def the_committer_clears_its_flag_after_it_has_looked_for_work() -> Iterator[None]:
    """What another thread stages in between wakes nobody."""
    attend = Committer._attend

    def late(self: Any, failures: int) -> Any:
        self._nudged = True
        try:
            return attend(self, failures)
        finally:
            self._nudged = False

    gather = Committer._gather

    def gather_late(self: Any) -> None:
        gather(self)
        self._nudged = True

    with patch.object(Committer, "_attend", late), patch.object(Committer, "_gather", gather_late):
        yield


@contextmanager
def a_commit_is_noted_when_another_may_have_come_in_between() -> Iterator[None]:
    """Two threads that commit, each after its own write, report it to the backlogs in any order."""
    finish = Spool._finish
    written: dict[object, Any] = {}

    def later(self: Any, batch: Any) -> Any:
        written[getcurrent()] = batch
        return Answers(batch, None, ())

    def and_then(commit: Callable[..., Any]) -> Callable[..., Any]:
        def commits(self: Any, *arguments: Any) -> Any:
            answer = commit(self, *arguments)
            batch = written.pop(getcurrent(), None)
            if batch is not None:
                self.listeners.notify(finish(self, batch).sinks)
            return answer

        return commits

    with (
        patch.object(Spool, "_finish", later),
        patch.object(Spool, "commit", and_then(Spool.commit)),
        patch.object(Spool, "commit_quickly", and_then(Spool.commit_quickly)),
    ):
        yield


@contextmanager
def a_leader_leaves_without_looking_again() -> Iterator[None]:
    """Who finds another one at it counts on that one, who counts on whoever comes."""

    def lead(self: Any, seconds: float) -> None:
        if self._spool.commit_quickly(seconds) is not None:
            self._failing = True
            self.nudge()

    with patch.object(Committer, "lead", lead):
        yield


@contextmanager
def an_audit_call_that_meets_only_closed_queues_is_not_routed_anew() -> Iterator[None]:
    """Its caller is refused because of a reload."""

    def audit(self: Any, event: Event, acknowledge: Any) -> Receipt:
        channels = self.pipeline.router.route(event)
        receipt = Receipt(event, tuple(each.name for each in channels))
        self.put_audit(receipt, channels, acknowledge)
        return receipt

    with patch.object(FanOut, "audit", audit):
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
        a_fan_out_that_goes_on_gives_again_what_was_given,
        files_left_by_a_reload_are_looked_for_later,
        an_audit_call_that_meets_only_closed_queues_is_not_routed_anew,
        the_committer_clears_its_flag_after_it_has_looked_for_work,
        a_commit_is_noted_when_another_may_have_come_in_between,
        a_leader_leaves_without_looking_again,
    )
}
