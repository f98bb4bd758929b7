"""Power cuts and damaged files: what was acknowledged is there, and the service always goes on."""

import logging
import random
import shutil
from pathlib import Path

import pytest

from logweir.delivery.queue import PutResult
from logweir.delivery.spool.spool import Spool
from logweir.event import Event
from logweir.testing.contract import make_event
from support.disk import crash, drain, make_queue, make_spool, names


def put_and_commit(spool: Spool, count: int, sink: str = "sink") -> list[Event]:
    queue = make_queue(spool, sink)
    events = [make_event(str(number), {"note": "x" * 300}) for number in range(count)]
    outcomes: list[OSError | None] = []
    for event in events:
        queue.put(event, outcomes.append)
    assert spool.commit() is None
    assert outcomes == [None] * count
    return events


def reopened(directory: Path) -> list[Event]:
    """What a new process delivers; it can also put."""
    spool = make_spool(directory)
    spool.adopt()
    found = drain(spool)
    assert make_queue(spool).put(make_event()) is PutResult.ACCEPTED
    assert spool.commit() is None
    spool.close()
    return found


def log_of(directory: Path) -> Path:
    (path,) = (directory / "queues").glob("*.db-wal")
    return path


@pytest.mark.wound("vector #18820")
def test_a_power_cut_in_the_middle_of_a_commit_loses_at_most_that_commit(tmp_path: Path) -> None:
    generator = random.Random(4)
    spool = make_spool(tmp_path / "life")
    acknowledged = put_and_commit(spool, 30)
    synced = log_of(tmp_path / "life").stat().st_size
    put_and_commit(spool, 30)
    whole = log_of(tmp_path / "life").stat().st_size
    for number in range(40):
        directory = tmp_path / f"cut{number}"
        shutil.copytree(tmp_path / "life", directory, ignore=shutil.ignore_patterns("*.lock", "*-shm"))
        with log_of(directory).open("r+b") as log:
            log.truncate(generator.randint(synced, whole - 1))
        assert names(reopened(directory)) == names(acknowledged)
    spool.close()


def test_a_log_cut_anywhere_reopens_with_whole_commits(tmp_path: Path) -> None:
    generator = random.Random(5)
    spool = make_spool(tmp_path / "life")
    commits = [put_and_commit(spool, 5) for _ in range(10)]
    whole = log_of(tmp_path / "life").stat().st_size
    all_ids = [event.id for events in commits for event in events]
    for number in range(40):
        directory = tmp_path / f"cut{number}"
        shutil.copytree(tmp_path / "life", directory, ignore=shutil.ignore_patterns("*.lock", "*-shm"))
        with log_of(directory).open("r+b") as log:
            log.truncate(generator.randint(0, whole))
        found = [event.id for event in reopened(directory)]
        assert len(found) % 5 == 0
        assert found == all_ids[: len(found)]
    spool.close()


def orphan(directory: Path, count: int = 500) -> Path:
    """A file that a process left, with its log already moved into it."""
    spool = make_spool(directory)
    put_and_commit(spool, count)
    spool.close()
    (path,) = (directory / "queues").glob("*.db")
    return path


@pytest.mark.wound("vector #18336")
def test_a_file_damaged_anywhere_is_quarantined_and_the_service_goes_on(tmp_path: Path) -> None:
    generator = random.Random(6)
    template = orphan(tmp_path / "template")
    content = template.read_bytes()
    saved = []
    for number in range(60):
        damaged = bytearray(content)
        start = generator.randrange(len(damaged))
        length = generator.choice([1, 16, 4096, 20_000])
        damaged[start : start + length] = generator.randbytes(len(damaged[start : start + length]))
        directory = tmp_path / str(number)
        (directory / "queues").mkdir(parents=True)
        (directory / "queues" / template.name).write_bytes(
            damaged[: generator.choice([None, None, len(damaged) // 2])]
        )
        saved.append(len(reopened(directory)))
    assert sorted(saved)[len(saved) // 2] >= 200


def test_the_rows_on_sound_pages_are_saved_and_the_damage_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = orphan(tmp_path)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(content)
    with caplog.at_level(logging.ERROR, "logweir"):
        found = reopened(tmp_path)
    assert 400 <= len(found) < 500
    (quarantined,) = (tmp_path / "queues").glob("*.corrupt-*")
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert str(quarantined) in record.getMessage()
    assert f"{len(found)} events were saved" in record.getMessage()


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, b"\0" * 100_000])
def test_a_file_that_is_no_database_is_quarantined(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "queues").mkdir()
    (tmp_path / "queues" / "1-0000.db").write_bytes(content)
    assert reopened(tmp_path) == []
    assert not (tmp_path / "queues" / "1-0000.db").exists()


@pytest.mark.parametrize("damage", ["overwritten", "cut", "deleted", "log overwritten"])
def test_a_file_damaged_under_a_running_process_is_replaced(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    spool = make_spool(tmp_path)
    before = put_and_commit(spool, 50)
    assert spool._current.file is not None
    path = spool._current.file.path
    match damage:
        case "overwritten":
            path.write_bytes(b"\xff" * path.stat().st_size)
        case "cut":
            path.write_bytes(b"")
        case "deleted":
            shutil.rmtree(tmp_path / "queues")
        case "log overwritten":
            Path(f"{path}-wal").write_bytes(b"\xff" * 100_000)
    with caplog.at_level(logging.ERROR, "logweir"):
        after = put_and_commit(spool, 50)
    assert drain(spool) == before + after
    spool.close()
    assert damage == "log overwritten" or path.name in caplog.text


def test_rows_in_memory_and_leased_survive_the_loss_of_the_file(tmp_path: Path) -> None:
    spool = make_spool(tmp_path / "life")
    events = put_and_commit(spool, 20)
    backlog = spool.backlog("sink")
    with spool.lock:
        leased = backlog.lease(5, 10**9)
    assert leased is not None
    shutil.rmtree(spool.directory)
    put_and_commit(spool, 1)
    assert backlog.in_flight == 5
    found = reopened(crash(spool, tmp_path / "after"))
    assert {event.id for event in events} <= {event.id for event in found}


def test_a_damage_met_while_reading_is_repaired_by_the_next_commit(tmp_path: Path) -> None:
    spool = make_spool(tmp_path, window=0)
    events = put_and_commit(spool, 2000)
    assert spool._current.file is not None
    spool._current.file.shorten_log()
    path = spool._current.file.path
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * 40960)
    found = []
    for _ in range(10):
        found += drain(spool)
        spool.commit()
    assert 1500 < len(found) <= 2000
    assert names(found) == [name for name in names(events) if name in set(names(found))]
    assert make_queue(spool).statistics().depth == 0
    spool.close()
    assert list(spool.directory.glob("*.corrupt-*"))
