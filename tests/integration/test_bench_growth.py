"""A growth run in small: its figures, its end by a kill and its going on, its limits, and several runs as one."""

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from logweir.benchmarks.suite import runner
from logweir.benchmarks.suite.growth import stages
from logweir.benchmarks.suite.growth.filling import Position
from logweir.benchmarks.suite.hourly_counts import Counts, HourlyCounts
from logweir.benchmarks.suite.natives import Spec
from logweir.benchmarks.suite.natives.sqlite import SqliteNative
from logweir.benchmarks.suite.profiles import PROFILES, Profile
from logweir.benchmarks.suite.results import Limits, Measure, NotRun, Results
from logweir.benchmarks.suite.truth import CLASSES
from logweir.cli.bench import bench
from logweir.encoding.events import decode_event
from support.waiting import eventually

LOGWEIR = str(Path(sys.executable).parent / "logweir")
SPROUT = PROFILES["sprout"]
LAST = SPROUT.volumes[-1]
BRIEF = Profile("sprout", SPROUT.volumes[:1], 0, each=1, step_seconds=60.0, growth=True)


def specs(folder: Path, *names: str) -> list[Spec]:
    return [Spec(name, name, "", folder / "stores") for name in names or ("sqlite", "file")]


def begin(folder: Path, *names: str, profile: Profile = BRIEF, limits: Limits | None = None) -> runner.Run:
    (folder / "stores").mkdir(parents=True, exist_ok=True)
    return runner.begin(folder, specs(folder, *names), profile, limits=limits)


def stored(folder: Path) -> Counter[str]:
    lines = (folder / "stores" / "growing.jsonl").read_bytes().splitlines()
    return Counter(decode_event(line).id for line in lines)


async def no_commands(*_: object) -> list[Measure]:
    """Stands for the three commands in processes of their own, which one test of these has."""
    return []


def killed_when(condition: Callable[[], object], command: list[str]) -> int:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        eventually(condition)
        process.kill()
    return process.returncode


@pytest.mark.slow
async def test_a_run_that_is_killed_and_resumed_has_every_event_once_and_every_answer_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "measure_commands", no_commands)
    command = [LOGWEIR, "bench", "run", "--profile", "sprout", "--folder", str(tmp_path)]
    position = tmp_path / "positions" / "file.json"

    def under_way() -> bool:
        return position.exists() and Position.load(position).handed > 0

    assert await asyncio.to_thread(killed_when, under_way, command) == -signal.SIGKILL
    before = Results.load(tmp_path / "results.json")
    missing = NotRun(backend="sqlite", what="queries at 2000", why="of the run before", failed=True)
    before.not_run.append(missing)
    before.save(tmp_path / "results.json")
    results = await runner.resume(tmp_path, specs(tmp_path, "file")).go()
    assert missing in results.not_run  # a store that is left out now keeps what is said of it
    assert len(results.resumed) == 1
    assert results.command.startswith("logweir bench run")
    assert results.measures[: len(before.measures)] == before.measures
    found = stored(tmp_path)
    events = runner.workload_of(results.workload).events(0, LAST)
    assert {found[event.id] for event in events} == {1}
    assert all(right.median == 1 for right in results.select("query_right", "file"))
    others = [entry for entry in results.not_run if "rate is not known" not in entry.why]
    assert others == [missing]


def assert_all_is_measured(results: Results, backend: str, volume: int) -> None:
    for kind in CLASSES:
        for phase in ("cold", "warm"):
            labels: dict[str, str | int] = {"volume": volume, "phase": phase, "class": kind}
            assert results.one("query", backend, **labels), (backend, labels)
    for name in ("growth", "event_bytes", "bytes_written", "write_amplification", "memory", "storage"):
        assert results.one(name, backend, volume=volume), (backend, name)
    rows = results.one("command", backend, command="query", what="rate")
    assert rows is not None
    assert rows.median > 0
    assert results.one("command", backend, command="trace", what="first_row")
    assert results.one("command", backend, command="tail", what="first_row")
    assert "page cache" in results.backends[backend].cold
    assert results.backends[backend].counted


@pytest.mark.slow
async def test_a_batch_that_was_stored_though_nobody_noted_it_is_not_stored_again(tmp_path: Path) -> None:
    run = begin(tmp_path, "file")
    assert_all_is_measured(await run.go(), "file", BRIEF.volumes[0])
    path = tmp_path / "positions" / "file.json"
    known = Position.load(path)
    assert known.confirmed == known.handed == BRIEF.volumes[0]
    # As a kill would leave it: the first batch was confirmed, the second handed over, and no more is known.
    Position(path, handed=2000, confirmed=1000).save()
    (tmp_path / "stores" / "growing.jsonl").write_bytes(
        b"".join((tmp_path / "stores" / "growing.jsonl").read_bytes().splitlines(keepends=True)[:1500])
    )
    run.results.done.remove("file/growth to 2000")
    run.results.save(run.path)
    again = await runner.resume(tmp_path, specs(tmp_path, "file"), up_to=BRIEF.volumes[0]).go()
    assert {measure.labels["volume"] for measure in again.measures} == {BRIEF.volumes[0]}
    ids = [event.id for event in run.workload.events(0, BRIEF.volumes[0])]
    found = stored(tmp_path)
    assert [found[event_id] for event_id in ids] == [1] * len(ids)


async def test_a_store_that_fails_while_it_grows_is_reported_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: SqliteNative, store: str) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(SqliteNative, "settle", broken)
    monkeypatch.setattr(stages, "measure_commands", no_commands)
    results = await begin(tmp_path).go()
    failed = [(entry.backend, entry.what, entry.why) for entry in results.not_run if entry.failed]
    assert failed == [("sqlite", "growth to 2000", "OSError: the disk is gone")]
    assert results.one("storage_compacted", "file", volume=2000)


async def test_a_store_that_would_become_too_large_is_measured_up_to_there(tmp_path: Path) -> None:
    volumes = SPROUT.volumes[:2]
    profile = Profile("sprout", volumes, 0, each=1, step_seconds=60.0, growth=True)
    results = await begin(tmp_path, "file", profile=profile, limits=Limits(gigabytes=0.0015)).go()
    (entry,) = [entry for entry in results.not_run if entry.limit]
    assert (entry.what, entry.limit, entry.failed) == (f"growth to {volumes[1]}", "disk", False)
    assert "--max-gb allows 0.0015 for each store" in entry.why
    assert results.one("query", "file", volume=volumes[0], phase="cold")


async def test_a_store_whose_time_is_up_is_measured_no_further_and_that_is_no_failure(tmp_path: Path) -> None:
    results = await begin(tmp_path, "file", limits=Limits(minutes=1e-6)).go()
    first, *rest = results.not_run
    assert (first.limit, first.failed) == ("minutes", False)
    assert {entry.why for entry in rest} == {"a limit was reached at an earlier step of this backend"}


def test_a_run_that_is_terminated_says_how_to_go_on(tmp_path: Path) -> None:
    command = [LOGWEIR, "bench", "run", "--profile", "sprout", "--folder", str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True) as running:
        eventually((tmp_path / "positions" / "sqlite.json").exists)
        running.terminate()
        said, _ = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert "sqlite/growth to 2000" in said  # progress, though this is no terminal
    assert "--resume" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--profile", "enormous"], "there is no profile 'enormous'"),
        (["run", "--profile", "large", "--up-to", "9"], "begins at 31,250 events, beyond 9"),
        (["run", "--max-minutes", "-1"], "--max-minutes"),
        (["run", "--max-gb", "much"], "--max-gb"),
        (["run", "--data", "mysql=/"], "--data: there is no server of this run 'mysql'; there are none"),
        (["run", "--backend", "loki=http://x", "--data", "loki=absent"], "there is no such folder"),
        (["run", "--backend", "loki=http://x", "--restart", "loki"], "is not NAME=VALUE"),
        (["run", "--partitions", "4"], "divides tables of mysql"),
        (["merge", "one", "-o", "x.json"], "nothing to merge"),
    ],
)
def test_options_that_cannot_be_are_answered_by_a_message_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(bench, arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.output.replace("│", "").split())


@pytest.mark.slow
async def test_the_time_that_the_right_answers_take_is_no_stores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(tmp_path, "file")
    hours = [0.0]
    count = HourlyCounts.of

    def slowly(self: HourlyCounts, volume: int) -> Counts:
        hours[0] += 1
        return count(self, volume)

    monkeypatch.setattr(HourlyCounts, "of", slowly)
    monkeypatch.setattr(runner, "time", SimpleNamespace(monotonic=lambda: hours[0] * 3600))
    results = await run.go()
    assert hours[0] > 0
    assert results.backends["file"].minutes == 0


async def test_right_answers_that_cannot_be_made_end_a_store_and_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_self: HourlyCounts, _volume: int) -> Counts:
        raise OSError("the disk is full")

    monkeypatch.setattr(HourlyCounts, "of", fail)
    results = await begin(tmp_path, "file").go()
    failed = [entry for entry in results.not_run if entry.failed]
    assert [(entry.backend, "the disk is full" in entry.why) for entry in failed] == [("file", True)]
