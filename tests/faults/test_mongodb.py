"""MongoDB under faults, by either driver: nothing that was accepted is lost, and nothing is there twice.

Each test sends a numbered burst through a runtime, does harm in the middle of it, and counts what the
server has by its own client. The kills and pauses are a server's of the test's own.
"""

import os
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import pymongo
import pytest

from logweir.errors import SinkError, SinkUnavailable
from logweir.event import Kind
from logweir.sinks.contract import Query, SinkContext
from logweir.sinks.mongodb.config import MongoConfig
from logweir.sinks.mongodb.sink import MongoSink
from logweir.testing.contract import make_event
from support.burst import burst_into
from support.memory import growth_of

LONG = os.environ.get("LOGWEIR_SOAK") == "long"
DATABASE = "logweir_faults"
DRIVERS = ["motor", "pymongo"]


@pytest.fixture
def collection() -> str:
    return f"burst_{time.time_ns()}"


def config(url: str, collection: str, **more: Any) -> MongoConfig:
    options = {
        "type": "mongodb",
        "url": url,
        "database": DATABASE,
        "collection": collection,
        "provision": True,
        "workers": 2,
        "queue": {"max_events": 200_000, "when_full": "block", "block_timeout": 60},
        "retry": {"initial": 0.05, "max": 0.3, "timeout": 1.5},
        **more,
    }
    return MongoConfig.model_validate(options)


def assert_all_there_once(url: str, collection: str, sent: int) -> None:
    with pymongo.MongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=20_000) as client:
        numbers = _numbers(client[DATABASE][collection])
        client[DATABASE].drop_collection(collection)
    assert numbers == list(range(sent))


def _numbers(found_in: Any) -> list[int]:
    """What is there; a server whose database has just recovered may answer once with a connection that broke."""
    for _ in range(10):
        with suppress(pymongo.errors.OperationFailure):
            return sorted(found["fields"]["number"] for found in found_in.find({}, {"fields.number": 1}))
    raise AssertionError("the server does not answer")


@pytest.mark.busy
@pytest.mark.wound("vector #18820")
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_server_killed_in_mid_burst_and_started_again_has_everything_once(
    own_server: Any, collection: str, driver: str
) -> None:
    server = own_server("mongodb")
    with burst_into(config(server.url, collection, driver=driver)) as burst:
        server.kill()
        burst.until(lambda metrics: metrics.failures > 0)
        server.start()
        burst.until_more_is_stored()
    assert_all_there_once(server.url, collection, burst.sent)


@pytest.mark.busy
def test_a_server_whose_database_crashes_below_it_is_taken_to_be_away(
    own_server: Any, collection: str
) -> None:
    server = own_server("mongodb")
    if len(server.pids) == 1:
        pytest.skip("this server is its own database")
    with burst_into(config(server.url, collection, driver="pymongo")) as burst:
        for _ in range(3):
            backends = [
                each for each in psutil.Process(server.pids[0]).children() if "[local]" in str(each.cmdline())
            ]
            failures = burst.metrics.failures
            backends[-1].kill()  # the others end too, and the database recovers
            burst.until(lambda metrics, before=failures: metrics.failures > before)
            burst.until_more_is_stored()
    assert_all_there_once(server.url, collection, burst.sent)


@pytest.mark.busy
@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_server_that_stands_still_and_goes_on_has_everything_once(
    own_server: Any, collection: str, driver: str
) -> None:
    server = own_server("mongodb")
    retry = {"retry": {"max": 1, "timeout": 10}} if LONG else {}
    with burst_into(config(server.url, collection, driver=driver, **retry)) as burst:
        server.pause()
        burst.until(lambda metrics: metrics.failures > 1, 60)
        time.sleep(30 if LONG else 1)  # how long it stands still is the point
        server.resume()
        burst.until_more_is_stored()
    assert_all_there_once(server.url, collection, burst.sent)


@pytest.mark.busy
@pytest.mark.parametrize("driver", DRIVERS)
def test_latency_resets_and_half_written_answers_lose_nothing_and_repeat_nothing(
    mongodb: Any, proxy: Any, collection: str, driver: str
) -> None:
    fault = proxy(mongodb)
    with burst_into(config(fault.url, collection, driver=driver)) as burst:
        burst.survives_a_bad_network(fault)
    assert_all_there_once(mongodb.url, collection, burst.sent)


@pytest.mark.parametrize("driver", DRIVERS)
def test_revoked_credentials_are_reported_and_cost_nothing_once_they_are_restored(
    own_server: Any, proxy: Any, collection: str, driver: str
) -> None:
    server = own_server("mongodb", auth=True)
    fault = proxy(server)
    roles = [{"role": "readWriteAnyDatabase", "db": "admin"}, {"role": "clusterAdmin", "db": "admin"}]
    with pymongo.MongoClient[dict[str, Any]](server.url) as admin:
        admin.admin.command("createUser", "logs", pwd="hunter2-first", roles=roles)
        url = fault.url.replace("u:p@", "logs:hunter2-first@")
        with burst_into(config(url, collection, driver=driver)) as burst:
            admin.admin.command("dropUser", "logs")
            fault.reset()  # what is connected stays logged in
            fault.clear()
            burst.until(lambda metrics: "refuses us access" in metrics.last_error)
            assert "hunter2" not in burst.metrics.last_error
            admin.admin.command("createUser", "logs", pwd="hunter2-first", roles=roles)
            burst.until_more_is_stored()
    assert_all_there_once(server.url, collection, burst.sent)


@pytest.mark.parametrize("driver", DRIVERS)
async def test_events_of_a_skewed_clock_are_stored_once_and_do_not_vanish_as_they_arrive(
    mongodb: Any, collection: str, driver: str
) -> None:
    now = datetime.now(UTC)
    years = [timedelta(days=365 * number) for number in (-50, -1, 0, 1, 50)]
    batch = [
        make_event(f"skewed by {years}", time_ns=int((now + skew).timestamp()) * 10**9) for skew in years
    ]
    batch += [make_event("first of all", time_ns=0), make_event("before", time_ns=-1)]
    sink = MongoSink(
        config(mongodb.url, collection, driver=driver, ttl={"tracing": "1h"}), SinkContext(workers=2)
    )
    await sink.open()
    try:
        await sink.write(batch)
        assert (await sink.write(batch)).duplicate == set(range(len(batch)))
        found = [event.id async for event in sink.search(Query(limit=None))]
    finally:
        await sink.close()
    assert found == [event.id for event in sorted(batch, key=lambda event: event.time)]
    with pymongo.MongoClient[dict[str, Any]](mongodb.url, tz_aware=True) as client:
        earliest = client[DATABASE][collection].find_one(sort=[("expire_at", 1)])
        client[DATABASE].drop_collection(collection)
    assert earliest is not None
    assert earliest["expire_at"] > now + timedelta(minutes=59)


@pytest.mark.soak
@pytest.mark.skipif(not LONG, reason="servers look for what has expired once a minute")
@pytest.mark.timeout(300)
async def test_the_server_deletes_what_has_expired_and_keeps_what_has_not(
    mongodb: Any, collection: str
) -> None:
    ttl = {"tracing": "1s", "audit": None}
    sink = MongoSink(config(mongodb.url, collection, ttl=ttl))
    await sink.open()
    try:
        await sink.write([make_event(), make_event(kind=Kind.AUDIT)])
        deadline = time.monotonic() + 200
        left = {Kind.AUDIT, Kind.TRACING}
        while Kind.TRACING in left:
            assert time.monotonic() < deadline
            left = {event.kind async for event in sink.search(Query())}
        assert left == {Kind.AUDIT}
    finally:
        await sink.close()


@pytest.mark.slow
@pytest.mark.parametrize("driver", DRIVERS)
async def test_memory_stays_flat_over_writes_and_over_failures(
    mongodb: Any, proxy: Any, collection: str, driver: str
) -> None:
    fault = proxy(mongodb)
    settings = config(fault.url, collection, driver=driver, retry={"timeout": 0.3})
    sink = MongoSink(settings, SinkContext(workers=2))
    await sink.open()

    async def round_of_writes() -> None:
        for _ in range(10 if not LONG else 200):
            await sink.write([make_event(number=number) for number in range(200)])
        fault.reset()
        for _ in range(3 if not LONG else 30):
            with pytest.raises(SinkUnavailable):
                await sink.write([make_event()])
        fault.clear()
        while True:
            try:
                await sink.write([make_event()])
                break
            except SinkError:
                continue

    try:
        grown = await growth_of(round_of_writes)
    finally:
        await sink.close()
        with pymongo.MongoClient[dict[str, Any]](mongodb.url) as client:
            client[DATABASE].drop_collection(collection)
    assert grown < 300_000
