"""What a worker reads again of what its sink put off: rows that are no event any more end there, and are reported."""

import sqlite3
from collections.abc import Callable
from math import inf
from pathlib import Path

import pytest

from logweir.delivery.dead_letters import DeadLetters
from logweir.delivery.elsewhere.host_spool import HostSpool
from logweir.delivery.set_aside import PutOff
from logweir.testing.contract import make_event
from support.disk import crash, make_queue, make_spool, names


def left_by_a_dead_process(directory: Path) -> Path:
    """A file with three events of the sink."""
    spool = make_spool(directory)
    queue = make_queue(spool)
    for number in range(3):
        queue.put(make_event(str(number)))
    spool.commit()
    (path,) = (crash(spool, directory / "after") / "queues").glob("*.db")
    return path


def execute(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("happens", "letters"),
    [
        ("UPDATE bodies SET body = x'ff' WHERE seq = 1", 1),  # the disk has changed it
        ("DELETE FROM pending WHERE seq = 1", 0),  # its owner has dropped it
    ],
)
def test_a_row_that_is_no_event_any_more_when_it_is_tried_again_is_settled(
    tmp_path: Path, happens: str, letters: int
) -> None:
    path = left_by_a_dead_process(tmp_path)
    dead_letters = DeadLetters(tmp_path)
    worker = HostSpool(path.parent, "sink", dead_letters, _ignore)
    backlog = worker.backlog("sink")
    worker._round(None)
    lease = backlog.lease(100, 2**30)
    assert lease is not None
    waiting = PutOff([(event, 1) for event in lease.events], 0.0, "later")
    assert backlog.settle(lease, (), [waiting], 0.0) == []
    for source in worker._sources.values():
        source._close_file()
    execute(path, happens)
    held = worker.read_set_aside(backlog, backlog.aside.take(inf, 100, 2**30))
    assert held is not None
    assert names([item.event for item in held]) == ["0", "2"]
    assert dead_letters.totals.count == letters
    worker.remove(backlog, [item.seq for item in held])
    assert worker._origins == {}
    assert worker._report_all()
    worker._polled = -inf
    worker._round(None)
    assert not path.exists()
    worker._let_go()


def _ignore(_callback: Callable[[], None]) -> None:
    """There is no loop that anybody would be woken on."""
