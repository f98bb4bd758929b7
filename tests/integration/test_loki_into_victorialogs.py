"""What the Loki sink leaves in VictoriaLogs, and what that server does which Loki does not."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from logweir.errors import SinkRejected
from logweir.event import Event, Kind, new_event_id
from logweir.sinks.contract import Query, SinkContext, WriteResult
from logweir.sinks.loki import LokiConfig, LokiSink
from logweir.testing.contract import make_event
from servers import Server
from support import victorialogs as store

DAY = 86_400 * 10**9

ENCODINGS = pytest.mark.parametrize("encoding", ["protobuf", "json"])


@asynccontextmanager
async def sink_on(server: Server, **options: Any) -> AsyncIterator[LokiSink]:
    options.setdefault("static_labels", {"job": new_event_id()})
    config = LokiConfig(url=store.push_url(server.url), **options)
    sink = LokiSink(config, SinkContext(name="logs", workers=2))
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


def rows_of(server: Server, sink: LokiSink) -> list[dict[str, Any]]:
    return store.in_job(sink.config.static_labels["job"], server.url)


@ENCODINGS
async def test_the_message_is_the_events_name(victorialogs: Server, encoding: str) -> None:
    async with sink_on(victorialogs, encoding=encoding) as sink:
        await sink.write([make_event("order.placed", order_id=7)])
        (row,) = rows_of(victorialogs, sink)
    assert (row["_msg"], row["fields.order_id"]) == ("order.placed", "7")


async def test_another_key_can_be_the_message(victorialogs: Server) -> None:
    async with sink_on(victorialogs, headers={"VL-Msg-Field": "fields.note"}) as sink:
        await sink.write([make_event("order.placed", note="a note")])
        (row,) = rows_of(victorialogs, sink)
    assert (row["_msg"], row["event"]) == ("a note", "order.placed")


@ENCODINGS
async def test_a_thousand_events_of_two_streams_arrive_whole(victorialogs: Server, encoding: str) -> None:
    events = [
        msgspec.structs.replace(
            make_event("order.placed", order_id=number), level=("info", "error")[number % 2]
        )
        for number in range(1000)
    ]
    async with sink_on(victorialogs, encoding=encoding) as sink:
        result = await sink.write(events)
        assert result == WriteResult()
        rows = rows_of(victorialogs, sink)
    job = sink.config.static_labels["job"]
    assert {row["_stream"] for row in rows} == {
        f'{{env="test",job="{job}",level="{level}",service="contract-service"}}'
        for level in ("info", "error")
    }
    assert {row["id"]: stored(row) for row in rows} == {event.id: sent(event) for event in events}
    assert len(rows) == 1000


def stored(row: dict[str, Any]) -> tuple[Any, ...]:
    """What VictoriaLogs made of an entry: labels, structured metadata and the parsed line are all fields."""
    names = ("_msg", "kind", "level", "service", "env", "trace_id", "span_id", "fields.order_id")
    return (store.time_of(row), *(row[name] for name in names))


def sent(event: Event) -> tuple[Any, ...]:
    of_event = (event.name, event.kind, event.level, event.service, event.env, event.trace_id, event.span_id)
    return (event.time, *of_event, str(event.fields["order_id"]))


@pytest.mark.wound("vector #20118")
async def test_a_batch_that_is_sent_again_is_one_by_its_distinct_ids(victorialogs: Server) -> None:
    batch = [make_event(number=number) for number in range(100)]
    async with sink_on(victorialogs) as sink:
        for _ in range(3):  # as after answers that were lost
            await sink.write(batch)
        rows = rows_of(victorialogs, sink)
    assert len(rows) == 300, "it keeps what it is sent; the documentation says so"
    assert {row["id"] for row in rows} == {event.id for event in batch}


async def test_a_batch_larger_than_a_request_is_stored_in_parts(victorialogs: Server) -> None:
    batch = [make_event(number=number, body="x" * 20_000) for number in range(600)]
    async with sink_on(victorialogs) as sink:
        assert not (await sink.write(batch)).rejected
        assert len({row["id"] for row in rows_of(victorialogs, sink)}) == 600


async def test_what_would_be_far_behind_for_loki_is_stored_at_its_own_time(victorialogs: Server) -> None:
    now = time.time_ns()
    batch = [make_event(time_ns=now + offset * DAY, number=offset) for offset in (0, -400, -3, 5)]
    async with sink_on(victorialogs) as sink:
        assert not (await sink.write(batch)).rejected
        rows = rows_of(victorialogs, sink)
    assert [row["fields.number"] for row in rows] == ["-400", "-3", "0", "5"]


async def test_it_drops_without_a_word_what_its_retention_does_not_allow(own_server: Any) -> None:
    """The trap that docs/how-to/loki.md names: the answer is 204 all the same."""
    server = own_server("victorialogs", args=["-retentionPeriod=7d", "-futureRetention=2d"])
    now = time.time_ns()
    batch = [make_event(time_ns=now + offset * DAY, number=offset) for offset in (0, -30, 30)]
    async with sink_on(server) as sink:
        result = await sink.write(batch)
        rows = rows_of(server, sink)
    assert result == WriteResult()
    assert [row["fields.number"] for row in rows] == ["0"]


async def test_check_takes_it_for_a_loki_without_a_version_and_a_search_says_that_there_is_no_logql(
    victorialogs: Server,
) -> None:
    async with sink_on(victorialogs) as sink:
        assert not (await sink.write([make_event(kind=Kind.AUDIT)])).rejected
        health = await sink.check()
        assert (health.status, health.server) == ("ok", "Loki, a build without a version")
        with pytest.raises(SinkRejected, match="unsupported path requested"):
            [event async for event in sink.search(Query())]
