"""What Loki refuses, resolved event by event; and what it holds, read back."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest

from logweir.event import Event, Kind, new_event_id
from logweir.sinks.contract import Query, SinkContext
from logweir.sinks.loki import LokiConfig, LokiSink
from logweir.testing.contract import make_event
from servers import Server
from servers.server import OwnServer

HOUR = 3600 * 10**9
EVERYTHING = Query(limit=None)

Opened = Callable[..., AbstractAsyncContextManager[LokiSink]]


@asynccontextmanager
async def sink_on(url: str, **options: Any) -> AsyncIterator[LokiSink]:
    """An open sink whose streams no other test has."""
    options.setdefault("static_labels", {"job": new_event_id()})
    sink = LokiSink(LokiConfig(url=url, **options), SinkContext(name="logs", workers=2))
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


async def found(sink: LokiSink, query: Query = EVERYTHING) -> list[Event]:
    return [msgspec.structs.replace(event, size=200) async for event in sink.search(query)]


def at(offset: int, **fields: Any) -> Event:
    """An event at so many nanoseconds from now."""
    return make_event(time_ns=time.time_ns() + offset, **fields)


ENCODINGS = pytest.mark.parametrize("encoding", ["protobuf", "json"])


@ENCODINGS
async def test_one_long_line_is_cut_and_the_others_are_stored_whole(loki: Server, encoding: str) -> None:
    batch = [make_event(number=number, user_id="ann") for number in range(20)]
    long = {**batch[7].fields, "body": "ß" * 3_000_000, "more": ["x" * 100] * 10}
    batch[7] = msgspec.structs.replace(batch[7], fields=long)
    async with sink_on(loki.url, encoding=encoding) as sink:
        result = await sink.write(batch)
        assert not result.rejected
        assert not result.retry
        stored = await found(sink)
    assert [event for event in stored if event.id != batch[7].id] == batch[:7] + batch[8:]
    cut = stored[7]
    assert cut.id == batch[7].id
    assert cut.fields["number"] == 7
    assert cut.fields["user_id"] == "ann"
    assert cut.fields["logweir_truncated"] is True
    assert 100_000 < len(cut.fields["body"]) < 3_000_000


@ENCODINGS
async def test_an_event_from_the_future_is_rejected_alone_with_lokis_reason(
    loki: Server, encoding: str
) -> None:
    batch = [at(number) for number in range(10)]
    batch[3] = at(HOUR)
    batch[8] = at(2 * HOUR)
    async with sink_on(loki.url, encoding=encoding) as sink:
        result = await sink.write(batch)
        stored = await found(sink)
    assert result.rejected.keys() == {3, 8}
    assert "has timestamp too new" in result.rejected[3]
    assert stored == [event for index, event in enumerate(batch) if index not in {3, 8}]


async def test_events_far_behind_their_stream_are_rejected_alone(loki: Server) -> None:
    batch = [at(number) for number in range(200)]
    late = set(range(20, 140, 3))  # more than Loki names in its answer
    for index in late:
        batch[index] = at(-5 * HOUR + index)
    async with sink_on(loki.url) as sink:
        await sink.write([at(0)])
        result = await sink.write(batch)
        stored = await found(sink)
    assert result.rejected.keys() == late
    assert all("too far behind" in reason for reason in result.rejected.values())
    assert {event.id for event in stored} >= {
        event.id for index, event in enumerate(batch) if index not in late
    }


async def test_a_refusal_in_one_stream_is_not_hidden_by_the_success_of_another(loki: Server) -> None:
    late = [at(-5 * HOUR), at(0)]
    other = [msgspec.structs.replace(at(number), level="error") for number in range(2)]
    async with sink_on(loki.url) as sink:
        await sink.write([at(0)])
        result = await sink.write([*late, *other])  # Loki answers 204 if these come in one request
        stored = {event.id for event in await found(sink)}
    assert result.rejected.keys() == {0}
    assert stored >= {event.id for event in (late[1], *other)}


async def test_what_is_too_old_or_too_new_is_stamped_anew_if_that_is_allowed(loki: Server) -> None:
    batch = [at(0), at(-5 * HOUR, which="old"), at(HOUR, which="new"), at(1)]
    async with sink_on(loki.url, restamp=True) as sink:
        result = await sink.write(batch)
        again = await sink.write(batch)
        stored = await found(sink)
    assert not result.rejected
    assert not again.rejected
    assert {event.id: event for event in stored} == {event.id: event for event in batch}
    assert len(stored) == 4
    assert [event.time for event in stored] == sorted(event.time for event in batch)


async def test_events_at_another_time_are_found_by_their_own(loki: Server) -> None:
    start = time.time_ns()
    old = [at(-3 * HOUR + number * 10**9, number=number) for number in range(3)]
    new = [make_event(time_ns=start + number, number=number) for number in range(4)]
    async with sink_on(loki.url, restamp=True) as sink:
        await sink.write([new[0]])
        await sink.write(old)
        await sink.write(new[1:])
        before, after = Query(end=at(-HOUR).datetime), Query(start=at(-HOUR).datetime)
        assert await found(sink) == old + new
        assert await found(sink, before) == old
        assert await found(sink, after) == new
        assert await found(sink, Query(limit=2)) == old[:2]
        assert await found(sink, Query(newest_first=True, limit=5)) == [*new[::-1], old[2]]


@pytest.mark.wound("vector #20118")
async def test_an_event_that_comes_again_after_its_stream_went_on_is_a_duplicate(loki: Server) -> None:
    early, late = at(-3 * HOUR), at(-3 * HOUR + 5)
    async with sink_on(loki.url) as sink:
        await sink.write([early])
        await sink.write([at(0)])
        result = await sink.write([early, late])
    assert result.duplicate == {0}
    assert result.rejected.keys() == {1}


async def test_an_event_older_than_the_servers_schema_does_not_hold_up_its_batch(loki: Server) -> None:
    batch = [at(0), make_event(time_ns=10**9), at(1)]
    async with sink_on(loki.url) as sink:
        result = await sink.write(batch)
        stored = await found(sink)
    assert result.rejected.keys() == {1}
    assert stored == [batch[0], batch[2]]
    async with sink_on(loki.url) as sink:  # nor where it would begin a stream, to which Loki answers 500
        result = await sink.write([batch[1], msgspec.structs.replace(batch[0], level="error")])
        assert result.rejected.keys() == {0}
        assert "no schema config found" in result.rejected[0]
        assert len(await found(sink)) == 1


async def test_a_batch_larger_than_lokis_messages_is_stored_in_parts(loki: Server) -> None:
    batch = [make_event(number=number, body="x" * 20_000) for number in range(600)]
    async with sink_on(loki.url) as sink:
        result = await sink.write(batch)
        assert not result.rejected
        assert await found(sink) == batch
    async with sink_on(loki.url, max_request_bytes=2**30) as sink:  # Loki itself says that it is too large
        assert not (await sink.write(batch)).rejected
        assert await found(sink) == batch


async def test_a_label_value_longer_than_lokis_limit_moves_into_the_line(loki: Server) -> None:
    event = msgspec.structs.replace(make_event(), service="s" * 3000, env="", level="odd\nlevel")
    async with sink_on(loki.url) as sink:
        assert not (await sink.write([event])).rejected
        assert await found(sink) == [event]


async def test_too_many_labels_leave_the_static_ones(loki: Server) -> None:
    labels = ["env", "service", "level", *(f"field{number}" for number in range(20))]
    events = [make_event(**{f"field{number}": "x" for number in range(20)}), make_event()]
    async with sink_on(loki.url, labels=labels) as sink:
        result = await sink.write(events)
        assert not result.rejected
        assert await found(sink) == events


@pytest.mark.wound("vector #20118")
async def test_a_resend_is_absorbed_even_long_after_its_chunk_was_cut(loki: Server) -> None:
    async with sink_on(loki.url) as sink:
        first = [make_event(number=number, body="x" * 300) for number in range(1000)]
        await sink.write(first)
        for _ in range(5):
            await sink.write([make_event(number=number, body="x" * 300) for number in range(1000)])
        await sink.write(first)
        ids = [event.id for event in await found(sink)]
    assert len(ids) == 6000
    assert len(set(ids)) == 6000


async def test_a_label_that_passes_its_limit_is_demoted_once_and_reported(
    loki: Server, caplog: pytest.LogCaptureFixture
) -> None:
    labels: Any = ["env", "service", "level", {"name": "user_id", "limit": 5}]
    job = new_event_id()
    batch = [make_event(user_id=f"user-{number}") for number in range(50)]
    async with sink_on(loki.url, labels=labels, static_labels={"job": job}) as sink:
        await sink.write(batch[:25])
        await sink.write(batch[25:])
        assert await found(sink) == batch
        assert [event.fields async for event in sink.search(Query(fields={"user_id": "user-40"}))] == [
            {"user_id": "user-40"}
        ]
        assert sink.guard.demoted == {"user_id": 45}
        health = await sink.check()
    assert health.status == "degraded"
    assert "user_id" in health.detail
    reports = [
        record for record in caplog.records if "'user_id' has more than 5 values" in record.getMessage()
    ]
    assert len(reports) == 1
    async with httpx.AsyncClient(base_url=loki.url) as client:
        answer = await client.get("/loki/api/v1/series", params={"match[]": f'{{job="{job}"}}'})
        streams = [stream for stream in answer.json()["data"] if "user_id" in stream]
        assert len(streams) == 5
        query = {"query": f'{{job="{job}"}} | user_id="user-40"'}
        answer = await client.get("/loki/api/v1/query_range", params=query)
        assert len(answer.json()["data"]["result"]) == 1


async def test_a_search_goes_on_beyond_what_loki_gives_at_once(loki: Server) -> None:
    start = time.time_ns() - 12_000
    batch = [make_event(time_ns=start + number // 3, number=number) for number in range(12_000)]
    async with sink_on(loki.url) as sink:
        for first in range(0, len(batch), 1000):
            await sink.write(batch[first : first + 1000])
        forward = await found(sink)
        backward = await found(sink, Query(limit=None, newest_first=True))
        some = await found(sink, Query(limit=7000))
    assert sorted(forward, key=lambda event: event.id) == sorted(batch, key=lambda event: event.id)
    assert forward == sorted(batch, key=lambda event: (event.time, event.id))
    assert backward == forward[::-1]
    assert some == forward[:7000]


async def test_more_events_of_one_nanosecond_than_an_answer_holds_are_all_found(loki: Server) -> None:
    moment = time.time_ns()
    batch = [make_event(time_ns=moment, number=number) for number in range(6000)]
    later = make_event(time_ns=moment + 1)
    async with sink_on(loki.url) as sink:
        for first in range(0, len(batch), 1000):
            await sink.write(batch[first : first + 1000])
        await sink.write([later])
        assert await found(sink) == [*sorted(batch, key=lambda event: event.id), later]


async def test_a_search_over_more_than_loki_allows_is_made_in_windows(loki: Server) -> None:
    batch = [at(-number * 24 * HOUR, number=number) for number in range(100, -1, -10)]
    async with sink_on(loki.url, lookback="101d", query_window="7d") as sink:
        for event in batch:  # one by one: each is far from the others
            assert not (await sink.write([event])).rejected
        assert await found(sink) == batch
        assert await found(sink, Query(newest_first=True, limit=3)) == batch[:-4:-1]


async def test_a_tenant_is_sent_and_the_server_shows_its_limits(loki: Server) -> None:
    async with sink_on(loki.url, tenant="shop") as sink:
        assert not (await sink.write([make_event(kind=Kind.AUDIT)])).rejected
        health = await sink.check()
    assert health.status == "ok"
    assert health.server.startswith("Loki")
    assert "max_line_size 1MB" in health.detail


async def test_a_loki_without_structured_metadata_gets_all_in_the_line(
    own_server: Callable[..., OwnServer], caplog: pytest.LogCaptureFixture
) -> None:
    server = own_server("loki", args=["-validation.allow-structured-metadata=false"])
    batch = [make_event(number=number) for number in range(10)]
    async with sink_on(server.url) as sink:
        assert not (await sink.write(batch)).rejected
        assert [event.id for event in await found(sink)] == [event.id for event in batch]
        assert await found(sink) == batch
        assert (await sink.check()).status == "degraded"
    assert "takes no structured metadata" in caplog.text
