"""What is said of a volume that was not measured stays within what physics allows."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from logweir.benchmarks.suite.advice import show_recommendation
from logweir.benchmarks.suite.needs import KindNeeds, Needs
from logweir.benchmarks.suite.recommend import Recommendation, recommend
from logweir.benchmarks.suite.results import Backend, Measure, Results
from logweir.benchmarks.suite.truth import CLASSES, QueryClass

VOLUMES = (2_000, 10_000, 50_000)
BYTES = 475.0
#: 70 million events of 475 bytes: 33 GB.
TRACING = KindNeeds(events_per_day=5_000_000, retention_days=14, queries={"full_text": 1})


def run_of(kind: str, question: QueryClass, times: tuple[float, ...], memory_gib: float = 512) -> Results:
    """A run of one backend that was asked one class of question at each volume."""
    results = Results(
        started="now", profile="small", workload={}, environment={"memory_gib": memory_gib, "cores": 2}
    )
    results.backends[kind] = Backend(type=kind, server=kind)
    for volume, milliseconds in zip(VOLUMES, times, strict=False):
        for name, labels, unit, value in (
            ("growth", {}, "events/s", 50_000.0),
            ("storage", {"part": "total"}, "bytes/event", BYTES),
            ("query", {"class": question, "phase": "warm"}, "ms", milliseconds),
        ):
            marked: dict[str, str | int] = {"volume": volume, **labels}
            results.measures.append(
                Measure(backend=kind, name=name, labels=marked, unit=unit, values=[value])
            )
    return results


def tracing(results: Results, wanted: KindNeeds = TRACING) -> Recommendation:
    return recommend(Needs(tracing=wanted), results)[1]


def shown(item: Recommendation) -> str:
    output = io.StringIO()
    show_recommendation(item, Console(file=output, width=110))
    return output.getvalue()


def test_a_file_of_33_gb_is_not_read_in_less_time_than_its_bytes_take() -> None:
    item = tracing(run_of("file", "full_text", (300.0, 280.0, 260.0)))
    read = 70e6 * BYTES / (50_000 * BYTES / 260.0)  # at the fastest rate that was measured
    found = item.candidates[0].answers["full_text"]
    assert found.low == pytest.approx(read)
    assert found.value >= read
    assert found.basis == "scan"
    text = shown(item)
    assert "scan of 33.2 GB" in text
    assert "min" in text
    assert "0.26" not in text


def test_a_question_that_an_index_answers_is_carried_on_by_a_fit_that_says_its_error() -> None:
    item = tracing(
        run_of("sqlite", "exact", (0.9, 1.0, 0.95)), TRACING.model_copy(update={"queries": {"exact": 1}})
    )
    found = item.candidates[0].answers["exact"]
    assert found.basis == "fit"
    assert found.error is not None
    assert found.error > 1
    assert 0.95 <= found.low <= found.value <= found.high <= 1.0 * 70e6 / 50_000
    assert "fit" in shown(item)


def test_a_curve_over_less_than_three_doublings_is_not_fitted_but_bounded() -> None:
    wanted = TRACING.model_copy(update={"queries": {"exact": 1}})
    results = run_of("sqlite", "exact", (1.0, 1.0))  # 2,000 and 10,000: 2.3 doublings
    found = tracing(results, wanted).candidates[0].answers["exact"]
    assert (found.basis, found.error) == ("bounds", None)
    assert (found.low, found.high) == (1.0, pytest.approx(70e6 / 10_000))
    assert "takes 7.14 to 50,000 events/s" in shown(tracing(results, wanted))
    assert "at most" in shown(tracing(results, wanted))


def test_a_question_whose_time_grows_with_the_store_is_called_a_scan_whatever_the_store_is() -> None:
    wanted = TRACING.model_copy(update={"queries": {"trace": 1}})
    item = tracing(run_of("mongodb", "trace", (1.2, 2.8, 13.0)), wanted)
    assert item.candidates[0].answers["trace"].basis == "scan"
    assert "scan" in shown(item)


def test_times_are_in_units_that_people_use() -> None:
    text = shown(tracing(run_of("file", "full_text", (80.0, 400.0, 1_936.0))))
    assert "45 min" in text
    assert " ms" not in text


def test_a_store_that_outgrows_the_memory_it_was_measured_in_is_warned_of() -> None:
    small = tracing(run_of("sqlite", "full_text", (1.0, 5.0, 25.0), memory_gib=8.0))
    assert any("memory" in line for line in small.candidates[0].cautions)
    assert not any(
        "memory" in line
        for line in tracing(run_of("sqlite", "full_text", (1.0, 5.0, 25.0))).candidates[0].cautions
    )


def test_a_store_that_outgrows_the_memory_is_judged_by_its_cold_answers_and_the_bytes_that_they_read() -> (
    None
):
    results = run_of("sqlite", "full_text", (2.0, 6.0, 25.0), memory_gib=8.0)
    results.backends["sqlite"].cold = "the pages of its file were dropped"
    for volume, milliseconds in zip(VOLUMES, (10.0, 50.0, 250.0), strict=True):
        labels: dict[str, str | int] = {"volume": volume, "class": "full_text"}
        for name, more, value in (
            ("query", {"phase": "cold"}, milliseconds),
            ("bytes_read", {}, volume * 600.0),
        ):
            results.measures.append(
                Measure(backend="sqlite", name=name, labels={**labels, **more}, unit="", values=[value])
            )
    found = tracing(results).candidates[0].answers["full_text"]
    assert (found.phase, found.basis) == ("cold", "scan")
    assert found.value == pytest.approx(250.0 * 70e6 / 50_000)
    assert found.reads == pytest.approx(70e6 * 600)
    text = shown(tracing(results))
    assert "42.0 GB" in text
    assert "caches empty" in " ".join(text.split())


@given(
    times=st.tuples(*[st.floats(0.01, 1e5)] * 3),
    kind=st.sampled_from(["sqlite", "file", "mongodb", "elasticsearch", "loki", "victorialogs"]),
    question=st.sampled_from(sorted(CLASSES)),
    days=st.lists(st.floats(0.01, 1000), min_size=2, max_size=2).map(sorted),
)
def test_more_events_are_never_answered_faster_nor_beyond_linear_growth(
    times: tuple[float, float, float], kind: str, question: QueryClass, days: list[float]
) -> None:
    results = run_of(kind, question, times)
    found = []
    for day in days:
        wanted = KindNeeds(events_per_day=1_000_000, retention_days=day, queries={question: 1})
        answer = tracing(results, wanted).candidates[0].answers[question]
        volume = day * 1e6
        ceiling = max(times) * max(1.0, volume / 50_000)
        assert min(times) * 0.999 <= answer.low <= answer.value * 1.0001
        assert answer.value <= answer.high * 1.0001
        assert answer.high <= ceiling * 1.0001
        found.append(answer)
    assert found[0].value <= found[1].value * 1.0001
