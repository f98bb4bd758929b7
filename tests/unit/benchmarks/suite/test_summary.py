"""What a row marks, what is said where two figures of one store differ, and units that people read."""

import pytest

from logweir.benchmarks.suite.explanations import differing_rates
from logweir.benchmarks.suite.results import Backend, Label, Measure, NotRun, Results
from logweir.benchmarks.suite.summary import Row, headline
from logweir.benchmarks.suite.units import count, duration, figure, size
from logweir.benchmarks.suite.wording import environment_of, missing, moment, store_name, workload_of


def row(more: bool = False, apart: tuple[str, ...] = (), **values: list[float]) -> Row:
    measures = {
        name: Measure(backend=name, name="x", unit="ms", values=given) for name, given in values.items()
    }
    return Row("Reading", "x", "ms", more, measures, apart=frozenset(apart))


def run_of(*measures: tuple[str, str, dict[str, Label], list[float]]) -> Results:
    results = Results(started="now", profile="small", workload={}, environment={})
    for backend, name, labels, values in measures:
        results.backends[backend] = Backend(type=backend)
        results.measures.append(Measure(backend=backend, name=name, labels=labels, unit="", values=values))
    return results


def test_the_best_is_marked_only_where_no_other_range_overlaps_its_own() -> None:
    assert row(a=[1, 2], b=[3, 4]).best() == "a"
    assert row(more=True, a=[1, 2], b=[3, 4]).best() == "b"
    assert row(a=[1, 3], b=[3, 4]).best() is None
    assert row(a=[1, 3], b=[3, 4]).leaders() == ["a", "b"]
    assert row(a=[1]).best() is None
    assert row().best() is None


def test_what_was_measured_at_another_volume_is_not_compared() -> None:
    assert row(apart=("a",), a=[1], b=[3], c=[5]).best() == "b"
    results = run_of(
        ("mysql", "growth", {"volume": 1000}, [5.0]),
        ("sqlite", "growth", {"volume": 1000}, [9.0]),
        ("sqlite", "growth", {"volume": 2_000_000}, [7.0]),
    )
    grown = next(iter(headline(results)))
    assert grown.what == "while the store grows to 2 million"
    assert (grown.remarks, grown.apart) == ({"mysql": "at 1,000"}, {"mysql"})


def test_two_rates_of_one_store_are_explained() -> None:
    cell: dict[str, Label] = {"workers": 4, "batch": 1000}
    same: dict[str, Label] = {"workers": 2, "batch": 1000}
    results = run_of(
        ("mysql", "ingest", cell, [42_957.0]),
        ("mysql", "ingest", same, [30_000.0, 31_000.0]),
        ("mysql", "growth", {**same, "volume": 50_000}, [6_000.0, 7_058.0, 9_000.0]),
        ("sqlite", "ingest", same, [10.0]),
        ("sqlite", "growth", {**same, "volume": 50_000}, [9.0]),
    )
    (explained,) = differing_rates(results)
    assert "42,957 events/s with 4 workers and batches of 1,000 into an empty store" in explained
    assert "30,500 events/s there with the 2 workers" in explained
    assert "7,058 events/s (6,000 to 9,000 in its parts) by them while the store grows to 50,000" in explained
    assert "what is already stored" in explained


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0.94, "0.94 ms"),
        (148.8, "149 ms"),
        (2_945, "2.94 s"),
        (87_900, "87.9 s"),
        (2_709_816, "45 min"),
        (11_000_000, "3.1 h"),
        (4e8, "4.6 days"),
    ],
)
def test_times_are_in_a_unit_that_fits(milliseconds: float, text: str) -> None:
    assert duration(milliseconds) == figure(milliseconds, "ms") == text


def test_sizes_and_counts_are_in_units_that_fit() -> None:
    assert [size(x) for x in (512, 4.2e4, 3.32e10)] == ["512 bytes", "42.0 kB", "33.2 GB"]
    assert [count(x) for x in (50_000, 36_500_000, 2e9)] == ["50,000", "36.5 million", "2 billion"]


def test_keys_of_the_file_are_put_in_words() -> None:
    results = run_of(("mysql", "growth", {"volume": 1}, [1.0]))
    results.backends["mongodb"] = Backend(type="mongodb", server="FerretDB v2.7.0")
    results.backends["near"] = Backend(type="mysql")
    names = [store_name(results, name) for name in ("mysql", "mongodb", "near")]
    assert names == ["MySQL", "MongoDB (FerretDB)", "near"]
    assert environment_of({"cores": 2, "memory_gib": 23.5, "disk_kind": "ssd"}) == (
        "2 cores, 23.5 GiB of memory, disk kind ssd"
    )
    results.workload = {"shape": "seeded", "seed": 7, "first_ns": 0, "step_ns": 300_000_000}
    assert workload_of(results) == (
        "made-up events of a mixed shape, drawn with the seed 7, 300 ms apart from 1970-01-01 00:00 UTC on"
    )
    assert moment("2026-11-25T03:39:06+00:00") == "2026-11-25 03:39 UTC"
    results.not_run = [
        NotRun(backend="mysql", what="growth", why="1 h", limit="minutes"),
        NotRun(backend="mysql", what="storage", why="an earlier step failed"),
        NotRun(backend="mysql", what="queries", why="an earlier step failed"),
    ]
    assert list(missing(results)) == [
        "Not measured: MySQL, growth (the time that a store may take was up): 1 h",
        "Not measured: MySQL, storage, queries: an earlier step failed",
    ]


def test_values_that_were_not_repeated_are_alike_within_a_few_percent() -> None:
    assert row(a=[100], b=[103]).leaders() == ["a", "b"]
    assert row(a=[100], b=[120]).best() == "a"
