"""Dead letters of workers behind a broker: seen, replayed and dropped from every host."""

import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import logweir
from logweir.cli.app import app
from logweir.config.loading import load_config
from logweir.config.sinks import context_of
from logweir.delivery.brokers.dead_letters import BrokerLetters
from logweir.delivery.brokers.making import make_broker, place_of
from logweir.delivery.dead_letters import DeadLetters
from logweir.event import Event
from logweir.runtime.worker_process import WorkerProcess
from logweir.sinks.memory import MemorySink
from logweir.sinks.results import WriteResult
from servers import Server
from support.kafka import brokers
from support.waiting import eventually


class Refuses(MemorySink):
    """Refuses what is called ``bad`` until it is cured; waits for its turn before it answers."""

    cured = False
    turn = threading.Event()
    stored: list[str] = []
    asked = threading.Event()

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        self.asked.set()
        while not self.turn.is_set():
            await asyncio.sleep(0.01)
        bad = {index: "too long" for index, event in enumerate(batch) if event.name == "bad"}
        bad = {} if Refuses.cured else bad
        self.stored.extend(event.name for index, event in enumerate(batch) if index not in bad)
        return WriteResult(rejected=bad)

    async def sleep(self) -> None:
        import asyncio

        await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    sys.modules.setdefault(__name__, sys.modules[Refuses.__module__])
    Refuses.cured = False
    Refuses.stored.clear()
    Refuses.turn.set()
    Refuses.asked.clear()


def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a worker look ten times as often what its broker has of dead letters."""
    monkeypatch.setitem(BrokerLetters.__init__.__kwdefaults__, "period", 0.5)


def over(url: str) -> dict[str, Any]:
    queue = {"partitions": 2, "claim_after": "1s"}
    if url.startswith("kafka:"):
        return {"type": "kafka", "brokers": brokers(url), "replication": 1, **queue, "claim_after": "3s"}
    return {"type": "redis", "url": url, **queue}


@pytest.fixture(params=["redis", "kafka"])
def broker(request: pytest.FixtureRequest) -> Server:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


class Hosts:
    """Hosts with data directories of their own, and one routing.yaml."""

    def __init__(self, folder: Path, url: str, **more: Any) -> None:
        self._folder = folder
        self._config = {
            "service": f"shop-{time.time_ns()}",
            "sinks": {
                "store": {
                    "type": f"{__name__}:Refuses",
                    "queue": over(url),
                    "batch": {"linger": 0},
                    "retry": {"initial": "5ms", "max": "100ms", "timeout": "5s"},
                }
            },
            "routes": [{"name": "all", "to": ["store"]}],
            **more,
        }

    def routing(self, host: str) -> Path:
        path = self._folder / f"{host}.yaml"
        path.write_text(json.dumps({**self._config, "data_dir": str(self._folder / host)}))
        return path

    def log(self, *names: str) -> None:
        with logweir.running(str(self.routing("application"))):
            for name in names:
                logweir.audit_sync(name, user_id=7, password="hush-hush-hush")
            assert logweir.flush(30)

    @contextmanager
    def worker(self) -> Iterator[WorkerProcess]:
        process = WorkerProcess(load_config(self.routing("worker")))
        process.start()
        try:
            yield process
        finally:
            Refuses.turn.set()
            process.stop()

    def dlq(self, *arguments: str) -> Result:
        routing = str(self.routing("operator"))
        return CliRunner().invoke(app, ["dlq", *arguments, "-c", routing], env={"COLUMNS": "200"})

    def letters(self) -> list[dict[str, Any]]:
        listed = self.dlq("list", "--json")
        assert listed.exception is None or isinstance(listed.exception, SystemExit), listed.exception
        return [json.loads(line) for line in listed.stdout.splitlines()]

    def of_worker(self) -> DeadLetters:
        return DeadLetters(self._folder / "worker")


def test_dead_letters_of_a_worker_are_seen_and_replayed_from_any_host(tmp_path: Path, broker: Server) -> None:
    hosts = Hosts(tmp_path, broker.url)
    with hosts.worker():
        hosts.log("good", "bad", "bad")
        eventually(lambda: len(hosts.letters()) == 2)
        assert not hosts.of_worker().path.exists()
        [first, second] = hosts.letters()
        assert (first["sink"], first["reason"], first["event"]["event"]) == ("store", "too long", "bad")
        assert "hush" not in json.dumps([first, second])
        assert "***" in json.dumps(first)
        shown = hosts.dlq("show", first["id"])
        assert "too long" in shown.stdout
        refused = hosts.dlq("replay", first["id"])  # published, and refused by the worker once more
        assert refused.exit_code == 0, refused.output
        eventually(lambda: [letter["id"] for letter in hosts.letters()] == [second["id"], first["id"]])
        Refuses.cured = True
        replayed = hosts.dlq("replay", "--sink", "store", "--reason", "long")
        assert replayed.exit_code == 0, replayed.output
        assert hosts.letters() == []
        eventually(lambda: sorted(Refuses.stored) == ["bad", "bad", "good"])


def test_dead_letters_in_a_broker_are_dropped_one_by_one_or_all(tmp_path: Path, broker: Server) -> None:
    hosts = Hosts(tmp_path, broker.url)
    with hosts.worker():
        hosts.log("bad", "bad", "bad")
        eventually(lambda: len(hosts.letters()) == 3)
    [first, *rest] = hosts.letters()
    assert "letters dropped: 1" in hosts.dlq("drop", first["id"], "--yes").output
    assert hosts.letters() == rest
    assert "letters dropped: 2" in hosts.dlq("drop", "--all", "--yes").output
    assert hosts.letters() == []
    unknown = hosts.dlq("drop", "nobody", "--yes")
    assert unknown.exit_code == 2
    assert "there is no dead letter 'nobody'" in unknown.output


def test_a_letter_is_kept_by_the_worker_while_redis_is_away_and_moved_when_it_is_back(
    tmp_path: Path, own_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks_often(monkeypatch)
    server = own_server("redis")
    hosts = Hosts(tmp_path, server.url)
    Refuses.turn.clear()
    with hosts.worker():
        hosts.log("bad")
        assert Refuses.asked.wait(30)
        server.kill()
        Refuses.turn.set()
        eventually(lambda: hosts.of_worker().count() == 1)
        asked = hosts.dlq("list")
        assert asked.exit_code == 1
        assert "its broker cannot be asked for dead letters" in asked.stderr
        server.start()
        eventually(lambda: len(hosts.letters()) == 1, 60)
        eventually(lambda: hosts.of_worker().count() == 0)


def test_letters_in_a_broker_are_bounded_as_those_on_a_disk_are(tmp_path: Path, redis: Server) -> None:
    hosts = Hosts(tmp_path, redis.url)
    with hosts.worker():
        hosts.log(*["bad"] * 5)
        eventually(lambda: len(hosts.letters()) == 5)
    bounded = Hosts(tmp_path, redis.url, dead_letters={"max_bytes": 1})
    bounded._config["service"] = hosts._config["service"]
    with bounded.worker() as process:
        eventually(lambda: bounded.letters() == [])
        eventually(lambda: process.metrics().dead_letters.expired == {"store": 5})


def test_a_worker_counts_what_its_broker_holds(
    tmp_path: Path, redis: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks_often(monkeypatch)
    hosts = Hosts(tmp_path, redis.url)
    Refuses.turn.clear()
    with hosts.worker() as process:
        hosts.log("good", "good", "bad")
        eventually(lambda: (seen := process.metrics().brokers["store"]).pending + seen.lag == 3)
        broker = process.metrics().brokers["store"]
        assert [state.partition for state in broker.partitions] == [0, 1]
        assert max(state.consumers for state in broker.partitions) == 1
        assert 0 <= broker.age < 30
        Refuses.turn.set()
        eventually(lambda: process.metrics().brokers["store"].letters == 1)
        eventually(lambda: process.metrics().brokers["store"].pending == 0)


def test_a_letter_that_was_kept_twice_is_one_and_what_is_no_letter_stays(
    tmp_path: Path, redis: Server
) -> None:
    hosts = Hosts(tmp_path, redis.url)
    with hosts.worker():
        hosts.log("bad")
        eventually(lambda: len(hosts.letters()) == 1)
    [letter] = hosts.letters()

    config = load_config(hosts.routing("operator"))
    sink = config.sinks["store"]

    async def keep_more() -> int:
        broker = make_broker(sink.queue, place_of(sink.type, context_of("store", config)))
        await broker.open()
        # As a worker that died after it kept the letter, and before it had settled the event.
        await broker.keep_letters([each.body for each in await broker.letters()] + [b"no letter"])
        number = (await broker.letter_totals()).count
        await broker.close()
        return number

    assert asyncio.run(keep_more()) == 3
    assert hosts.letters() == [letter]
    assert "letters in its broker that this release cannot read: 1" in hosts.dlq("list").stderr
    assert "letters dropped: 1" in hosts.dlq("drop", letter["id"], "--yes").output
    assert hosts.letters() == []


def test_a_letter_that_another_sink_refuses_stays_with_the_new_reason(tmp_path: Path, redis: Server) -> None:
    hosts = Hosts(tmp_path, redis.url)
    hosts._config["sinks"]["other"] = {"type": f"{__name__}:Refuses", "retry": {"timeout": "5s"}}
    with hosts.worker():
        hosts.log("bad")
        eventually(lambda: len(hosts.letters()) == 1)
    [letter] = hosts.letters()
    assert hosts.dlq("replay", letter["id"], "--to", "other").exit_code == 1
    [again] = hosts.letters()
    assert (again["id"], again["attempts"]) == (letter["id"], 2)
    assert again["reason"] == "sink 'other': too long"
    Refuses.cured = True
    assert hosts.dlq("replay", letter["id"], "--to", "other").exit_code == 0
    assert hosts.letters() == []
