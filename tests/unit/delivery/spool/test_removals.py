"""Settled rows are deleted together, and soon."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from logweir.delivery.queues.disk import DiskQueue
from logweir.delivery.spool import removals
from logweir.delivery.spool.spool import Spool
from logweir.delivery.spool.spool_file import SpoolFile
from logweir.testing.contract import make_event
from support.disk import lease, make_queue, make_spool


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(removals, "time", made)
    return made


@pytest.fixture
def removed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each transaction removes."""
    counts: list[int] = []
    write = SpoolFile.write

    def noted(file: SpoolFile, records: Any, removals: Any = ()) -> None:
        counts.append(len(removals))
        write(file, records, removals)

    monkeypatch.setattr(SpoolFile, "write", noted)
    return counts


def settle(spool: Spool, queue: DiskQueue, count: int) -> None:
    for number in range(count):
        queue.put(make_event(f"e{number}"))
    spool.commit()
    taken = lease(spool, count=count)
    assert taken is not None
    queue.settle(taken)


def commit_another(spool: Spool, queue: DiskQueue, removed: list[int]) -> int:
    removed.clear()
    queue.put(make_event("another"))
    spool.commit()
    return sum(removed)


def until_it_is_late(_spool: Spool, clock: Clock) -> None:
    clock.now += removals.REMOVAL_LINGER


def a_full_disk(spool: Spool, _clock: Clock) -> None:
    spool._writer.most = 8


def test_a_few_rows_do_not_burden_the_commit_that_somebody_waits_for(
    tmp_path: Path, clock: Clock, removed: list[int]
) -> None:
    spool = make_spool(tmp_path)
    queue = make_queue(spool)
    settle(spool, queue, 3)
    assert commit_another(spool, queue, removed) == 0
    spool.commit()  # of nothing else, as the committer does when they have waited long enough
    assert removed == [0, 3]
    spool.close()


@pytest.mark.parametrize("when", [until_it_is_late, a_full_disk])
def test_rows_go_with_the_next_commit_when_it_is_time(
    tmp_path: Path, clock: Clock, removed: list[int], when: Callable[[Spool, Clock], None]
) -> None:
    spool = make_spool(tmp_path)
    queue = make_queue(spool)
    settle(spool, queue, 3)
    when(spool, clock)
    assert commit_another(spool, queue, removed) == 3
    spool.close()


def test_what_was_dropped_goes_with_the_next_commit(tmp_path: Path, clock: Clock, removed: list[int]) -> None:
    """A worker that reads the file in another process must not deliver it."""
    spool = make_spool(tmp_path)
    queue = make_queue(spool, when_full="drop_oldest", max_events=1)
    queue.put(make_event("oldest"))
    spool.commit()
    assert commit_another(spool, queue, removed) == 1
    spool.close()


def test_many_rows_go_with_the_next_commit(tmp_path: Path, clock: Clock, removed: list[int]) -> None:
    spool = make_spool(tmp_path)
    queue = make_queue(spool)
    settle(spool, queue, removals._MANY)
    assert commit_another(spool, queue, removed) == removals._MANY
    spool.close()


def test_a_close_deletes_what_is_settled(tmp_path: Path, clock: Clock) -> None:
    spool = make_spool(tmp_path)
    queue = make_queue(spool)
    settle(spool, queue, 3)
    queue.put(make_event("another"))
    assert spool.close()
    heir = make_spool(tmp_path)
    assert heir.adopt() == 1
    heir.close()
