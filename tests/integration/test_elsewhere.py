"""Delivery elsewhere: what the application promises without a worker, and what the worker does with it."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner

from logweir.cli.app import app
from logweir.cli.worker import _reload
from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.delivery.dead_letters import DeadLetters
from logweir.delivery.elsewhere import host_spool
from logweir.delivery.elsewhere.places import worker_path
from logweir.delivery.elsewhere.queue import ElsewhereQueue
from logweir.delivery.queue import DropReason
from logweir.delivery.spool.notifications import Answers
from logweir.delivery.spool.spool import Spool
from logweir.delivery.spool.staging import Staged
from logweir.errors import AuditError, ConfigError, LogweirError
from logweir.event import Event
from logweir.runtime.runtime import Runtime
from logweir.runtime.worker_process import WorkerProcess
from logweir.sinks.contract import Sink, SinkConfig
from logweir.sinks.results import WriteResult
from support.waiting import eventually


class Store(Sink[SinkConfig]):
    """Takes what a test lets it take."""

    Config = SinkConfig
    names: ClassVar[list[str]] = []
    rejects: ClassVar[set[str]] = set()
    puts_off: ClassVar[dict[str, int]] = {}
    opened: ClassVar[int] = 0

    async def open(self) -> None:
        type(self).opened += 1

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        rejected, retry = {}, set()
        for index, event in enumerate(batch):
            if event.name in self.rejects:
                rejected[index] = "never"
            elif self.puts_off.get(event.name, 0):
                self.puts_off[event.name] -= 1
                retry.add(index)
            else:
                self.names.append(event.name)
        return WriteResult(rejected=rejected, retry=frozenset(retry))


class Unmakeable(Store):
    """Cannot be made, as one whose constructor needs what is not there."""

    def __init__(self, *_: Any) -> None:
        raise RuntimeError("no driver for odd://app:zq7KXw93@db/app")


@pytest.fixture(autouse=True)
def _fresh() -> None:
    Store.names, Store.rejects, Store.puts_off, Store.opened = [], set(), {}, 0


def configured(
    directory: Path, *, kind: str = "audit", sink_class: type[Store] = Store, **queue: Any
) -> RoutingConfig:
    sink = {
        "type": f"{__name__}:{sink_class.__name__}",
        "queue": {"type": "disk", "deliver": "elsewhere", **queue},
        "batch": {"linger": "0ms"},
        "retry": {"initial": "1ms", "max": "5ms"},
    }
    return load_config(
        {
            "data_dir": str(directory),
            "sinks": {"store": sink, "other": {"type": "memory", "queue": {"type": "disk"}}},
            "routes": [
                {"name": "store", "match": {"kind": kind}, "to": "store"},
                {"name": "rest", "to": "other"},
            ],
        }
    )


@contextmanager
def application(config: RoutingConfig) -> Iterator[Runtime]:
    runtime = Runtime(config)
    runtime.start()
    try:
        yield runtime
    finally:
        runtime.stop()


@contextmanager
def working(config: RoutingConfig) -> Iterator[WorkerProcess]:
    worker = WorkerProcess(config)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def audit(runtime: Runtime, *names: str) -> None:
    for name in names:
        runtime.emit_audit(name, {}, acknowledge="durable").acknowledged_sync("durable", 30)


def rows_on_disk(directory: Path) -> int:
    (path,) = directory.glob("queues/*.db")
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM pending").fetchone()[0])


def waiting(runtime: Runtime) -> int:
    return runtime.metrics().sinks["store"].queue_depth


def test_the_application_opens_no_sink_and_its_flush_and_stop_wait_for_the_disk_alone(tmp_path: Path) -> None:
    with application(configured(tmp_path)) as runtime:
        audit(runtime, "a", "b")
        assert runtime.flush(30)
        assert asyncio.run(runtime.aflush(30))
        assert waiting(runtime) == 2
        assert runtime.stop()
    assert Store.opened == 0
    with working(configured(tmp_path)):
        eventually(lambda: Store.names == ["a", "b"])
        eventually(lambda: not list(tmp_path.glob("queues/*.db")))


def test_a_worker_whose_reload_cannot_make_a_sink_delivers_as_before_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(tmp_path)
    with application(config) as runtime, working(config) as process:
        audit(runtime, "a")
        eventually(lambda: Store.names == ["a"])
        wrong = configured(tmp_path, sink_class=Unmakeable)
        monkeypatch.setattr("logweir.cli.worker.load_config", lambda _path: wrong)
        _reload(process, "routing.yaml")
        assert process.config is config
        audit(runtime, "b")
        eventually(lambda: Store.names == ["a", "b"])
    said = " ".join(capsys.readouterr().err.split())
    assert "the configuration in force stays" in said
    assert "no driver for odd://app:***@db/app" in said


def test_each_row_wakes_the_worker_which_reports_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_spool, "_POLL", 3600.0)  # nothing but the wake-up brings it
    config = configured(tmp_path)
    with application(config) as runtime:
        audit(runtime, "first")  # from now on there is a file
        with working(config):
            eventually(lambda: Store.names == ["first"])
            for number in range(20):
                audit(runtime, f"row {number}")
                eventually(lambda number=number: Store.names[-1] == f"row {number}")
                eventually(lambda: waiting(runtime) == 0)


@pytest.mark.parametrize("when_full", ["block", "drop_newest", "drop_oldest"])
def test_the_bounds_hold_without_a_worker(tmp_path: Path, when_full: str) -> None:
    kind = "audit" if when_full == "block" else "tracing"
    config = configured(tmp_path, kind=kind, max_events=10, when_full=when_full, block_timeout="50ms")
    with application(config) as runtime:
        for number in range(15):
            runtime.emit(str(number), {}, kind=config.routes[0].match.kind)
            runtime.flush(30)
        assert waiting(runtime) == 10
        reason = {
            "block": DropReason.BLOCK_TIMEOUT,
            "drop_newest": DropReason.QUEUE_FULL_NEWEST,
            "drop_oldest": DropReason.QUEUE_FULL_OLDEST,
        }[when_full]
        assert runtime.metrics().sinks["store"].dropped == {reason: 5}
        kept = range(5, 15) if when_full == "drop_oldest" else range(10)
        eventually(lambda: rows_on_disk(tmp_path) == 10)  # deletions wait a little for company
        with working(config):
            eventually(lambda: Store.names == [str(number) for number in kept], found=lambda: Store.names)
            eventually(lambda: waiting(runtime) == 0)
            runtime.emit("room again", {}, kind=config.routes[0].match.kind)
            eventually(lambda: Store.names[-1] == "room again")


def test_that_nobody_delivers_is_said_after_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = configured(tmp_path)
    file = tmp_path / "routing.yaml"
    file.write_text(
        f"data_dir: {tmp_path}\nsinks:\n  store: {{type: memory, queue: {{type: disk, deliver: elsewhere}}}}\n"
        "routes: [{name: all, to: store}]\n"
    )
    command = ["check", "-c", str(file), "--no-probe"]
    with application(config) as runtime:
        audit(runtime, "a")
        with working(config):
            eventually(lambda: waiting(runtime) == 0)
            assert runtime.metrics().sinks["store"].state == "healthy"
            assert "nobody delivers" not in CliRunner().invoke(app, command).output
        died = time.time() - 75
        os.utime(worker_path(tmp_path / "queues", "store"), (died, died))
        sink = runtime.metrics().sinks["store"]
        assert (sink.state, round(sink.worker_silent, -1)) == ("down", 80)
        assert "nobody delivers: no worker has given a sign of life for 7" in sink.last_error
        assert "nobody delivers to the sink 'store'" in CliRunner().invoke(app, command).output
        with working(config):
            eventually(lambda: runtime.metrics().sinks["store"].state == "healthy")


def test_an_audit_call_that_asks_for_stored_learns_that_nobody_reports_it(tmp_path: Path) -> None:
    with application(configured(tmp_path)) as runtime:
        receipt = runtime.emit_audit("a", {}, acknowledge="stored")
        assert receipt.acknowledged_sync("durable", 30).level == "durable"
        with pytest.raises(AuditError, match="does not report back; wait for durable"):
            receipt.acknowledged_sync("stored", 30)


def test_what_the_sink_refuses_or_puts_off_ends_as_in_the_application(tmp_path: Path) -> None:
    config = configured(tmp_path)
    Store.rejects, Store.puts_off = {"bad"}, {"later": 3}
    with application(config) as runtime, working(config) as worker:
        audit(runtime, "good", "bad", "later", "last")
        eventually(lambda: waiting(runtime) == 0)
        assert sorted(Store.names) == ["good", "last", "later"]
        assert [letter.sink for letter in DeadLetters(tmp_path).read()] == ["store"]
        sink = worker.metrics().sinks["store"]
        assert (sink.stored, sink.dead, sink.put_off) == (3, 1, 3)


def test_a_reload_moves_the_delivery_elsewhere_and_back(tmp_path: Path) -> None:
    elsewhere, here = configured(tmp_path), configured(tmp_path, deliver="here")
    with application(here) as runtime:
        audit(runtime, "one")
        eventually(lambda: Store.names == ["one"])
        runtime.reload(elsewhere)
        audit(runtime, "two")
        assert runtime.flush(30)
        assert waiting(runtime) == 1
        with working(elsewhere):
            eventually(lambda: Store.names == ["one", "two"])
            eventually(lambda: waiting(runtime) == 0)
        audit(runtime, "three")
        runtime.reload(here)
        eventually(lambda: Store.names == ["one", "two", "three"], 60)


def test_a_worker_goes_on_with_a_new_configuration_and_refuses_one_without_work(tmp_path: Path) -> None:
    config = configured(tmp_path)
    with application(config) as runtime, working(config) as worker:
        audit(runtime, "one")
        eventually(lambda: Store.names == ["one"])
        with pytest.raises(ConfigError, match="no sink is delivered elsewhere"):
            worker.reload(configured(tmp_path, deliver="here"))
        worker.reload(configured(tmp_path, max_events=5))
        audit(runtime, "two")
        eventually(lambda: Store.names == ["one", "two"])
        assert worker.metrics().sinks["store"].stored == 2


def test_what_a_dead_process_left_is_adopted_unless_a_worker_attends_to_it(tmp_path: Path) -> None:
    config = configured(tmp_path)
    with application(config) as runtime:
        audit(runtime, "left")
    sign_of_life = worker_path(tmp_path / "queues", "store")
    sign_of_life.touch()
    with application(config) as runtime:
        runtime.flush(30)  # it has looked for what dead processes left
        assert waiting(runtime) == 0
    os.utime(sign_of_life, (0, 0))
    with application(config) as runtime:
        runtime.flush(30)
        assert waiting(runtime) == 1
    with working(config):
        eventually(lambda: Store.names == ["left"])


def test_a_file_that_is_damaged_under_way_is_replaced_and_nothing_of_it_is_lost(tmp_path: Path) -> None:
    config = configured(tmp_path)
    with application(config) as runtime:
        audit(runtime, "a", "b", "c")
        (path,) = tmp_path.glob("queues/*.db")
        with path.open("r+b") as file:
            file.write(bytes(100))
        audit(runtime, "d")
        with working(config):
            eventually(lambda: sorted(set(Store.names)) == ["a", "b", "c", "d"], found=lambda: Store.names)
            eventually(lambda: waiting(runtime) == 0)
            audit(runtime, "e")
            eventually(lambda: Store.names[-1] == "e")


def test_a_worker_that_is_faster_than_the_note_of_the_commit_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_spool, "_POLL", 0.01)  # it finds rows before it is woken
    config = configured(tmp_path)
    reported = threading.Event()
    take_report, finish = ElsewhereQueue._take_report, Spool._finish

    def note_late(spool: Spool, batch: list[Staged]) -> Answers:
        assert reported.wait(30), "the worker has not delivered what is in the file"
        return finish(spool, batch)

    def noticed(queue: ElsewhereQueue) -> None:
        take_report(queue)
        if "second" in Store.names:
            reported.set()

    monkeypatch.setattr(ElsewhereQueue, "_take_report", noticed)
    with application(config) as runtime, working(config):
        audit(runtime, "first")
        eventually(lambda: waiting(runtime) == 0)
        monkeypatch.setattr(Spool, "_finish", note_late)
        audit(runtime, "second")
        eventually(lambda: waiting(runtime) == 0)
        eventually(lambda: rows_on_disk(tmp_path) == 0)
        assert Store.names == ["first", "second"]


def test_two_applications_are_served_in_turn_and_reported_to_each(tmp_path: Path) -> None:
    config = configured(tmp_path)
    with application(config) as one, application(config) as other, working(config):
        for number in range(50):
            audit(one, f"one {number}")
            audit(other, f"other {number}")
        eventually(lambda: waiting(one) == waiting(other) == 0)
        assert len(Store.names) == len(set(Store.names)) == 100
        for name in ("one", "other"):
            assert [each for each in Store.names if each.startswith(name)] == [
                f"{name} {n}" for n in range(50)
            ]


def test_wrong_input_ends_with_one_message_and_code_2(tmp_path: Path) -> None:
    file = tmp_path / "routing.yaml"
    text = "data_dir: {}\nsinks:\n  a: {{type: memory{}}}\nroutes: [{{name: all, to: a}}]\n"
    file.write_text(text.format(tmp_path, ""))
    answer = CliRunner().invoke(app, ["worker", "-c", str(file)])
    assert answer.exit_code == 2
    assert "no sink is delivered elsewhere; add queue: {type: disk, deliver: elsewhere}" in answer.output
    file.write_text(text.format(tmp_path, ", queue: {type: disk, deliver: elsewhere}"))
    answer = CliRunner().invoke(app, ["worker", "-c", str(file), "--sink", "b"])
    assert answer.exit_code == 2
    assert f"{file}: sinks: there is no sink 'b'; there are a" in answer.output


def test_a_row_of_an_explicit_service_needs_a_sink_that_is_opened_here(tmp_path: Path) -> None:
    with application(configured(tmp_path)) as runtime:
        event = runtime.capture("a", {}, level="info", kind=runtime.config.routes[0].match.kind)  # type: ignore[arg-type]
        with pytest.raises(LogweirError, match=r"'store' is not opened here \(deliver: elsewhere\)"):
            runtime.transactional_sink(event, "store")


@pytest.mark.parametrize(
    ("sink", "drivers"),
    [
        ("type: mysql, url: 'mysql+aiomysql://app@db/app'", ["aiomysql", "pymysql"]),
        ("type: postgresql, url: 'postgresql+asyncpg://app@db/app'", ["asyncpg"]),
        ("type: sqlite, url: 'sqlite+aiosqlite:///audit.db'", ["aiosqlite"]),
        ("type: elasticsearch, url: 'http://es:9200', index: logs", ["elasticsearch", "aiohttp"]),
        ("type: opensearch, url: 'http://os:9200', index: logs", ["httpx"]),
        ("type: loki, url: 'http://loki:3100'", ["httpx"]),
        ("type: http, url: 'http://hook'", ["httpx"]),
    ],
)
def test_the_application_does_not_import_the_driver(tmp_path: Path, sink: str, drivers: list[str]) -> None:
    (tmp_path / "routing.yaml").write_text(
        f"sinks:\n  far: {{{sink}, queue: {{type: disk, deliver: elsewhere}}}}\nroutes: [{{name: all, to: far}}]\n"
    )
    program = (
        "import logweir, sys\nlogweir.start()\nlogweir.audit_sync('one')\nassert logweir.stop()\n"
        f"sys.exit(str([name for name in {drivers} if name in sys.modules] or '') or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
