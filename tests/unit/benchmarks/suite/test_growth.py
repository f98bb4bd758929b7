"""The parts of a growth run that need no store: where it is, what it asks, whom it counts, what it forgets."""

from dataclasses import replace
from itertools import count, pairwise
from pathlib import Path

import pytest

from logweir.benchmarks.suite.growth import page_cache, process
from logweir.benchmarks.suite.growth.emptying import Emptying
from logweir.benchmarks.suite.growth.filling import Position
from logweir.benchmarks.suite.growth.process import Counters, Watched, watched
from logweir.benchmarks.suite.natives import Spec, native_of
from logweir.benchmarks.suite.profiles import PROFILES
from logweir.benchmarks.suite.truth import Aggregation, LabelQuestion, questions
from logweir.benchmarks.suite.workload import SeededWorkload
from logweir.sinks.query_match import matches, nanoseconds

SERVER = Spec("db", "mysql", "mysql+aiomysql://u:p@127.0.0.1:1/t", Path("/nowhere"), run="1")


@pytest.mark.parametrize("name", ["sprout", "large", "huge"])
def test_volumes_of_a_growth_run_double_at_least_thrice_but_for_the_smallest_of_all(name: str) -> None:
    volumes = PROFILES[name].volumes
    assert all(abs(after - 2 * before) <= 1 for before, after in pairwise(volumes))
    assert len(volumes) >= (3 if name == "sprout" else 4)


def test_a_position_comes_back_as_it_was_noted(tmp_path: Path) -> None:
    position = Position(tmp_path / "store.json")
    for high in (1000, 2000, 3000):
        position.hand(high)
    position.confirm(1000, 2000)
    assert position.confirmed == 0  # the first is still under way
    position.hand(4000)
    again = Position.load(tmp_path / "store.json")
    assert (again.handed, again.confirmed, again.beyond) == (4000, 0, {1000: 2000})
    again.confirm(0, 1000)
    assert (again.confirmed, again.beyond) == (2000, {})


def test_every_answer_is_the_one_that_looking_at_all_events_gives() -> None:
    workload, volume = SeededWorkload(first_ns=1_760_000_000 * 10**9, step_ns=2 * 10**9), 3500
    events = list(workload.events(0, volume))
    for question in questions(workload, volume, 2, seed=3):
        match question.ask:
            case Aggregation():
                assert sum(question.counts.values()) == volume
            case LabelQuestion(service, level, start, end):
                low, high = nanoseconds(start), nanoseconds(end)
                found = [
                    e.id for e in events if (e.service, e.level) == (service, level) and low <= e.time < high
                ]
                assert question.ids == found[:1000]
            case ask:
                assert question.ids == [event.id for event in events if matches(event, ask)][:1000]


def test_a_divided_table_and_the_other_one_of_the_same_server_are_two() -> None:
    pytest.importorskip("aiomysql")
    divided = native_of(replace(SERVER, name="db-partitioned", partitions=8))
    assert divided.sink_settings("growing")["statement_timeout"] > 30 * 60  # a scan of ten million rows
    assert native_of(SERVER).sink_settings("growing")["table"] != divided.sink_settings("growing")["table"]


def test_a_server_that_nobody_runs_here_is_not_counted_and_an_embedded_store_is_this_process() -> None:
    assert watched(SERVER.url).counters() is None
    assert watched("mysql://db.invalid:3306/t").counters() is None
    own = watched("")
    before = own.counters()
    assert before is not None
    Path("/proc/self/io").read_bytes()
    after = own.counters()
    assert after is not None
    assert after >= before
    assert own.memory()


@pytest.mark.skipif(not page_cache.can_drop(), reason="this system takes no advice about its page cache")
def test_a_file_whose_cache_is_dropped_is_no_more_in_memory_and_still_whole(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(bytes(1 << 20))
    resident = page_cache.resident([path])
    assert resident in {None, 1 << 20}
    page_cache.drop([path, tmp_path / "gone"])
    left = page_cache.resident([path])
    assert left is None or left <= 1 << 20  # a file system in memory keeps what it has
    assert path.read_bytes() == bytes(1 << 20)
    assert page_cache.resident([tmp_path / "gone"]) == 0


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (SERVER, "Only the connection was new"),
        (replace(SERVER, data="/var/lib/x"), "the server's own caches were not emptied"),
        (replace(SERVER, restart="true"), "The server was started again: once before"),
        (replace(SERVER, restart="true", data="/x"), "then the page cache of its data files was dropped"),
        (replace(SERVER, url=""), "before each question"),
    ],
)
def test_what_is_emptied_is_said_in_words(spec: Spec, words: str) -> None:
    assert words in Emptying(spec).words


async def test_what_a_server_writes_behind_is_counted_with_what_caused_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "_REST", 0.03)
    monkeypatch.setattr(process, "_LOOK", 0.01)
    writes = iter([*range(50), *[49] * 100])
    monkeypatch.setattr(Watched, "counters", lambda _: Counters(next(writes), 0))
    assert await Watched(1, "a server").counters_at_rest() == (49, 0)
    without_end = count()
    monkeypatch.setattr(Watched, "counters", lambda _: Counters(next(without_end), 0))
    monkeypatch.setattr(process, "_UNREST", 0.1)
    found = await Watched(1, "a server").counters_at_rest()
    assert found is not None
    assert await Watched(1, "this process", embedded=True).counters_at_rest() == (found.written + 1, 0)
