"""Sinks that are down, hang or refuse behind a queue on disk; and what durability costs the callers."""

import asyncio
import json
import os
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import logweir
from logweir.config.loading import load_config
from logweir.delivery.dead_letters import DeadLetters
from logweir.delivery.spool.spool import Spool
from logweir.errors import AuditError
from logweir.event import Event
from logweir.sinks.memory import MemorySink
from logweir.sinks.results import WriteResult
from support import durable
from support import sinks as misbehaving

pytestmark = pytest.mark.busy

LONG = os.environ.get("LOGWEIR_SOAK") == "long"


@pytest.fixture(autouse=True)
def _sick_until_healed() -> Iterator[None]:
    misbehaving.healed.clear()
    yield
    misbehaving.healed.set()


class Picky(MemorySink):
    """Refuses what is marked as poison."""

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        rejected = {index: "poison" for index, event in enumerate(batch) if event.fields.get("poison")}
        sound = [event for index, event in enumerate(batch) if index not in rejected]
        await super().write(sound)
        return WriteResult(rejected=rejected)


def settings(data_dir: Path, **options: Any) -> dict[str, Any]:
    fast = {"initial": "1ms", "max": "20ms", "timeout": "100ms"}
    return {
        "data_dir": str(data_dir),
        "sinks": {"audit_db": {"type": "memory", "batch": {"linger": "1ms"}, "retry": fast, **options}},
        "routes": [{"name": "audit", "match": {"kind": "audit"}, "to": ["audit_db"]}],
        "drain_timeout": "2s",
    }


def names() -> list[str]:
    return [event.name for event in MemorySink.of("audit_db").events.values()]


DOWN = """
import json, psutil
from collections.abc import Sequence
from logweir.errors import SinkUnavailable
from logweir.sinks.results import WriteResult
from logweir.sinks.contract import Sink, SinkConfig

up = threading.Event()
seen = {}

class Backend(Sink[SinkConfig]):
    async def write(self, batch):
        if not up.is_set():
            raise SinkUnavailable("connection refused")
        for event in batch:
            seen.setdefault(event.fields["worker"], []).append(event.fields["number"])
        return WriteResult.all_stored()

def resident():
    return psutil.Process().memory_info().rss

seconds = float(os.environ["SECONDS_DOWN"])
logweir.start({
    "data_dir": "data",
    "sinks": {"audit_db": {"type": "__main__:Backend", "retry": {"initial": "10ms", "max": "200ms"}}},
    "routes": [{"name": "audit", "match": {"kind": "audit"}, "to": ["audit_db"]}],
})
runtime = logweir.current()
counts = [0] * 8

ended = threading.Event()

def work(worker):
    while not ended.is_set():
        logweir.audit_sync("event", worker=worker, number=counts[worker], note="x" * 500)
        counts[worker] += 1

threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
for thread in threads:
    thread.start()
time.sleep(seconds / 3)
early = (resident(), sum(counts))
time.sleep(seconds * 2 / 3)
ended.set()
for thread in threads:
    thread.join()
late = (resident(), sum(counts))
down = runtime.metrics().sinks["audit_db"]
up.set()
assert logweir.flush(120)
healthy = runtime.metrics().sinks["audit_db"]
print(json.dumps({
    "early": early, "late": late, "down": [down.state, down.last_error, down.queue_depth + down.in_flight],
    "healthy": [healthy.state, healthy.queue_depth, healthy.stored],
    "in_order": all(seen[worker] == list(range(counts[worker])) for worker in range(8)),
}))
"""


@pytest.mark.soak
@pytest.mark.timeout(400)
@pytest.mark.wound("serilog-sinks-elasticsearch #179")
def test_what_a_sink_misses_while_it_is_down_is_delivered_in_order_and_memory_stays_flat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECONDS_DOWN", "60" if LONG else "5")
    report = json.loads(" ".join(durable.run(tmp_path, DOWN, timeout=300, anew=True)))
    (early, first), (late, count) = report["early"], report["late"]
    assert count > first > 100
    # Memory holds a window of what waits; a kilobyte for each event would show.
    assert late - early < 8 * 2**20, (early, late, count)
    assert report["down"] == ["down", "connection refused", count]
    assert report["healthy"] == ["healthy", 0, count]
    assert report["in_order"]


def test_a_sink_that_accepts_and_never_answers_is_timed_out_and_gets_everything_later(tmp_path: Path) -> None:
    runtime = logweir.start(settings(tmp_path / "data", type="support.sinks:Hung"))
    for number in range(50):
        logweir.audit_sync(str(number))
    with pytest.raises(AuditError, match=r"was not stored within 0\.2 s by audit_db; it stays in the queue"):
        logweir.audit_sync("50", acknowledge="stored", timeout=0.2)
    while runtime.metrics().sinks["audit_db"].state != "down":
        threading.Event().wait(0.01)
    assert runtime.metrics().sinks["audit_db"].last_error == "no answer within 0.1 s"
    misbehaving.healed.set()
    assert logweir.flush()
    assert names() == [str(number) for number in range(51)]
    assert runtime.metrics().sinks["audit_db"].state == "healthy"


@pytest.mark.wound("vector #12145")
def test_what_a_sink_refuses_becomes_a_dead_letter_before_it_leaves_the_disk(tmp_path: Path) -> None:
    runtime = logweir.start(settings(tmp_path / "data", type=f"{__name__}:Picky"))
    for number in range(20):
        logweir.audit_sync(str(number), poison=number == 7)
    with pytest.raises(AuditError, match="dead letter: poison"):
        logweir.audit_sync("refused", acknowledge="stored", poison=True)
    assert logweir.flush()
    assert names() == [str(number) for number in range(20) if number != 7]
    counts = runtime.metrics().sinks["audit_db"]
    assert (counts.accepted, counts.stored, counts.dead, counts.queue_depth) == (21, 19, 2, 0)
    assert logweir.stop()
    letters = DeadLetters(tmp_path / "data").read()
    assert [letter.reason for letter in letters] == ["poison", "poison"]
    assert not list((tmp_path / "data" / "queues").iterdir())


@pytest.mark.wound("serilog-sinks-elasticsearch #179")
def test_a_full_queue_on_disk_refuses_with_its_reason_and_resumes(tmp_path: Path) -> None:
    queue = {"max_events": 100, "block_timeout": "50ms"}
    runtime = logweir.start(settings(tmp_path / "data", type="support.sinks:Dead", queue=queue))
    kept = []  # a batch may be in flight beside what the queue holds
    for number in range(1_000):
        try:
            kept.append(logweir.audit_sync(str(number), timeout=5).event_id)
        except AuditError as error:
            assert "its queue answered dropped" in str(error)
            break
    counts = runtime.metrics().sinks["audit_db"]
    assert counts.queue_depth + counts.in_flight >= len(kept) >= 100
    assert counts.dropped == {"block_timeout": 1}
    misbehaving.healed.set()
    assert logweir.flush()
    kept.append(logweir.audit_sync("after").event_id)
    assert logweir.flush()
    assert set(kept) == set(MemorySink.of("audit_db").events)


def test_what_waits_for_a_sink_that_a_reload_removes_becomes_dead_letters(tmp_path: Path) -> None:
    config = settings(tmp_path / "data", type="support.sinks:Dead")
    config["drain_timeout"] = "100ms"
    logweir.start(config)
    for number in range(10):
        logweir.audit_sync(str(number))
    renamed = {**config, "sinks": {"other": {"type": "memory"}}}
    renamed["routes"] = [{"name": "audit", "match": {"kind": "audit"}, "to": ["other"]}]
    logweir.reload(renamed)
    letters = DeadLetters(tmp_path / "data")
    while len(letters.read()) < 10:
        threading.Event().wait(0.02)
    assert {letter.reason for letter in letters.read()} == {"sink 'audit_db' is not configured any more"}


@pytest.mark.wound("kubernetes #53006")
async def test_many_callers_share_the_syncs_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: Counter[bool] = Counter()
    commit = Spool.commit

    def counted(spool: Spool) -> OSError | None:
        commits[spool.has_staged] += 1
        return commit(spool)

    monkeypatch.setattr(Spool, "commit", counted)
    config = await asyncio.to_thread(load_config, settings(tmp_path / "data"))

    async def caller() -> None:
        for _ in range(10):
            await logweir.audit("event")

    async with logweir.running(config):
        await asyncio.gather(*(caller() for _ in range(64)))
        assert await logweir.aflush()
    assert len(names()) == 640
    assert commits[True] <= 64
