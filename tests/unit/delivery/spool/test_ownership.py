"""Ownership of queue files: held for a process's life, by nobody twice."""

from pathlib import Path

from logweir.delivery.spool import ownership
from logweir.testing.contract import make_event
from support.disk import make_queue, make_spool


def test_a_file_has_one_owner_at_a_time(tmp_path: Path) -> None:
    lock = ownership.claim_new(tmp_path)
    assert ownership.FileLock.take(lock.database) is None
    assert not list(ownership.orphans(tmp_path))
    lock.release()
    lock.release()
    assert not list(tmp_path.iterdir())


def test_a_lock_without_a_database_is_removed(tmp_path: Path) -> None:
    (tmp_path / "1-0000.lock").touch()
    assert not list(ownership.orphans(tmp_path))
    assert not list(tmp_path.iterdir())


def test_an_orphan_is_found_and_its_lock_taken(tmp_path: Path) -> None:
    (tmp_path / "1-0000.db").touch()
    for lock in ownership.orphans(tmp_path):
        assert lock.database == tmp_path / "1-0000.db"
        lock.release()
    assert (tmp_path / "1-0000.db").exists()


def test_a_directory_that_is_not_there_holds_no_orphans(tmp_path: Path) -> None:
    assert not list(ownership.orphans(tmp_path / "none"))


def test_two_stores_of_one_process_leave_each_other_alone(tmp_path: Path) -> None:
    first, second = make_spool(tmp_path), make_spool(tmp_path)
    for spool in (first, second):
        make_queue(spool).put(make_event())
        spool.commit()
    assert first.adopt() == second.adopt() == 0
    first.close()
    assert second.adopt() == 1
    second.close()
    assert len(list((tmp_path / "queues").glob("*.db"))) == 1
