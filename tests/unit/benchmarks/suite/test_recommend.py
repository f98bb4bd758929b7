"""A recommendation follows from the needs and the figures, and says what it does not know."""

from pathlib import Path

import pytest
import yaml

from logweir.benchmarks.suite.needs import KindNeeds, Needs, load_needs
from logweir.benchmarks.suite.recommend import recommend, rule_of_thumb
from logweir.benchmarks.suite.results import Backend, Measure, NotRun, Results
from logweir.benchmarks.suite.routing_file import routing_yaml
from logweir.config.loading import load_config
from logweir.errors import LogweirError

AUDIT = KindNeeds(events_per_day=1000, retention_days=10, queries={"exact": 1}, joins=True)
TRACING = KindNeeds(events_per_day=100_000, retention_days=10, queries={"full_text": 1, "exact": 1})
NEEDS = Needs(audit=AUDIT, tracing=TRACING)


def made(**speeds: float) -> Results:
    """Results of backends by type, whose queries take so many milliseconds."""
    results = Results(started="now", profile="small", workload={"seed": 7}, environment={})
    for name, milliseconds in speeds.items():
        path = {"sqlite": {"url": "sqlite+aiosqlite:///x.db", "table": "t"}, "file": {"path": "x.jsonl"}}.get(
            name, {}
        )
        results.backends[name] = Backend(type=name, server=f"{name} 1", settings={"type": name, **path})
        for volume in (1000, 3000, 10_000):
            labels: dict[str, str | int] = {"volume": volume}
            add = results.measures.append
            add(Measure(backend=name, name="growth", labels=labels, unit="events/s", values=[5000.0]))
            part = {**labels, "part": "total"}
            add(Measure(backend=name, name="storage", labels=part, unit="bytes/event", values=[500.0]))
            for kind in ("exact", "full_text"):
                asked = {**labels, "class": kind, "phase": "warm"}
                add(Measure(backend=name, name="query", labels=asked, unit="ms", values=[milliseconds]))
    return results


def winners(results: Results, needs: Needs = NEEDS) -> list[str | None]:
    return [item.winner.backend if item.winner else None for item in recommend(needs, results)]


def test_who_answers_faster_wins() -> None:
    assert winners(made(mysql=2, sqlite=9, file=100)) == ["mysql", "mysql"]


def test_what_cannot_be_joined_is_out_where_joins_are_needed() -> None:
    audit, tracing = recommend(NEEDS, made(file=1, sqlite=50))
    assert audit.winner is not None
    assert audit.winner.backend == "sqlite"
    assert tracing.winner is not None
    assert tracing.winner.backend == "file"
    assert audit.candidates[-1].out == ["cannot be joined with business data"]


def test_who_cannot_keep_up_is_out() -> None:
    busy = NEEDS.model_copy(update={"tracing": TRACING.model_copy(update={"events_per_day": 1e9})})
    assert winners(made(sqlite=1), busy) == ["sqlite", None]


def test_several_machines_need_a_server() -> None:
    assert winners(made(sqlite=1, mysql=5), NEEDS.model_copy(update={"machines": 3})) == ["mysql", "mysql"]


def test_the_budget_of_operations_is_kept() -> None:
    assert (
        winners(made(sqlite=99, mysql=1), NEEDS.model_copy(update={"operations": "none"})) == ["sqlite"] * 2
    )


def test_wrong_answers_lost_events_and_failures_put_a_backend_out() -> None:
    results = made(sqlite=1, mysql=50)
    right: dict[str, str | int] = {"class": "full_text", "volume": 1000}
    results.measures.append(
        Measure(backend="sqlite", name="query_right", labels=right, unit="share", values=[0.5])
    )
    results.measures.append(Measure(backend="sqlite", name="lost", unit="events", values=[0.0, 3.0]))
    assert winners(results) == ["mysql", "mysql"]
    results.not_run.append(NotRun(backend="mysql", what="recovery", why="gone", failed=True))
    assert winners(results) == [None, None]


def test_what_reaches_beyond_the_measurements_is_said() -> None:
    audit, tracing = recommend(NEEDS, made(sqlite=1))
    assert (audit.candidates[0].reach, tracing.candidates[0].reach) == (1, 100)
    assert audit.candidates[0].answers["exact"].basis == "measured"
    assert tracing.candidates[0].answers["exact"].basis == "fit"
    assert tracing.candidates[0].answers["full_text"].basis == "scan"


def test_who_may_not_keep_up_at_that_volume_is_ranked_with_a_caution() -> None:
    results = made(sqlite=1)
    results.measures = [measure for measure in results.measures if measure.labels["volume"] != 3000]
    needs = NEEDS.model_copy(update={"tracing": TRACING.model_copy(update={"events_per_day": 2e6})})
    winner = recommend(needs, results)[1].winner
    assert winner is not None
    assert winner.rate is not None
    assert winner.rate.basis == "bounds"
    assert "as few as" in winner.cautions[0]


def test_the_rule_of_thumb_is_shown_and_contradicted_where_the_figures_do() -> None:
    audit, tracing = recommend(NEEDS, made(sqlite=1, mysql=10, elasticsearch=1.01))
    assert audit.verdict == (
        "the rule of thumb says mysql; the measurements contradict it: "
        "sqlite answers 10.0 × as fast; sqlite is less to operate"
    )
    assert "contradict" in tracing.verdict or "agree" in tracing.verdict or "so do" in tracing.verdict
    assert (
        recommend(NEEDS, made(mysql=1))[0].verdict
        == "the rule of thumb says mysql, and so do the measurements"
    )
    assert recommend(NEEDS, made(sqlite=1))[0].verdict.endswith("which was not measured")


@pytest.mark.parametrize(
    ("kind", "volume", "queries", "expected"),
    [
        ("audit", 1e6, {}, "mysql"),
        ("audit", 1e8, {}, "mongodb"),
        ("tracing", 1e6, {"full_text": 1}, "elasticsearch"),
        ("tracing", 1e6, {"label_time": 1}, "loki"),
        ("tracing", 2e9, {}, "loki"),
        ("tracing", 1e8, {"complex": 1}, "mongodb"),
    ],
)
def test_the_rules_of_thumb(kind: str, volume: float, queries: dict[str, float], expected: str) -> None:
    assert rule_of_thumb(kind, volume, KindNeeds(events_per_day=1, queries=queries)) == expected  # type: ignore[arg-type]


def test_the_routing_file_is_valid_and_keeps_the_kinds_apart(tmp_path: Path) -> None:
    results = made(sqlite=1)
    text = routing_yaml(recommend(NEEDS, results), results)
    (tmp_path / "routing.yaml").write_text(text)
    load_config(tmp_path / "routing.yaml")
    sinks = yaml.safe_load(text)["sinks"]
    assert (sinks["audit_db"]["table"], sinks["logs"]["table"]) == ("t", "tracing_log")


def test_no_file_is_written_for_a_kind_that_nothing_will_do_for() -> None:
    results = made(file=1)
    with pytest.raises(LogweirError, match="for audit"):
        routing_yaml(recommend(NEEDS, results), results)


def test_needs_come_from_a_file_and_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "needs.yaml"
    path.write_text("audit: {events_per_day: 10, joins: false}\noperations: low\n")
    assert load_needs(path).audit.events_per_day == 10
    path.write_text("audit: {events_per_day: -1}\nunknown: 1\n")
    with pytest.raises(LogweirError, match=r"audit\.events_per_day.*\n.*unknown"):
        load_needs(path)
    path.write_text("a: [")
    with pytest.raises(LogweirError, match="is no YAML"):
        load_needs(path)
    with pytest.raises(LogweirError, match="cannot be read"):
        load_needs(tmp_path / "absent.yaml")
