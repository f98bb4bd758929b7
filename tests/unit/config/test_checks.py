"""Rules that span keys, and what is probably not meant."""

from pathlib import Path
from typing import Any

import pytest

from logweir.config.checks import find_doubts
from logweir.config.loading import load_config
from logweir.errors import ConfigError

SINKS: dict[str, Any] = {
    "a": {"type": "memory"},
    "b": {"type": "null", "queue": {"when_full": "drop_newest"}},
}


def load(*routes: dict[str, Any]) -> Any:
    return load_config({"sinks": SINKS, "routes": list(routes)})


def test_a_sink_that_audit_can_reach_must_not_drop() -> None:
    with pytest.raises(
        ConfigError, match="when_full: drop_newest would drop audit events of route 'all'; use block, or"
    ):
        load({"name": "all", "to": "b"})
    with pytest.raises(ConfigError, match="of route 'errors'"):
        load({"name": "errors", "match": {"level": ">=error"}, "to": "b"}, {"name": "all", "to": "a"})


def test_a_sink_that_audit_cannot_reach_may_drop() -> None:
    load({"name": "audit", "match": {"kind": "audit"}, "to": "a"}, {"name": "all", "to": "b"})


def test_an_unreachable_route_is_reported_even_if_another_route_is_wrong() -> None:
    with pytest.raises(ConfigError) as caught:
        load(
            {"name": "all", "to": "a"},
            {"name": "wrong", "too": "a"},
            {"name": "late", "match": {"level": "error"}, "to": "a"},
        )
    reported = [problem.path for problem in caught.value.problems]
    assert reported == ["routes[2]", "routes[1].to", "routes[1].too"]


def test_doubts_are_reported_and_are_no_errors() -> None:
    config = load({"name": "some", "match": {"kind": "tracing", "level": "error"}, "to": "a"})
    assert find_doubts(config) == [
        "no route takes audit events; add one with match: {kind: audit}",
        "some tracing events are taken by no route; they are counted as unrouted and not stored",
        "no route sends to the sink 'b'",
    ]


def test_audit_in_a_store_that_does_not_know_ids_is_doubted() -> None:
    lines = {"type": "victorialogs", "url": "http://victorialogs:9428", "queue": {"type": "disk"}}
    sinks = {**SINKS, "lines": lines}
    twice = [
        "audit events go to the sink 'lines', whose store keeps an event twice that is sent twice (at least once); "
        "send audit to a store that knows ids"
    ]
    for match, doubts in (({}, twice), ({"kind": "tracing"}, [])):
        routes = [{"name": "lines", "match": match, "to": ["lines"]}]
        config = load_config({"sinks": sinks, "routes": routes})
        assert [doubt for doubt in find_doubts(config) if "at least once" in doubt] == doubts


def test_a_configuration_that_takes_everything_raises_no_doubt() -> None:
    shipped = Path(__file__).parents[3] / "routing.yaml"
    assert find_doubts(load_config(shipped)) == []


def test_an_excepted_name_that_no_rule_calls_secret_is_doubted() -> None:
    redact = {"keys": ["customer"], "except": ["customer", "user_password", "colour", "colour.of"]}
    config = load_config({"redact": redact, "sinks": SINKS, "routes": [{"name": "all", "to": "a"}]})
    assert [doubt for doubt in find_doubts(config) if "redact" in doubt] == [
        "redact.except: the name 'colour' is no secret's, so that this changes nothing"
    ]


def test_an_audit_call_cannot_wait_until_another_process_has_stored_its_event() -> None:
    elsewhere = {"type": "memory", "queue": {"type": "disk", "deliver": "elsewhere"}}
    config: dict[str, Any] = {
        "sinks": {"far": elsewhere, "near": {"type": "memory"}},
        "audit": {"acknowledge": "stored"},
        "routes": [{"name": "all", "to": "far"}],
    }
    with pytest.raises(ConfigError, match=r"acknowledge: stored waits for the sink 'far'.*use durable"):
        load_config(config)
    load_config({**config, "audit": {"acknowledge": "durable"}})
    tracing = {"name": "rest", "match": {"kind": "tracing"}, "to": "far"}
    load_config({**config, "routes": [tracing, {"name": "audit", "to": "near"}]})


@pytest.mark.parametrize("queue", [{"type": "memory"}, {"when_full": "spill"}])
def test_what_waits_in_memory_cannot_be_delivered_elsewhere(queue: dict[str, str]) -> None:
    sink = {"type": "memory", "queue": {**queue, "deliver": "elsewhere"}}
    with pytest.raises(ConfigError, match="over the disk, which no queue in memory does; use type: disk"):
        load_config({"sinks": {"a": sink}, "routes": [{"name": "all", "to": "a"}]})
