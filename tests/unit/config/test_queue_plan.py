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
