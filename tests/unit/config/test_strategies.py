"""Strategies: what they add, and that the file's own routes win."""

from typing import Any

import pytest

from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.errors import ConfigError

SINKS: dict[str, Any] = {
    "audit_db": {"type": "memory"},
    "logs": {"type": "null"},
    "search": {"type": "null"},
    "other": {"type": "null"},
}


def load(strategy: str, *, sinks: dict[str, Any] = SINKS, **rest: Any) -> RoutingConfig:
    return load_config({"strategy": strategy, "sinks": sinks, **rest})


def targets(config: RoutingConfig) -> dict[str, list[str]]:
    return {route.name: route.to for route in config.routes}


def test_explicit_adds_no_rule() -> None:
    config = load("explicit")
    assert config.classify == []
    assert targets(config) == {"audit": ["audit_db"], "tracing": ["logs"]}


def test_hybrid_adds_rules() -> None:
    config = load("hybrid", classify=[{"kind": "tracing", "match": {"event": "fund.preview"}}])
    assert [rule.kind.value for rule in config.classify] == ["tracing", "audit", "audit"]
    assert targets(config) == {"audit": ["audit_db"], "tracing": ["logs"]}


def test_separated_sends_errors_where_they_are_searched() -> None:
    assert targets(load("separated")) == {
        "audit": ["audit_db"],
        "errors": ["search", "logs"],
        "rest": ["logs"],
    }


def test_separated_does_without_a_search_sink() -> None:
    sinks = {name: SINKS[name] for name in ("audit_db", "logs")}
    assert targets(load("separated", sinks=sinks))["errors"] == ["logs"]


def test_separated_sends_all_tracing_to_a_sink_of_documents() -> None:
    assert targets(load("separated", sinks={**SINKS, "documents": {"type": "null"}})) == {
        "audit": ["audit_db"],
        "errors": ["search", "logs", "documents"],
        "rest": ["logs", "documents"],
    }


@pytest.mark.parametrize("strategy", ["explicit", "hybrid"])
def test_the_stages_before_know_one_store_of_tracing(strategy: str) -> None:
    config = load(strategy, sinks={**SINKS, "documents": {"type": "null"}})
    assert targets(config) == {"audit": ["audit_db"], "tracing": ["logs"]}


def test_one_route_of_the_file_sends_all_tracing_to_every_store() -> None:
    everywhere = ["logs", "search", "documents"]
    config = load(
        "separated",
        sinks={**SINKS, "documents": {"type": "null"}},
        routes=[{"name": "tracing", "match": {"kind": "tracing"}, "to": everywhere}],
    )
    assert targets(config) == {"tracing": everywhere, "audit": ["audit_db"]}


def test_a_route_of_the_file_replaces_the_one_of_the_same_name() -> None:
    config = load(
        "hybrid", routes=[{"name": "audit", "match": {"kind": "audit"}, "to": ["audit_db", "other"]}]
    )
    assert targets(config) == {"audit": ["audit_db", "other"], "tracing": ["logs"]}


def test_routes_of_the_strategy_that_get_no_events_are_left_out() -> None:
    config = load("hybrid", routes=[{"name": "everything", "to": ["other"]}])
    assert targets(config) == {"everything": ["other"]}


def test_a_sink_is_only_needed_by_routes_that_are_left() -> None:
    sinks = {name: SINKS[name] for name in ("audit_db", "other")}
    config = load(
        "hybrid", sinks=sinks, routes=[{"name": "mine", "match": {"kind": "tracing"}, "to": ["other"]}]
    )
    assert targets(config) == {"mine": ["other"], "audit": ["audit_db"]}


def test_an_expanded_configuration_can_be_loaded_again() -> None:
    config = load("hybrid", routes=[{"name": "mine", "match": {"kind": "tracing"}, "to": ["other"]}])
    assert load_config(config) is config


@pytest.mark.parametrize("strategy", ["explicit", "hybrid", "separated"])
def test_missing_sinks_are_named_all_at_once(strategy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(strategy, sinks={"other": {"type": "null"}})
    reported = [problem.message for problem in caught.value.problems]
    assert reported == [
        f"strategy {strategy} needs a sink named {name!r}; declare it under sinks"
        for name in ("audit_db", "logs")
    ]


def test_an_unknown_strategy_names_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        load("hybird")
    [problem] = caught.value.problems
    assert problem.message == (
        "strategy must be one of 'explicit', 'hybrid' or 'separated', not 'hybird'; did you mean 'hybrid'?"
    )
