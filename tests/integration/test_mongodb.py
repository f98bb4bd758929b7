"""What the MongoDB sink does beyond the contract, by either driver, on a real server."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pymongo
import pytest
from pymongo import monitoring

from logweir.event import Event, Kind
from logweir.sinks.contract import Query, SinkContext
from logweir.sinks.mongodb.config import MongoConfig
from logweir.sinks.mongodb.sink import MongoSink
from logweir.testing.contract import make_event
from support.programs import run_program

DATABASE = "logweir_integration"
NUL_NAMES: dict[str, Any] = {"a\0b": 1, "deep": [{"\0": {"$x": 2**62}}], "plain": "needle"}


@pytest.fixture(params=["motor", "pymongo"])
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(mongodb: Any, driver: str) -> Iterator["Store"]:
    with pymongo.MongoClient[dict[str, Any]](mongodb.url) as client:
        found = Store(mongodb.url, driver, client)
        yield found
        found.collection.drop()


class Store:
    """A collection of the test's own, seen by a client of the test's own."""

    def __init__(self, url: str, driver: str, client: Any) -> None:
        self.name = f"events_{uuid4().hex[:12]}"
        self.collection = client[DATABASE][self.name]
        self.options = {"url": url, "driver": driver, "database": DATABASE, "collection": self.name}

    def sink(self, **options: Any) -> MongoSink:
        config = MongoConfig.model_validate({**self.options, "provision": True, **options})
        return MongoSink(config, SinkContext(workers=2))


@pytest.fixture
async def sink(store: Store) -> AsyncIterator[MongoSink]:
    found = store.sink()
    await found.open()
    yield found
    await found.close()


async def stored(sink: MongoSink, **conditions: Any) -> list[Event]:
    return [event async for event in sink.search(Query(**conditions))]


# -- writing ------------------------------------------------------------------------------------------


async def test_a_document_that_is_too_large_is_rejected_alone_with_both_sizes(sink: MongoSink) -> None:
    batch = [make_event("small"), make_event("large", body="x" * 17_000_000), make_event("also small")]
    result = await sink.write(batch)
    assert list(result.rejected) == [1]
    assert "17,000," in result.rejected[1]
    assert "16,777,216" in result.rejected[1]
    assert "limits.max_event_bytes" in result.rejected[1]
    assert [event.name for event in await stored(sink)] == ["small", "also small"]


async def test_names_with_a_nul_are_stored_and_found_beside_events_without(sink: MongoSink) -> None:
    batch = [make_event("plain"), make_event("awkward", NUL_NAMES), make_event("plain too")]
    assert not (await sink.write(batch)).rejected
    assert [event.fields for event in await stored(sink, name="awkward")] == [NUL_NAMES]
    assert [event.name for event in await stored(sink, fields={"a\0b": 1})] == ["awkward"]
    assert [event.name for event in await stored(sink, fields={"plain": "needle"})] == ["awkward"]
    assert await stored(sink, fields={"plain": "haystack"}) == []
    assert (await sink.write(batch)).duplicate == {0, 1, 2}


async def test_a_text_that_utf8_cannot_write_is_rejected_alone(sink: MongoSink) -> None:
    result = await sink.write([make_event(), make_event(broken="\ud800"), make_event()])
    assert list(result.rejected) == [1]
    assert len(await stored(sink)) == 2


async def test_a_value_that_an_index_of_the_users_keeps_unique_is_rejected_with_the_servers_words(
    store: Store, sink: MongoSink
) -> None:
    store.collection.create_index("fields.order", unique=True)
    result = await sink.write([make_event(order=1), make_event(order=1), make_event(order=2)])
    assert list(result.rejected) == [1]
    assert "11000" in result.rejected[1]
    assert not result.duplicate


async def test_the_document_is_as_documented(store: Store) -> None:
    sink = store.sink(ttl={"tracing": "30d"}, text_field=True)
    await sink.open()
    event = make_event("order.placed", {"a.b": 1, "user_id": 7}, time_ns=1_767_268_800_123_456_789)
    await sink.write([event, make_event(kind=Kind.AUDIT)])
    await sink.close()
    document = store.collection.find_one({"_id": event.id})
    expire_at = document.pop("expire_at")
    assert document == {
        "_id": event.id,
        "time": datetime(2026, 1, 1, 12, 0, 0, 123_000),  # noqa: DTZ001 - as the driver says it
        "ns": 456_789,
        "kind": "tracing",
        "level": "info",
        "name": "order.placed",
        "service": "contract-service",
        "env": "test",
        "trace_id": event.trace_id,
        "span_id": event.span_id,
        "fields": {"a.b": 1, "user_id": 7},
        "text": 'order.placed\n{"a.b":1,"user_id":7}',
    }
    assert expire_at.replace(tzinfo=UTC) > datetime.now(UTC) + timedelta(days=29)
    assert "expire_at" not in store.collection.find_one({"kind": "audit"})


async def test_a_time_series_is_written_by_looking_up_first(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    inserted: list[str] = []

    class Listener(monitoring.CommandListener):
        def started(self, event: monitoring.CommandStartedEvent) -> None:
            if event.command_name == "insert":
                inserted.extend(document["_id"] for document in event.command["documents"])

        def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

        def failed(self, event: monitoring.CommandFailedEvent) -> None: ...

    monkeypatch.setattr(
        monitoring, "_LISTENERS", monitoring._LISTENERS._replace(command_listeners=[Listener()])
    )
    sink = store.sink(time_series=True)
    await sink.open()
    batch = [make_event(number=number) for number in range(10)]
    await sink.write(batch)
    assert (await sink.write([*batch, batch[0], make_event()])).duplicate == set(range(11))
    await sink.close()
    assert len(inserted) == len(set(inserted)) == 11


# -- reading ------------------------------------------------------------------------------------------


async def test_fields_are_compared_as_everywhere_in_logweir(sink: MongoSink) -> None:
    batch = [
        make_event("0", {"a.b": 1, "list": [1, 2], "object": {"x": 1, "y": 2}, "none": None}),
        make_event("1", {"a": {"b": 1}, "list": 1, "object": {"y": 2, "x": 1}}),
        make_event("2", {"a": [{"b": 1}], "$dollar": 1, "": "empty"}),
    ]
    await sink.write(batch)
    for fields, names in [
        ({"a.b": 1}, ["0", "1"]),
        ({"a.b": 1.0}, ["0", "1"]),
        ({"a.b": True}, []),
        ({"list": 1}, ["0", "1"]),
        ({"list.0": 1}, ["0"]),
        ({"a.0.b": 1}, ["2"]),
        ({"list": [1, 2.0]}, ["0"]),
        ({"object": {"x": 1, "y": 2}}, ["0", "1"]),
        ({"none": None}, ["0"]),
        ({"$dollar": 1}, ["2"]),
        ({"": "empty"}, ["2"]),
    ]:
        assert [event.name for event in await stored(sink, fields=fields)] == names, fields


@pytest.mark.parametrize("text_field", [False, True])
async def test_text_is_found_whether_or_not_documents_hold_it(store: Store, text_field: bool) -> None:
    without, with_text = store.sink(), store.sink(text_field=True)
    for each in (without, with_text):
        await each.open()
        await each.write([make_event("x", {"note": "a.b (needle) 100% \\ ß"}), make_event("needless")])
    reader = with_text if text_field else without
    for text, count in [
        ("(needle) 100%", 2),
        ("needle", 4),
        ("need.e", 0),
        ("needless", 2),
        ("ß", 2),
        ("a\0", 0),
    ]:
        assert len(await stored(reader, text=text)) == count, text
    for each in (without, with_text):
        await each.close()


async def test_a_search_that_is_left_early_leaves_nothing_open(sink: MongoSink) -> None:
    await sink.write([make_event(number=number) for number in range(3000)])
    async for _event in sink.search(Query(limit=None)):
        break
    assert len(await stored(sink, limit=1500, newest_first=True)) == 1500
    assert await stored(sink, limit=0) == []


async def test_pruning_is_exact_below_a_millisecond(sink: MongoSink) -> None:
    moment = datetime(2026, 1, 1, 0, 0, 0, 123_456, tzinfo=UTC)
    first = int(moment.timestamp()) * 10**9 + 123_456_000
    batch = [make_event(time_ns=first + nanos) for nanos in (-1000, -1, 0, 1)]
    await sink.write(batch)
    assert await sink.prune(moment) == 2
    assert [event.time - first for event in await stored(sink)] == [0, 1]
    assert [event.time - first for event in await stored(sink, start=moment)] == [0, 1]


async def test_pruning_deletes_in_pages(sink: MongoSink) -> None:
    await sink.write([make_event(time_ns=number) for number in range(2500)])
    assert await sink.prune(datetime.now(UTC), limit=2200) == 2200
    assert len(await stored(sink, limit=None)) == 300
    assert await sink.prune(datetime.now(UTC)) == 300


# -- provisioning and check ---------------------------------------------------------------------------


async def test_check_names_the_server_as_it_names_itself(store: Store, sink: MongoSink) -> None:
    health = await sink.check()
    build = store.collection.database.client.server_info()
    assert build["version"] in health.server
    assert health.server.startswith("FerretDB" if "ferretdb" in build else "MongoDB")
    assert f"collection {DATABASE}.{store.name}" in health.detail


async def test_check_says_what_is_missing(store: Store) -> None:
    sink = store.sink(provision=False, ttl={"tracing": "1d"})
    await sink.open()
    assert "does not exist yet" in (await sink.check()).detail
    await sink.write([make_event()])
    health = await sink.check()
    await sink.close()
    assert health.status == "degraded"
    assert "indexes are missing: kind_time, name_time, trace_time, expire_at" in health.detail


async def test_check_is_honest_about_a_time_series(store: Store) -> None:
    sink = store.sink(time_series=True)
    await sink.open()
    health = await sink.check()
    await sink.close()
    listed = store.collection.database.command("listCollections", filter={"name": store.name})
    if listed["cursor"]["firstBatch"][0]["type"] == "timeseries":
        assert health.status == "ok"
        assert "no unique _id" in health.detail
    else:
        assert health.status == "degraded"
        assert "time_series asks for a time series, and the server has a collection" in health.detail


async def test_an_index_of_ours_that_is_there_under_another_name_is_enough(store: Store) -> None:
    store.collection.create_index([("kind", 1), ("time", 1)], name="mine")
    sink = store.sink(provision=False)
    await sink.open()
    assert "kind_time" not in (await sink.check()).detail
    await sink.close()


# -- in a process -------------------------------------------------------------------------------------


def test_what_is_queued_when_the_interpreter_exits_is_stored(store: Store, tmp_path: Path) -> None:
    config = f"""\
service: program
data_dir: data
sinks:
  out: {{type: mongodb, url: "{store.options["url"]}", database: {DATABASE}, collection: {store.name}, driver: {store.options["driver"]}, batch: {{linger: 5s, max_events: 10}}}}
routes:
  - {{name: all, to: [out]}}
drain_timeout: 20s
"""
    code = """
    logweir.start("routing.yaml")
    for number in range(105):
        log.info("last words", number=number)
    """
    status, _out, err = run_program(tmp_path, code, config=config)
    assert status == 0, err
    assert store.collection.count_documents({}) == 105, err


def test_the_child_of_a_fork_stores_by_connections_of_its_own(store: Store, tmp_path: Path) -> None:
    config = f"""\
service: program
data_dir: data
sinks:
  out: {{type: mongodb, url: "{store.options["url"]}", database: {DATABASE}, collection: {store.name}, driver: {store.options["driver"]}}}
routes:
  - {{name: all, to: [out]}}
drain_timeout: 20s
"""
    code = """
    logweir.start("routing.yaml")
    log.info("parent before")
    logweir.flush()
    child = os.fork()
    if child == 0:
        log.info("child")
        logweir.stop()
        os._exit(0)
    log.info("parent after")
    _, status = os.waitpid(child, 0)
    logweir.stop()
    sys.exit(status)
    """
    status, _out, err = run_program(tmp_path, code, config=config)
    assert status == 0, err
    names = sorted(document["name"] for document in store.collection.find())
    assert names == ["child", "parent after", "parent before"], err
