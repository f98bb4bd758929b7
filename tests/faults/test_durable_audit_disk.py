"""Disks that fill up, turn read-only, lose power or rot under a running service.

Audit callers get the declared error, tracing goes on, what was acknowledged is there, and everything
resumes by itself.
"""

import asyncio
import logging
import random
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import logweir
from logweir.errors import AuditError
from logweir.sinks.memory import MemorySink
from support import sinks as misbehaving
from support.disk import mount, small_disk_at
from support.durable import check_once_each, configure, end, said, start, stored
from support.waiting import eventually


@pytest.fixture(autouse=True)
def _healthy() -> Iterator[None]:
    misbehaving.healed.set()
    yield
    misbehaving.healed.set()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte, for the data directory."""
    with small_disk_at(tmp_path / "disk", "the store's tests limit the size of files instead") as place:
        yield place
        logweir.stop(timeout=5.0)


def fill(place: Path) -> None:
    """Take all the space that is left."""
    with (place / "ballast").open("ab", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


def settings(data_dir: Path, **audit_db: Any) -> dict[str, Any]:
    """Audit on disk, tracing in memory."""
    fast = {"initial": "1ms", "max": "20ms", "timeout": "500ms"}
    return {
        "data_dir": str(data_dir),
        "sinks": {
            "audit_db": {"type": "support.sinks:Dead", "batch": {"linger": "1ms"}, "retry": fast, **audit_db},
            "logs": {"type": "memory", "batch": {"linger": "1ms"}},
        },
        "routes": [
            {"name": "audit", "match": {"kind": "audit"}, "to": ["audit_db"]},
            {"name": "rest", "to": ["logs"]},
        ],
        "drain_timeout": "5s",
    }


def in_sink(name: str) -> Counter[str]:
    return Counter(event.name for event in MemorySink.of(name).events.values())


def fill_the_file() -> None:
    """Audit until it is refused: what is free inside of the queue's file is used up first."""
    for _ in range(100):
        logweir.audit_sync("refused", note="x" * 50_000)


def check_that_callers_are_notified_and_all_resumes(
    spoil: Callable[[], object], fix: Callable[[], object]
) -> None:
    """The sink is down meanwhile, so that nothing of the queue's file is given back."""
    misbehaving.healed.clear()
    spoil()
    logweir.configure_structlog()
    log = logweir.get_logger()
    called = []

    @logweir.audit_log("decorated", intent=True, on_failure="raise")
    def move_money() -> None:
        called.append(1)

    with pytest.raises(AuditError, match="cannot be written") as refused:
        fill_the_file()
    spoil()  # what the refused event gave back
    assert isinstance(refused.value.__cause__, OSError)
    with pytest.raises(AuditError, match="cannot be written"):
        move_money()
    assert called == []
    for number in range(200):
        log.info("tracing", number=number)
    eventually(lambda: in_sink("logs")["tracing"] == 200)
    log.info("kept", persist_db=True, note="x" * 5_000)
    fix()
    misbehaving.healed.set()

    def resumed() -> bool:
        try:
            logweir.audit_sync("after", acknowledge="stored")
        except AuditError:
            return False
        return True

    eventually(resumed)
    move_money()
    assert called == [1]
    assert logweir.flush()
    found = in_sink("audit_db")
    assert (found["after"], found["kept"]) == (1, 1)
    assert found["decorated"] == 3  # the refused call says so, too


@pytest.mark.wound("serilog-sinks-elasticsearch #179")
@pytest.mark.wound("serilog #820")
def test_on_a_full_disk_audit_is_refused_tracing_goes_on_and_all_resumes(small_disk: Path) -> None:
    logweir.start(settings(small_disk / "data"))
    logweir.audit_sync("before")
    check_that_callers_are_notified_and_all_resumes(lambda: fill(small_disk), (small_disk / "ballast").unlink)
    assert in_sink("audit_db")["before"] == 1
    assert logweir.stop()


@pytest.mark.wound("serilog #820")
def test_on_a_read_only_disk_audit_is_refused_tracing_goes_on_and_all_resumes(small_disk: Path) -> None:
    mount("-o", "remount,ro", str(small_disk))
    logweir.start(settings(small_disk / "data"))
    check_that_callers_are_notified_and_all_resumes(
        lambda: None, lambda: mount("-o", "remount,rw", str(small_disk))
    )
    assert logweir.stop()


async def test_callers_on_an_event_loop_are_notified_at_once(small_disk: Path) -> None:
    async with logweir.running(settings(small_disk / "data")):
        await asyncio.to_thread(fill, small_disk)
        answers = await asyncio.gather(
            *(logweir.audit("refused", note="x" * 100_000) for _ in range(64)), return_exceptions=True
        )
        assert {type(answer) for answer in answers} <= {AuditError, logweir.Ack}
        assert any(isinstance(answer, AuditError) for answer in answers)
        await asyncio.to_thread((small_disk / "ballast").unlink)


@pytest.mark.busy
def test_a_stop_on_a_full_disk_says_that_it_lost_what_waited(small_disk: Path) -> None:
    misbehaving.healed.clear()
    runtime = logweir.start(settings(small_disk / "data"))
    logweir.audit_sync("safe")
    fill(small_disk)
    logweir.configure_structlog()
    for _ in range(200):
        logweir.get_logger().info("too much", persist_db=True, note="x" * 20_000)
    assert not logweir.stop(timeout=0.2)
    lost = runtime.metrics().sinks["audit_db"].dropped["shutdown"]
    assert 0 < lost <= 200
    (small_disk / "ballast").unlink()
    misbehaving.healed.set()
    logweir.start(settings(small_disk / "data"))
    assert logweir.flush()
    assert in_sink("audit_db") == Counter({"safe": 1, "too much": 200 - lost})


# -- power cuts and rot --------------------------------------------------------------------------------

WRITER = """
logweir.start()
while True:
    event_id = logweir.audit_sync("event", note="x" * 200).event_id
    (path,) = [entry.path for entry in os.scandir("data/queues") if entry.name.endswith("-wal")]
    print(event_id, os.stat(path).st_size, flush=True)
"""


@pytest.mark.wound("vector #18820")
def test_a_power_cut_at_any_moment_takes_no_acknowledged_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was synced when an event was acknowledged is there; of the rest, a power cut leaves anything."""
    life = tmp_path / "life"
    life.mkdir()
    configure(life, database="not a folder/audit.db")
    (life / "not a folder").touch()
    process = start(life, WRITER)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().split() for _ in range(200)]
    process.send_signal(signal.SIGSTOP)
    try:
        for number in range(8):
            after = tmp_path / str(number)
            cut = cut_power(life, after, [int(size) for _, size in acknowledged], random.Random(number))
            monkeypatch.chdir(after)
            logweir.start()
            assert logweir.flush(30)
            assert logweir.stop()
            # The end of a transaction that was torn between its header and its page looks like damage.
            acknowledged_before = [event_id for event_id, size in acknowledged if int(size) <= cut]
            check_once_each(after, acknowledged_before, may_be_quarantined=True)
    finally:
        process.kill()
        end(process)


def cut_power(life: Path, after: Path, synced: list[int], generator: random.Random) -> int:
    """Copy what the disk may hold when the power goes at a moment; returns how much of the log was synced."""
    after.mkdir()
    shutil.copytree(life / "data", after / "data", ignore=shutil.ignore_patterns("*.lock", "*-shm"))
    (log,) = (after / "data" / "queues").glob("*-wal")
    whole = log.stat().st_size
    cut = generator.randint(generator.choice(synced), whole)
    with log.open("r+b") as file:
        file.truncate(cut)
        if generator.random() < 0.5:  # sectors that were on their way
            file.seek(cut)
            file.write(generator.randbytes(whole - cut))
    configure(after)
    return cut


@pytest.mark.wound("vector #18336")
@pytest.mark.parametrize("damage", ["overwritten", "cut", "deleted"])
def test_a_queue_file_that_rots_under_the_service_is_replaced_and_nothing_is_lost(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    misbehaving.healed.clear()
    logweir.start(settings(tmp_path / "data"))
    for number in range(100):
        logweir.audit_sync(str(number))
    (path,) = (tmp_path / "data" / "queues").glob("*.db")
    match damage:
        case "overwritten":
            path.write_bytes(b"\xff" * path.stat().st_size)
        case "cut":
            path.write_bytes(b"")
        case "deleted":
            shutil.rmtree(path.parent)
    with caplog.at_level(logging.ERROR, "logweir"):
        for number in range(100, 200):
            logweir.audit_sync(str(number))
    assert path.name in caplog.text
    assert "the service goes on with" in caplog.text
    misbehaving.healed.set()
    assert logweir.flush()
    assert in_sink("audit_db") == Counter(map(str, range(200)))


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of data in which 300 events wait on disk, left by a process that has ended; to be copied."""
    folder = tmp_path_factory.mktemp("waiting")
    configure(folder, database="not a folder/audit.db")
    (folder / "not a folder").touch()
    process = start(
        folder,
        """
        logweir.start()
        for number in range(300):
            acknowledged(logweir.audit_sync("event", number=number, note="x" * 300).event_id)
        logweir.stop(timeout=0.1)
        """,
    )
    assert len(end(process).split()) == 300, said(folder)
    return folder / "data"


@pytest.mark.busy
@pytest.mark.wound("vector #18336")
@pytest.mark.parametrize("damage", ["head", "middle", "all"])
def test_a_queue_file_that_is_damaged_at_the_start_is_set_aside_and_the_service_goes_on(
    waiting: Path, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(waiting, tmp_path / "data")
    (path,) = (tmp_path / "data" / "queues").glob("*.db")
    content = bytearray(path.read_bytes())
    page = len(content) // 2 // 4096 * 4096
    match damage:
        case "head":
            content[:100] = b"\xff" * 100
        case "middle":
            content[page : page + 4096] = b"\xff" * 4096
        case "all":
            content[:] = b"\xff" * len(content)
    path.write_bytes(content)
    configure(tmp_path)
    with caplog.at_level(logging.ERROR, "logweir"):
        logweir.start()
        ack = logweir.audit_sync("new", acknowledge="stored")
    assert logweir.flush()
    assert logweir.stop()
    (aside,) = (tmp_path / "data" / "queues").glob("*.db.corrupt-*")
    assert str(aside) in caplog.text
    found = stored(tmp_path)
    assert ack.event_id in found
    assert len(found) == len(set(found))
    if damage == "middle":
        assert len(found) > 250
