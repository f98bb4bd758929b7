"""Two threads, each interrupted in the work of one queue by what logs to the queue of the other one."""

import faulthandler
import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from logweir.delivery.queue import EventQueue, PutResult
from logweir.delivery.queues.disk import DiskQueue
from logweir.delivery.queues.memory import MemoryQueue
from logweir.delivery.queues.spill import SpillQueue
from logweir.delivery.spool.spool import Spool
from logweir.process.reentry import Deferred
from logweir.settings.delivery import QueueConfig
from logweir.testing.contract import make_event
from support.disk import make_spool
from support.interrupting import interrupt_inside

#: Seconds after which two threads that do next to nothing wait for each other for ever.
_LONG = 20.0
_PAIRS = list(itertools.combinations_with_replacement(["memory", "disk", "spill"], 2))
#: At so many places in the work of a queue a put is interrupted.
_PLACES = 4

MakeQueue = Callable[..., EventQueue]


@pytest.fixture
def make_queue(tmp_path: Path) -> Iterator[MakeQueue]:
    """Makes queues; those on disk have a spool each, as in a reload to another data directory."""
    spools: list[Spool] = []

    def make(kind: str, when_full: Any = "block", **settings: Any) -> EventQueue:
        def wake(_callback: object) -> None:
            return None

        if kind == "memory":
            return MemoryQueue(QueueConfig(**settings), when_full, wake)
        spools.append(make_spool(tmp_path / str(len(spools)), threaded=True))
        if kind == "disk":
            return DiskQueue(spools[-1], "sink", QueueConfig(**settings), when_full, wake)
        return SpillQueue(spools[-1], "sink", QueueConfig(when_full="spill", **settings), "block", wake)

    yield make
    for spool in spools:
        # In a thread, for those that a failed test leaves behind may hold its lock for ever.
        closing = threading.Thread(target=spool.close, daemon=True)
        closing.start()
        closing.join(_LONG)


def put(queue: EventQueue) -> PutResult:
    return queue.put(make_event())


def places(queue: EventQueue) -> list[int]:
    """Some of the instructions of a put at which its thread is inside the queue's lock, by their numbers."""
    inside = 0

    def count() -> bool:
        nonlocal inside
        inside += queue.is_interrupted()
        return False

    for _ in range(2):  # the first put starts what later ones find
        inside = 0
        interrupt_inside(count, 1, lambda: put(queue), lambda: None)
    return [1 + place * (inside - 1) // (_PLACES - 1) for place in range(_PLACES)]


def put_into_each_others(one: EventQueue, other: EventQueue, here: int, there: int) -> list[PutResult]:
    """Put into both, each interrupted inside its lock by a put into the other one; returns all answers.

    What the committer does at the same time may make a put shorter than the one of :func:`places`: what would have
    interrupted it comes behind it.
    """
    meeting = threading.Barrier(2)
    answers: list[PutResult] = []

    def work(mine: EventQueue, place: int, its: EventQueue) -> None:
        def interrupt() -> None:
            meeting.wait(_LONG)
            answers.append(put(its))

        if not interrupt_inside(mine.is_interrupted, place, lambda: answers.append(put(mine)), interrupt):
            assert place > 1
            interrupt()

    threads = [
        threading.Thread(target=work, args=arguments, daemon=True)
        for arguments in [(one, here, other), (other, there, one)]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_LONG)
    if any(thread.is_alive() for thread in threads):
        faulthandler.dump_traceback(all_threads=True)
        pytest.fail("two threads wait for each other; their stacks are above")
    return answers


@pytest.mark.parametrize("pair", _PAIRS, ids="-".join)
def test_two_threads_interrupted_in_two_queues_put_into_each_others(
    make_queue: MakeQueue, pair: tuple[str, str]
) -> None:
    one, other = (make_queue(kind) for kind in pair)
    puts = 2  # of each queue, by `places`
    for here, there in itertools.product(places(one), places(other)):
        assert put_into_each_others(one, other, here, there) == [PutResult.ACCEPTED] * 4
        puts += 2
        assert [queue.statistics().accepted for queue in (one, other)] == [puts, puts]


@pytest.mark.parametrize("when_full", ["drop_newest", "drop_oldest", "block"])
@pytest.mark.parametrize("pair", [pair for pair in _PAIRS if "spill" not in pair], ids="-".join)
def test_two_threads_interrupted_in_two_full_queues_keep_their_bounds_and_counts(
    make_queue: MakeQueue, pair: tuple[str, str], when_full: str
) -> None:
    one, other = (make_queue(kind, when_full, max_events=2, block_timeout=0.001) for kind in pair)
    for queue in (one, other, one, other):
        put(queue)
    puts = 4  # of each queue, with those of `places`
    # How many instructions a put that waits for room has depends on the time that it takes.
    some = slice(2) if when_full == "block" else slice(None)
    for here, there in itertools.product(places(one)[some], places(other)[some]):
        put_into_each_others(one, other, here, there)
        puts += 2
        for queue in (one, other):
            now = queue.statistics()
            assert now.depth + sum(now.dropped.values()) == puts
            # Where callers wait, an event that cannot is taken beyond the bound.
            assert now.depth <= 2 or when_full == "block"


def test_what_a_thread_left_comes_before_what_it_puts_next(make_queue: MakeQueue) -> None:
    """Of three threads: one is inside a queue, one inside another puts into it twice, then without any lock."""
    queue, other = make_queue("memory"), make_queue("memory")
    inside, left = threading.Event(), threading.Event()
    names = iter("abc")

    def hold() -> None:
        inside.set()
        assert left.wait(_LONG)

    def interrupt() -> None:
        inside.wait(_LONG)
        for _ in range(2):
            assert queue.put(make_event(next(names))) is PutResult.ACCEPTED
        left.set()

    holder = threading.Thread(
        target=interrupt_inside, args=(queue.is_interrupted, 1, lambda: put(queue), hold), daemon=True
    )
    holder.start()
    assert interrupt_inside(other.is_interrupted, 1, lambda: put(other), interrupt)
    queue.put(make_event(next(names)))
    holder.join(_LONG)
    assert [event.name for event in queue.remove_unsaved() if event.name != "event"] == ["a", "b", "c"]


@pytest.mark.parametrize("kind", ["memory", "disk", "spill"])
def test_a_put_does_not_wait_for_ever_for_a_thread_that_waits_for_its_caller(
    make_queue: MakeQueue, kind: str
) -> None:
    """By a lock that is not ours: a handler of ``logging`` has one, and finalisers log there as anywhere."""
    queue, foreign = make_queue(kind), threading.Lock()
    put(queue)
    inside = threading.Event()

    def interrupt() -> None:
        inside.set()
        with foreign:
            pass

    with foreign:
        holder = threading.Thread(
            target=interrupt_inside,
            args=(queue.is_interrupted, 1, lambda: put(queue), interrupt),
            daemon=True,
        )
        holder.start()
        assert inside.wait(_LONG)
        answers: list[PutResult] = []
        caller = threading.Thread(target=lambda: answers.append(put(queue)), daemon=True)
        caller.start()
        caller.join(_LONG)
        assert answers == [PutResult.ACCEPTED]
    holder.join(_LONG)
    assert queue.statistics().accepted == 3


@pytest.mark.parametrize("kind", ["memory", "disk", "spill"])
def test_a_put_that_leaves_its_event_to_a_queue_which_is_closed_meanwhile_keeps_it(
    make_queue: MakeQueue, kind: str
) -> None:
    """The consumers may have looked for the last time: it goes to the successor, or is a late line."""
    queue, other = make_queue(kind), make_queue("memory")
    put(queue)
    inside, over = threading.Event(), threading.Event()

    def hold() -> None:
        inside.set()
        assert over.wait(_LONG)

    holder = threading.Thread(
        target=interrupt_inside, args=(queue.is_interrupted, 1, lambda: put(queue), hold), daemon=True
    )
    answers: list[PutResult] = []

    def interrupt() -> None:
        holder.start()
        assert inside.wait(_LONG)
        add = Deferred.add

        def add_late(self: Deferred, work: Callable[[], object]) -> None:
            patch.undo()
            over.set()
            holder.join(_LONG)
            queue.close()
            assert len(queue.remove_unsaved()) in {0, 2}  # there are none in a queue on disk
            add(self, work)

        patch.setattr(Deferred, "add", add_late)
        answers.append(put(queue))

    with pytest.MonkeyPatch.context() as patch:
        assert interrupt_inside(other.is_interrupted, 1, lambda: put(other), interrupt)
    assert answers == [PutResult.CLOSED]
    assert queue.statistics().depth in {0, 2}
