"""What the worker, and who waits for a queue, learn of a file that is replaced."""

from collections.abc import Callable
from pathlib import Path

from logweir.delivery.elsewhere.places import settled_path
from logweir.delivery.elsewhere.queue import ElsewhereQueue
from logweir.delivery.spool.spool import Spool
from logweir.settings.delivery import QueueConfig
from logweir.testing.contract import make_event
from support.disk import lease, make_queue, make_spool


def make_elsewhere(spool: Spool, woken: list[Callable[[], None]]) -> ElsewhereQueue:
    config = QueueConfig(type="disk", deliver="elsewhere")
    return ElsewhereQueue(spool, "sink", config, "block", woken.append)


def delete_file(spool: Spool) -> None:
    assert spool.path is not None
    spool.path.unlink()


def test_a_file_that_a_commit_of_removals_replaces_is_announced_to_the_worker(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    woken: list[Callable[[], None]] = []
    queue = make_elsewhere(spool, woken)
    for number in range(10):
        queue.put(make_event(str(number)))
    spool.commit()
    before = spool.path
    assert before is not None
    assert settled_path(before, "sink").exists()
    delete_file(spool)
    woken.clear()
    spool.remove(queue._backlog, queue._backlog.settle_elsewhere([(0, 4)]))
    spool.commit()
    after = spool.path
    assert after is not None
    assert after != before
    assert settled_path(after, "sink").exists()
    assert woken  # to watch the new line
    assert not settled_path(before, "sink").exists()
    queue.close()
    queue.let_go()
    spool.close()


def test_every_queue_is_notified_of_a_replaced_file_for_it_may_have_lost_what_is_waited_for(
    tmp_path: Path,
) -> None:
    spool = make_spool(tmp_path)
    settled, waiting = make_queue(spool, "settled"), make_queue(spool, "waiting")
    for queue in (settled, waiting):
        queue.put(make_event())
    spool.commit()
    notified: list[str] = []
    spool.listeners.add("waiting", lambda: notified.append("waiting"))
    taken = lease(spool, "settled")
    assert taken is not None
    settled.settle(taken)
    delete_file(spool)
    spool.commit()
    assert notified == ["waiting"]
    spool.close()
