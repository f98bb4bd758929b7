"""What a sink's queue is where routing.yaml leaves it open, and which combinations are refused."""

from typing import Any

import pytest

from logweir.config.checks import find_doubts
from logweir.config.loading import load_config
from logweir.config.queue_plan import plan_queue
from logweir.errors import ConfigError
from logweir.settings.delivery import QueueConfig

AUDIT = {"name": "audit", "match": {"kind": "audit"}, "to": ["a"]}


def load(*routes: dict[str, Any], **queues: dict[str, Any]) -> Any:
    sinks = {name: {"type": "memory", "queue": queues.get(name, {})} for name in "ab"}
    return load_config({"sinks": sinks, "routes": list(routes)})


REDIS = {"type": "redis", "url": "redis://:hush-hush@host"}
KAFKA = {"type": "kafka", "brokers": ["kafka-1:9092"]}
SASL = {"username": "app", "password": "hush-hush"}
TRACING = {"name": "t", "match": {"kind": "tracing"}, "to": ["b"]}


@pytest.mark.parametrize(
    ("route", "queue", "expected"),
    [
        ({**AUDIT, "to": ["b"]}, {}, ("disk", "block", "block")),
        ({**AUDIT, "to": ["b"]}, {"local": "none"}, ("memory", "block", "block")),
        ({**AUDIT, "to": ["b"]}, {"local": "memory"}, ("memory", "block", "block")),
        (TRACING, {}, ("memory", "spill", "drop_oldest")),
        (TRACING, {"local": "memory"}, ("memory", "spill", "drop_oldest")),
        (TRACING, {"local": "none"}, ("memory", "drop_oldest", "drop_oldest")),
        (TRACING, {"local": "disk"}, ("disk", "drop_oldest", "drop_oldest")),
        (TRACING, {"when_full": "drop_newest"}, ("memory", "drop_newest", "drop_newest")),
    ],
)
def test_events_for_a_broker_wait_on_disk_for_audit_and_in_memory_with_room_on_disk_for_tracing(
    route: dict[str, Any], queue: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    config = load(route, b={**REDIS, **queue})
    plan = plan_queue("b", config)
    assert (plan.type, plan.when_full, plan.at_last) == expected
    assert plan.config.goes_over_a_broker


@pytest.mark.parametrize(
    ("queue", "message"),
    [
        ({"type": "redis"}, "type: redis needs url"),
        ({"type": "disk", "partitions": 4}, "partitions belongs to a queue over a broker"),
        ({"url": "redis://h", "group": "g"}, "group, url belong to a queue over a broker"),
        ({**REDIS, "partition": 4}, "did you mean 'partitions'"),
        ({**REDIS, "partitions": 0}, "partitions must be at least 1, not 0"),
        ({**REDIS, "stream": "a{b}"}, "a stream's name has letters"),
        ({**REDIS, "local": "none", "when_full": "spill"}, "needs local: memory"),
        ({"type": "redis", "url": "http://:hush-hush@host"}, "a url of Redis is redis://"),
        ({"type": "kafka"}, "type: kafka needs brokers"),
        ({"type": "kafka", "brokers": []}, "type: kafka needs brokers"),
        ({"type": "kafka", "brokers": ["app:hush-hush@kafka:9092"]}, "a broker of Kafka is host:port"),
        ({**KAFKA, "wait_replicas": 1}, "wait_replicas belongs to a queue of type: redis"),
        ({**REDIS, "topic": "t", "sasl": SASL}, "sasl, topic belong to a queue of type: kafka"),
        ({**KAFKA, "topic": "a topic"}, "a topic's name has at most 200 letters"),
        ({**KAFKA, "sasl": SASL | {"mechanism": "gssapi"}}, "'gssapi'"),
        ({**KAFKA, "replication": 0}, "replication must be at least 1, not 0"),
    ],
)
def test_keys_of_a_broker_that_cannot_be_meant_are_refused_without_its_password(
    queue: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as refusal:
        load(TRACING, b=queue)
    assert len(refusal.value.problems) == 1
    assert "hush" not in str(refusal.value)


def test_waiting_for_a_sink_behind_a_broker_is_refused() -> None:
    sinks = {"b": {"type": "memory", "queue": REDIS}}
    routes = [{**AUDIT, "to": ["b"]}]
    with pytest.raises(ConfigError, match="that does not report back to the caller; use durable") as refusal:
        load_config({"sinks": sinks, "routes": routes, "audit": {"acknowledge": "stored"}})
    assert [problem.path for problem in refusal.value.problems] == ["audit.acknowledge"]
    load_config({"sinks": sinks, "routes": routes, "audit": {"acknowledge": "durable"}})


@pytest.mark.parametrize("queue", [REDIS, KAFKA], ids=["redis", "kafka"])
def test_a_broker_whose_client_is_not_installed_is_refused_with_the_command_to_type(
    queue: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logweir.config.checks.missing_extra", lambda kind: kind)
    with pytest.raises(ConfigError, match=rf"type: pip install 'logweir\[{queue['type']}\]'") as refusal:
        load_config({"sinks": {"b": {"type": "memory", "queue": queue}}, "routes": [TRACING]})
    assert [problem.path for problem in refusal.value.problems] == ["sinks.b.queue.type"]


@pytest.mark.parametrize(
    ("routes", "queue", "expected"),
    [
        ([AUDIT, {"name": "rest", "to": ["b"]}], {}, ("memory", "drop_oldest", "drop_oldest")),
        ([AUDIT, {"name": "rest", "to": ["b"]}], {"type": "disk"}, ("disk", "drop_oldest", "drop_oldest")),
        ([{**AUDIT, "to": ["a", "b"]}], {}, ("disk", "block", "block")),
        ([{"name": "all", "to": ["b"]}], {}, ("disk", "block", "block")),
        ([{"name": "errors", "match": {"level": "error"}, "to": ["b"]}], {}, ("disk", "block", "block")),
        ([{"name": "all", "to": ["b"]}], {"type": "memory"}, ("memory", "block", "block")),
        ([{"name": "all", "to": ["b"]}], {"when_full": "spill"}, ("memory", "spill", "block")),
        (
            [{"name": "t", "match": {"kind": "tracing"}, "to": ["b"]}],
            {"when_full": "spill"},
            ("memory", "spill", "drop_oldest"),
        ),
        (
            [{"name": "t", "match": {"kind": "tracing"}, "to": ["b"]}],
            {"when_full": "drop_newest"},
            ("memory", "drop_newest", "drop_newest"),
        ),
    ],
)
def test_what_audit_can_reach_waits_on_disk_and_never_drops(
    routes: list[dict[str, Any]], queue: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    plan = plan_queue("b", load(*routes, b=queue))
    assert (plan.type, plan.when_full, plan.at_last) == expected


def test_each_type_has_bounds_of_its_own() -> None:
    assert QueueConfig().bounds("memory") == (50_000, 256 * 2**20)
    assert QueueConfig().bounds("disk") == (1_000_000, 2**30)
    assert QueueConfig(max_events=7, max_bytes=5000).bounds("disk") == (7, 5000)
    spilling = QueueConfig(when_full="spill", max_events=7, spill_max_events=9)
    assert spilling.bounds("memory").events == 7
    assert spilling.of_spill().bounds("disk") == (9, 2**30)


@pytest.mark.parametrize(
    ("queue", "message"),
    [
        (
            {"type": "disk", "when_full": "spill"},
            "with type: disk all is there already; use when_full: block",
        ),
        ({"spill_max_bytes": "1GiB"}, "remove them, or add when_full: spill"),
        ({"when_full": "drop_oldest", "spill_max_events": 5}, "remove them, or add when_full: spill"),
        ({"type": "tape"}, "queue.type"),
        ({"when_full": "drop_oldest"}, "would drop audit events of route 'all'; use block"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence_that_names_the_keys(
    queue: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load({"name": "all", "to": ["a", "b"]}, b=queue)


@pytest.mark.parametrize("queue", [{"type": "memory"}, {"when_full": "spill"}])
def test_audit_in_memory_is_allowed_and_doubted(queue: dict[str, Any]) -> None:
    config = load({"name": "all", "to": ["a", "b"]}, b=queue)
    assert find_doubts(config) == [
        "audit events wait in memory for the sink 'b' and are lost with the process; say queue: {type: disk}"
    ]
