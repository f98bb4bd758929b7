"""What nobody waits for gathers company before its commit, here for an hour; and who ends that."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from logweir.delivery.queue import DropReason
from logweir.delivery.queues.disk import DiskQueue
from logweir.delivery.spool import committer
from logweir.delivery.spool.spool import Spool
from logweir.event import Kind
from logweir.testing.contract import make_event
from support.disk import make_queue, make_spool
from support.waiting import eventually


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spool]:
    monkeypatch.setattr(committer, "GATHERING", 3600.0)
    made = make_spool(tmp_path, threaded=True)
    yield made
    made.close()


def put_at_leisure(spool: Spool, queue: DiskQueue, count: int = 3) -> None:
    for _ in range(count):
        queue.put(make_event())
    eventually(lambda: spool._committer.gathers)
    queue.put(make_event())
    assert spool.path is None  # which the first commit makes
    assert spool.backlog("sink").available == 0


@pytest.mark.parametrize(
    "end",
    [
        lambda _spool, queue: queue.put(make_event(), lambda _error: None),
        lambda _spool, queue: queue.put(make_event(kind=Kind.AUDIT)),
        lambda _spool, queue: queue.mark(),
        lambda spool, _queue: spool.flush(20.0),
        lambda _spool, queue: [queue.put(make_event()) for _ in range(600)],
        lambda spool, _queue: spool.close(),
    ],
    ids=[
        "a caller that waits",
        "an audit event",
        "a flush",
        "a flush of the spool",
        "many events",
        "a close",
    ],
)
def test_events_that_nobody_waits_for_are_committed_together_when_there_is_a_reason(
    spool: Spool, end: Callable[[Spool, DiskQueue], object]
) -> None:
    queue = make_queue(spool)
    put_at_leisure(spool, queue)
    end(spool, queue)
    eventually(lambda: spool.backlog("sink").available >= 4)


@pytest.mark.parametrize("when_full", ["drop_newest", "drop_oldest", "block"])
def test_a_full_queue_does_not_wait_for_company(spool: Spool, when_full: str) -> None:
    queue = make_queue(spool, when_full=when_full, max_events=4, block_timeout="1ms")
    put_at_leisure(spool, queue)
    queue.put(make_event())
    eventually(lambda: spool.backlog("sink").available == 4 or spool.backlog("sink").first_waiting() == 4)


def test_where_company_comes_there_is_more_time_for_it(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer, "GATHERING", 0.5)
    monkeypatch.setattr(committer, "GATHERING_UNDER_LOAD", 3600.0)
    queue = make_queue(spool)
    queue.put(make_event())
    eventually(lambda: spool.backlog("sink").available == 1)  # alone, it does not wait for long
    gatherings: list[float] = []
    gather_until = committer.Committer._gather_until

    def noting(self: committer.Committer, deadline: float) -> None:
        gatherings.append(deadline)
        gather_until(self, deadline)

    monkeypatch.setattr(committer.Committer, "_gather_until", noting)
    for _ in range(30):
        queue.put(make_event())
    eventually(lambda: len(gatherings) == 2)
    assert spool.backlog("sink").available == 1
    queue.put(make_event(kind=Kind.AUDIT))
    eventually(lambda: spool.backlog("sink").available == 32)


def test_a_queue_that_is_full_of_what_is_committed_gathers_as_any_other(spool: Spool) -> None:
    """So that a store that is away for long does not make each event cost a commit of its own."""
    queue = make_queue(spool, when_full="drop_oldest", max_events=100)
    for _ in range(100):
        queue.put(make_event())
    assert spool.flush(20.0)
    for _ in range(3):
        queue.put(make_event())
    eventually(lambda: spool._committer.gathers)
    for _ in range(40):
        queue.put(make_event())
    assert spool._committer.gathers
    assert len(spool._staging) > 40
    queue.put(make_event(kind=Kind.AUDIT))
    eventually(lambda: spool.backlog("sink").available == 100)
    assert queue.statistics().dropped == {DropReason.QUEUE_FULL_OLDEST: 44}
