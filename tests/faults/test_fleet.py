"""A fleet under faults: an application, a broker and `logweir worker` processes, each of which dies at any moment.

`make soak` runs the long forms: fifty kills of each, ten minutes of an outage and of a load. One of them alone, and shortened:
`LOGWEIR_SOAK=long LOGWEIR_SOAK_ROUNDS=5 LOGWEIR_SOAK_SECONDS=60 pytest tests/faults/test_fleet.py -k "whoever and redis-mysql"`.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import logweir
from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.delivery.brokers.contract import Message, Place
from logweir.delivery.brokers.redis import RedisBroker
from logweir.encoding.events import encode_event
from logweir.event import Event, Kind, new_event_id
from logweir.runtime.runtime import Runtime
from logweir.settings.delivery import QueueConfig
from support import durable
from support.burst import Burst
from support.elsewhere import said
from support.fleet import BROKERS, STORES, Host, a_store, hosted, numbers_in, resident, routing
from support.waiting import eventually, whole_lines

pytestmark = [pytest.mark.busy, pytest.mark.soak]

LONG = os.environ.get("LOGWEIR_SOAK") == "long"
#: How long an outage or a load lasts in the long form.
SECONDS = float(os.environ.get("LOGWEIR_SOAK_SECONDS", "600"))
RATE = 1000
OwnServers = Callable[..., Any]
Figures = Callable[[str, object], None]


# -- an outage -----------------------------------------------------------------------------------------


@pytest.mark.timeout(3600 if LONG else 240)
@pytest.mark.parametrize("broker", BROKERS)
def test_an_application_serves_while_its_broker_is_away_and_catches_up_in_order(
    broker: str, tmp_path: Path, own_server: OwnServers, record_property: Figures
) -> None:
    over, server = BROKERS[broker], own_server(broker)
    config = routing(tmp_path, over.queue(server.url))
    runtime = Runtime(RoutingConfig.model_validate(load_config(config)))
    runtime.start()
    with Burst(runtime, RATE) as burst:
        burst.until_more_is_stored(200)
        server.kill()
        began, before = time.monotonic(), burst.sent
        eventually(lambda: time.monotonic() - began > (SECONDS if LONG else 2.5), 2 * SECONDS, pause=0.2)
        assert burst.sent > before
        assert burst.metrics.queue_depth > RATE
        server.start()
        began, first = time.monotonic(), burst.metrics.stored
        burst.until(lambda metrics: metrics.queue_depth < RATE / 5, 300)
        rate = (burst.metrics.stored - first) / (time.monotonic() - began)
    assert runtime.stop(60)
    metrics = burst.metrics
    assert (metrics.dead, metrics.stored) == (0, burst.sent)
    partitions = over.numbers(config)
    assert sorted({number for numbers in partitions for number in numbers}) == list(range(burst.sent))
    for numbers in partitions:  # what was sent again, for its confirmation was lost, is there twice
        firsts = list(dict.fromkeys(numbers))
        assert firsts == sorted(firsts)
    record_property("figures", f"{broker}: caught up with {rate:,.0f}/s")
    if LONG:
        assert rate >= 3 * RATE


# -- a load --------------------------------------------------------------------------------------------

APPLICATION = """
logweir.start()
logweir.configure_structlog()
log = logweir.get_logger()
os.write(1, b"ready\\n")
began, number = time.monotonic(), 0
while number < {number}:
    time.sleep(0.01)
    while number < min({number}, (time.monotonic() - began) * {rate}):
        log.info("order.placed", number=number, user_id=7, amount="12.50")
        number += 1
os.write(1, b"sent\\n")
logweir.stop()
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with hosted(tmp_path) as made:
        yield made


@pytest.mark.slow
@pytest.mark.timeout(3600 if LONG else 240)
@pytest.mark.parametrize("broker", BROKERS)
def test_two_workers_share_a_load_evenly_and_no_process_grows(
    broker: str, tmp_path: Path, host: Host, request: pytest.FixtureRequest, record_property: Figures
) -> None:
    over, server = BROKERS[broker], request.getfixturevalue(broker)
    config = routing(tmp_path, over.queue(server.url))  # not a file, whose sink remembers ids up to a bound
    one, other = host.add(anew=True), host.add(anew=True)  # of whose memory nothing is another's
    eventually(lambda: over.have_joined(config, 2), 60, pause=0.2)
    number = int(RATE * (SECONDS if LONG else 3))
    application = durable.start(tmp_path, APPLICATION.format(number=number, rate=RATE), anew=True)
    assert application.stdout is not None
    assert application.stdout.readline() == "ready\n", durable.said(tmp_path)
    processes = [application.pid, *(process.pid for process in host.workers.values())]
    eventually(lambda: sum(host.stored().values()) > number / 10, SECONDS)  # warm
    early = [resident(pid) for pid in processes]
    assert application.stdout.readline() == "sent\n", durable.said(tmp_path)
    late = [resident(pid) for pid in processes]
    assert application.wait(60) == 0
    application.stdout.close()
    eventually(lambda: sum(host.stored().values()) >= number, 60, found=host.stored)
    found = host.stored()
    growth = [after / before for before, after in zip(early, late, strict=True)]
    grown = ", ".join(f"{each:.3f}" for each in growth)
    record_property(
        "figures", f"{broker}: shares {found[one]:,} and {found[other]:,}; memory grew by {grown}"
    )
    eventually(lambda: over.waiting(config) == 0, 30, pause=0.2)
    assert sorted(numbers_in(tmp_path)) == list(range(number))
    if LONG:
        assert max(growth) <= 1.05
    if LONG or broker == "kafka":  # which divides the partitions; from Redis takes more who is quicker
        assert abs(found[one] - found[other]) <= 0.2 * number / 2


def test_adding_and_killing_workers_under_a_load_loses_and_repeats_nothing(
    tmp_path: Path, own_server: OwnServers, host: Host
) -> None:
    over, server = BROKERS["redis"], own_server("redis")
    config = routing(tmp_path, over.queue(server.url))
    runtime = Runtime(RoutingConfig.model_validate(load_config(config)))
    runtime.start()
    with Burst(runtime, RATE) as burst:
        first = host.add()
        for _ in range(10 if LONG else 1):
            added = [host.add(), host.add()]
            burst.until_more_is_stored(500)
            host.kill(first)
            burst.until_more_is_stored(500)
            host.end(added[0])
            first = added[1]
        burst.until_more_is_stored(200)
    assert runtime.stop(60), burst.metrics
    eventually(lambda: over.waiting(config) == 0, 60, found=lambda: said(tmp_path))
    assert sorted(numbers_in(tmp_path)) == list(range(burst.sent))


# -- kill -9 of everything -----------------------------------------------------------------------------


class Callers:
    """An application with 32 callers that audit for ever; what it acknowledged is remembered over its deaths."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.acknowledged: list[str] = []
        self._process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        return durable.start(self._folder, "logweir.start()\naudit_in_threads(32)\ntime.sleep(3600)")

    def some(self, number: int) -> None:
        """Wait until so many more are acknowledged."""
        assert self._process.stdout is not None
        for _ in range(number):
            line = self._process.stdout.readline()
            assert line, durable.said(self._folder)
            self.acknowledged.append(line.strip())

    def kill(self) -> None:
        self._process.kill()
        self._rest()
        self._process = self._start()

    def _rest(self) -> None:
        assert self._process.stdout is not None
        # The last line may be torn by the end of the process.
        self.acknowledged += [line.strip() for line in self._process.stdout if line.endswith("\n")]
        self._process.wait(30)
        self._process.stdout.close()

    def end(self) -> None:
        self._process.kill()
        self._rest()


@pytest.mark.timeout(7200 if LONG else 240)
@pytest.mark.parametrize(
    ("broker", "store"),
    [
        ("redis", "sqlite"),
        *([*(("redis", store) for store in STORES), ("kafka", "sqlite")] if LONG else []),
    ],
)
def test_whoever_is_killed_what_was_acknowledged_is_stored_once(
    tmp_path: Path,
    own_server: OwnServers,
    host: Host,
    broker: str,
    store: str,
    request: pytest.FixtureRequest,
    record_property: Figures,
) -> None:
    chance = random.Random(store)
    rounds = int(os.environ.get("LOGWEIR_SOAK_ROUNDS", "50")) if LONG else 2
    harms = ["application", "worker", broker] * rounds
    chance.shuffle(harms)
    over, server = BROKERS[broker], own_server(broker)
    url = "" if store == "sqlite" else request.getfixturevalue(store).url
    with a_store(store, url, tmp_path) as (sink, ids):
        config = routing(tmp_path, over.queue(server.url), sink)
        for _ in range(3):
            host.add()
        callers = Callers(tmp_path)
        for harm in harms:
            callers.some(chance.randrange(20, 200))
            if harm == "application":
                callers.kill()
            elif harm == "worker":
                host.kill(chance.choice(list(host.workers)))
                host.add()
            else:
                server.kill()
                callers.some(chance.randrange(20, 200))  # it goes on: durable is on this disk
                server.start()
        callers.end()
        logweir.start()  # here, as the last life of the application
        assert logweir.flush(60)
        assert logweir.stop()
        eventually(
            lambda: over.waiting(config) == 0,
            120,
            pause=0.1,
            found=lambda: (over.waiting(config), said(tmp_path)),
        )
        for port in list(host.workers):
            host.end(port)
        found = ids()
        assert len(found) == len(set(found))
        lost = set(callers.acknowledged) - set(found)
        assert not lost, f"{len(lost)} of {len(callers.acknowledged)} are lost"
        counts = f"{len(callers.acknowledged):,} acknowledged, {len(found):,} stored, {len(harms)} kills"
        record_property("figures", f"{broker}, {store}: {counts}")


# -- an upgrade ----------------------------------------------------------------------------------------

NEWER = """
import sys
from logweir.delivery.brokers import contract
contract.FORMAT_VERSION = 2
from logweir.cli.app import app
app(["worker"])
"""


def test_a_rolling_upgrade_loses_nothing_whichever_side_is_newer(
    tmp_path: Path, own_server: OwnServers, host: Host
) -> None:
    over, server = BROKERS["redis"], own_server("redis")
    store = {"type": "file", "path": str(tmp_path / "store.jsonl")}
    config = routing(tmp_path, over.queue(server.url), store)
    queue = QueueConfig.model_validate(config["sinks"]["store"]["queue"])
    owner = "sink store of type file, service fleet, env dev"
    old = host.add()

    async def publish(version: int, numbers: range) -> None:
        broker = RedisBroker(queue, Place("store", owner=owner))
        await broker.open()
        events = [
            Event(id=new_event_id(), time=time.time_ns(), kind=Kind.TRACING, level="info", name="upgrade",
                  service="fleet", env="dev", trace_id=None, span_id=None, fields={"number": number})
            for number in numbers
        ]  # fmt: skip
        assert not await broker.publish([Message(each.id, encode_event(each), version) for each in events])
        await broker.close()

    def stored() -> list[int]:
        path = tmp_path / "store.jsonl"
        lines = whole_lines(path)
        return sorted(json.loads(line)["fields"]["number"] for line in lines)

    asyncio.run(publish(2, range(100, 150)))  # a publisher that is newer than the worker
    asyncio.run(publish(1, range(100)))
    eventually(lambda: stored() == list(range(100)), 60, found=lambda: said(tmp_path))
    eventually(lambda: over.waiting(config) == 50)  # what is stored is settled a moment later
    assert "format 2 waits for a newer worker" in said(tmp_path)
    with (tmp_path / "newer.txt").open("w") as errors:
        newer = subprocess.Popen([sys.executable, "-c", NEWER], cwd=tmp_path, stderr=errors)
    try:
        asyncio.run(publish(1, range(150, 200)))  # and one that is older
        eventually(lambda: stored() == list(range(200)), 60, found=(tmp_path / "newer.txt").read_text)
        host.end(old)
        eventually(lambda: over.waiting(config) == 0)
    finally:
        newer.terminate()
        assert newer.wait(60) == 0
