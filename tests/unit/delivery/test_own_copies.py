"""D2: what a sink does to its events is seen by no other sink, no later write and no dead letter."""

import copy
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import logweir
from logweir.delivery.own_copies import for_sink
from logweir.encoding import decode_event
from logweir.errors import SinkRejected
from logweir.event import Event
from logweir.sinks.contract import Sink, SinkConfig, SyncSink
from logweir.sinks.memory import MemoryConfig, MemorySink
from logweir.sinks.results import WriteResult
from logweir.sinks.threaded import as_async
from support.waiting import eventually

FIELDS = {"user": "ann", "nested": {"roles": ["a", {"b": 1}]}}
seen: list[dict[str, Any]] = []


def spoil(batch: Sequence[Event]) -> None:
    for event in batch:
        seen.append(copy.deepcopy(event.fields))
        event.fields["nested"]["roles"][1]["b"] = "changed"
        event.fields["nested"]["roles"].clear()
        event.fields.clear()
    batch.clear()  # type: ignore[attr-defined]


class Spoils(Sink[SinkConfig]):
    async def write(self, batch: Sequence[Event]) -> WriteResult:
        spoil(batch)
        return WriteResult.all_stored()


class SpoilsInAThread(SyncSink[SinkConfig]):
    def write(self, batch: Sequence[Event]) -> WriteResult:
        spoil(batch)
        return WriteResult.all_stored()


class SpoilsAndRefuses(Sink[SinkConfig]):
    async def write(self, batch: Sequence[Event]) -> WriteResult:
        spoil(batch)
        if len(seen) < 3:
            raise RuntimeError("not yet")
        raise SinkRejected("no")


@pytest.mark.parametrize("kind", ["Spoils", "SpoilsInAThread"])
def test_d2_a_sink_that_changes_fields_changes_nothing_for_the_others(kind: str) -> None:
    seen.clear()
    sinks = {
        "bad": {"type": f"{__name__}:{kind}", "batch": {"linger": 0}},
        "good": {"type": "memory", "batch": {"linger": "300ms"}},
    }
    runtime = logweir.start({"sinks": sinks, "routes": [{"name": "all", "match": {}, "to": [*sinks]}]})
    runtime.emit("event", dict(FIELDS))
    eventually(lambda: seen)
    assert logweir.stop(timeout=10.0)
    assert [event.fields for event in MemorySink.of("good").events.values()] == [FIELDS]


def test_d2_a_later_write_and_a_dead_letter_have_the_event_as_it_was(tmp_path: Path) -> None:
    seen.clear()
    retry = {"initial": "1ms", "max": "1ms"}
    sinks = {"bad": {"type": f"{__name__}:SpoilsAndRefuses", "batch": {"linger": 0}, "retry": retry}}
    runtime = logweir.start(
        {"sinks": sinks, "routes": [{"name": "all", "match": {}, "to": ["bad"]}], "data_dir": str(tmp_path)}
    )
    runtime.emit("event", dict(FIELDS))
    eventually(lambda: runtime.metrics().sinks["bad"].dead == 1)
    assert seen == [FIELDS] * 3
    [letter] = runtime._pipeline.dead_letters.read()
    assert decode_event(letter.body).fields == FIELDS


def test_our_own_sinks_share_the_event_and_cost_nothing() -> None:
    batch = [Event("i", time.time_ns(), logweir.Kind.AUDIT, "info", "n", "s", "e", None, None, dict(FIELDS))]
    assert for_sink(MemorySink(MemoryConfig()))(batch) is batch
    assert for_sink(as_async(SpoilsInAThread(SinkConfig(type="x"))))(batch) is not batch
