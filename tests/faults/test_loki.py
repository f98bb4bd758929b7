"""Loki under faults: nothing that was accepted is lost, and nothing is read back twice.

Each test sends a numbered burst in several streams through a runtime, does harm in the middle of it, and
reads back what the server has. The kills and pauses are a server's of the test's own.
"""

import asyncio
import gc
import itertools
import os
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from typing import Any

import msgspec
import pytest

from logweir.config.models import RoutingConfig
from logweir.errors import SinkError, SinkUnavailable
from logweir.event import new_event_id
from logweir.runtime.runtime import Runtime
from logweir.sinks.contract import Query, SinkContext
from logweir.sinks.loki import LokiConfig, LokiSink
from logweir.testing.contract import make_event
from servers import FaultProxy, Server
from servers.server import OwnServer
from support.burst import Burst
from support.burst import burst_into as shared_burst_into
from support.waiting import eventually

LONG = os.environ.get("LOGWEIR_SOAK") == "long"
LEVELS = ("info", "warning", "error")
HOUR = 3600 * 10**9

OwnServers = Callable[..., OwnServer]
Proxies = Callable[[Server], FaultProxy]


def config(url: str, **more: Any) -> LokiConfig:
    options: dict[str, Any] = {
        "url": url,
        "workers": 2,
        "static_labels": {"job": new_event_id()},
        "queue": {"max_events": 200_000, "when_full": "block", "block_timeout": 60},
        "retry": {"initial": 0.05, "max": 0.3, "timeout": 1.5},
    }
    return LokiConfig.model_validate({**options, **more})


def burst_into(sink: LokiConfig) -> AbstractContextManager[Burst]:
    """A burst of events in several streams."""
    return shared_burst_into(sink, levels=LEVELS)


@asynccontextmanager
async def opened(sink_config: LokiConfig) -> AsyncIterator[LokiSink]:
    sink = LokiSink(sink_config, SinkContext(name="logs", workers=2))
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


def assert_all_there_once(server: Server, sink: LokiConfig, sent: int) -> None:
    async def numbers() -> list[int]:
        async with opened(sink.model_copy(update={"url": server.url})) as reader:
            return [event.fields["number"] async for event in reader.search(Query(limit=None))]

    assert sorted(asyncio.run(numbers())) == list(range(sent))


@pytest.mark.wound("vector #18820")
def test_a_server_killed_in_mid_burst_and_started_again_has_everything_once(own_server: OwnServers) -> None:
    server = own_server("loki")
    sink = config(server.url)
    with burst_into(sink) as burst:
        server.kill()
        burst.until_it_fails()
        server.start()
        burst.until_more_is_stored()
    assert_all_there_once(server, sink, burst.sent)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_server_that_stands_still_and_goes_on_has_everything_once(own_server: OwnServers) -> None:
    server = own_server("loki")
    sink = config(server.url, **({"retry": {"max": 1, "timeout": 10}} if LONG else {}))
    with burst_into(sink) as burst:
        server.pause()
        burst.until_it_fails(seconds=60)
        time.sleep(30 if LONG else 1)  # how long it stands still is the point
        server.resume()
        burst.until_more_is_stored()
    assert_all_there_once(server, sink, burst.sent)


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_latency_resets_and_half_written_answers_lose_nothing_and_repeat_nothing(
    loki: Server, proxy: Proxies, encoding: str
) -> None:
    fault = proxy(loki)
    sink = config(fault.url, encoding=encoding)
    with burst_into(sink) as burst:
        burst.survives_a_bad_network(fault)
    assert_all_there_once(loki, sink, burst.sent)


def test_a_storm_of_429_and_503_loses_nothing_and_repeats_nothing(loki: Server, proxy: Proxies) -> None:
    fault = proxy(loki)
    sink = config(fault.url)
    with burst_into(sink) as burst:
        burst.survives_refusals(fault, (429, 0.5), (503, 0.5), (500, 1.0), (502, 0.3))
    assert_all_there_once(loki, sink, burst.sent)


async def test_what_a_busy_server_asks_to_wait_is_passed_on(loki: Server, proxy: Proxies) -> None:
    fault = proxy(loki)
    async with opened(config(fault.url)) as sink:
        fault.answer(429, retry_after=7)
        with pytest.raises(SinkUnavailable, match="429") as raised:
            await sink.write([make_event()])
        assert raised.value.retry_after == 7
        fault.answer(429, retry_after=7, share=0.5)  # of the requests of two streams, one is answered so
        two = [make_event(), msgspec.structs.replace(make_event(), level="error")]
        result = await sink.write(two)
        assert len(result.retry) == 1
        assert result.retry_after == 7


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_refuses_us_loses_nothing_and_we_say_why(
    loki: Server, proxy: Proxies, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    fault = proxy(loki)
    sink = config(fault.url, bearer_token="hunter2", tenant="shop")
    with burst_into(sink) as burst:
        fault.answer(status)
        burst.until_it_fails(3)
        assert f"Loki answered {status}" in burst.metrics.last_error
        fault.clear()
        burst.until_more_is_stored()
    assert "hunter2" not in caplog.text
    assert_all_there_once(loki, sink, burst.sent)


async def test_a_sink_does_not_open_where_it_is_refused_and_its_check_says_so(
    loki: Server, proxy: Proxies
) -> None:
    fault = proxy(loki)
    fault.answer(401)
    sink = LokiSink(config(fault.url, username="ann", password="hunter2"))
    with pytest.raises(SinkError, match="401.*username") as raised:
        await sink.open()
    health = await sink.check()
    assert health.status == "down"
    assert "hunter2" not in f"{raised.value}{health}{sink.config!r}"
    fault.refuse()
    assert (await sink.check()).status == "down"
    with pytest.raises(SinkUnavailable):
        await sink.open()


async def test_events_of_a_skewed_clock_hold_nothing_up(loki: Server) -> None:
    now = time.time_ns()
    skews = [0, -400 * 24 * HOUR, -2 * HOUR, -60 * 10**9, 5 * 60 * 10**9, 2 * HOUR, 400 * 24 * HOUR]
    batch = [make_event(time_ns=now + skew, number=number) for number, skew in enumerate(skews)]
    wide = {"lookback": "500d", "query_window": "500d"}
    async with opened(config(loki.url, **wide)) as sink:
        await sink.write([make_event(time_ns=now - 1, number=-1)])
        result = await sink.write(batch)
        stored = [event.fields["number"] async for event in sink.search(Query(limit=None))]
    assert result.rejected.keys() == {1, 2, 5, 6}, "each has Lokis's reason in the dead letters"
    assert stored == [3, -1, 0, 4]
    async with opened(config(loki.url, restamp=True, **wide)) as sink:
        await sink.write([make_event(time_ns=now - 1, number=-1)])
        for _ in range(2):  # as after an answer that was lost
            assert not (await sink.write(batch)).rejected
        stored = [event.fields["number"] async for event in sink.search(Query(limit=None, end=None))]
    assert sorted(stored) == [-1, 0, 1, 2, 3, 4, 5]


async def test_one_stream_that_is_too_fast_for_loki_waits_and_the_others_do_not(
    own_server: OwnServers,
) -> None:
    server = own_server(
        "loki",
        args=[
            "-ingester.per-stream-rate-limit=40KB",
            "-ingester.per-stream-rate-limit-burst=40KB",
            "-shard-streams.enabled=false",
        ],
    )
    fast = [make_event(number=number, body="x" * 1000) for number in range(50)]
    slow = [msgspec.structs.replace(make_event(number=number), level="error") for number in range(50, 60)]
    async with opened(config(server.url)) as sink:
        waiting = [*fast, *slow]
        async with asyncio.timeout(60):
            for attempt in itertools.count():
                try:
                    result = await sink.write(waiting)
                except SinkUnavailable as error:
                    assert "ate limit exceeded" in str(error)
                    await asyncio.sleep(0.1)
                    continue
                assert not result.rejected
                if attempt == 0:
                    assert result.retry == set(range(50))
                if not result.retry:
                    break
                waiting = [waiting[index] for index in sorted(result.retry)]
                await asyncio.sleep(0.1)
        stored = [event.fields["number"] async for event in sink.search(Query(limit=None))]
    assert sorted(stored) == list(range(60))


def test_d1_events_of_streams_that_loki_refuses_go_into_one_that_it_has(own_server: OwnServers) -> None:
    server = own_server("loki", args=["-ingester.max-global-streams-per-user=1"])
    sink = config(server.url, workers=1, queue={"max_events": 100})
    routes: Any = [{"name": "all", "to": ["store"]}]
    runtime = Runtime(RoutingConfig(sinks={"store": sink}, routes=routes, drain_timeout=60))
    runtime.start()
    try:
        put = runtime._pipeline.channels["store"].put
        for number in range(300):
            put(msgspec.structs.replace(make_event(number=number), level=LEVELS[number % 3]))
            eventually(lambda: runtime.metrics().sinks["store"].queue_depth < 90)
        eventually(lambda: runtime.metrics().sinks["store"].stored == 300)
        assert runtime.stop(60)
        assert not runtime.metrics().sinks["store"].dropped
    finally:
        runtime.stop(1)

    async def found() -> list[tuple[int, str]]:
        async with opened(sink) as reader:
            return [(e.fields["number"], e.level) async for e in reader.search(Query(limit=None))]

    assert sorted(asyncio.run(found())) == [(number, LEVELS[number % 3]) for number in range(300)]


def test_d1_a_tenant_at_its_limit_of_streams_keeps_what_is_new_waiting_and_nothing_else(
    own_server: OwnServers,
) -> None:
    """Another has taken all the streams: this process has none that Loki would take its events into."""
    server = own_server("loki", args=["-ingester.max-global-streams-per-user=1"])
    asyncio.run(_store_one(config(server.url)))
    sink = config(server.url, workers=1, queue={"max_events": 100})
    routes: Any = [{"name": "all", "to": ["store"]}]
    runtime = Runtime(RoutingConfig(sinks={"store": sink}, routes=routes, drain_timeout=0))
    runtime.start()
    try:
        runtime._pipeline.channels["store"].put(make_event())
        eventually(lambda: runtime.metrics().sinks["store"].put_off >= 2)
        metrics = runtime.metrics().sinks["store"]
        assert (metrics.set_aside, metrics.dead) == (1, 0)
        assert "stream" in metrics.last_error
    finally:
        runtime.stop(1)


async def _store_one(sink: LokiConfig) -> None:
    async with opened(sink) as writer:
        await writer.write([make_event()])


async def test_memory_stays_flat_while_the_server_misbehaves(loki: Server, proxy: Proxies) -> None:
    fault = proxy(loki)
    rounds = 200 if LONG else 25
    async with opened(config(fault.url)) as sink:

        async def misbehave(times: int) -> int:
            for number in range(times):
                batch = [make_event(number=number, body="x" * 200) for _ in range(200)]
                batch[0] = make_event(time_ns=time.time_ns() + HOUR)  # refused
                fault.clear()
                if number % 3 == 1:
                    fault.answer(503)
                elif number % 3 == 2:
                    fault.cut_answers(20)
                with suppress(SinkUnavailable):
                    await sink.write(batch)
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            await misbehave(10)
            before = await misbehave(5)
            after = await misbehave(rounds)
        finally:
            tracemalloc.stop()
    assert after - before < 300_000
