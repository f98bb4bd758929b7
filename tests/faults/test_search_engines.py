"""Elasticsearch and OpenSearch under faults: nothing that was accepted is lost, and nothing is there twice.

Each test sends a numbered burst through a runtime, does harm in the middle of it, and counts what the
server has by bare requests.
"""

import itertools
import os
import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from logweir.config.models import RoutingConfig
from logweir.errors import SinkUnavailable
from logweir.runtime.runtime import Runtime
from logweir.sinks.contract import Query, SinkContext
from logweir.sinks.shared.search_engine.config import SearchEngineConfig
from logweir.testing.contract import make_event
from support import burst
from support.burst import Burst
from support.elastic import Elastic
from support.memory import growth_of
from support.search_engines import PRODUCTS, SearchEngineProduct
from support.waiting import eventually

#: A rate that this server takes, and the patience that its starts need.
PACE: dict[str, Any] = {"rate": 1500, "patience": 40.0, "enough": 300}
LONG = os.environ.get("LOGWEIR_SOAK") == "long"


@pytest.fixture
def name() -> str:
    return f"burst-{uuid4().hex[:12]}"


#: For faults of which nothing concerns the client, all that the products do not share.
once_is_enough = pytest.mark.parametrize(
    "product", list(PRODUCTS) if LONG else ["elasticsearch"], indirect=True
)


@pytest.fixture(params=PRODUCTS)
def product(request: pytest.FixtureRequest) -> SearchEngineProduct:
    return PRODUCTS[request.param]


@pytest.fixture
def server(request: pytest.FixtureRequest, product: SearchEngineProduct) -> Any:
    """The session's server of the product."""
    return request.getfixturevalue(product.name)


def options(server: Any, name: str, *, url: str | None = None, **more: Any) -> SearchEngineConfig:
    """Options of a sink into a server, or into it by way of another url."""
    settings: dict[str, Any] = {
        "url": url or server.url,
        "index": name,
        "provision": True,
        "replicas": 0,
        "workers": 2,
        "queue": {"max_events": 200_000, "when_full": "block", "block_timeout": 60},
        "retry": {"initial": 0.05, "max": 0.3, "timeout": 2},
        **more,
    }
    return PRODUCTS[server.name].config.model_validate(settings)


def burst_into(sink: SearchEngineConfig) -> AbstractContextManager[Burst]:
    """Run a burst at the pace of this server."""
    return burst.burst_into(sink, **PACE)


def assert_all_there_once(server: Any, name: str, sent: int) -> None:
    store = Elastic(server.url, name)
    ids = store.ids()
    store.remove()
    assert len(set(ids)) == len(ids) == sent


@once_is_enough
@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.wound("vector #18820")
def test_a_server_that_is_killed_and_then_stands_still_has_everything_once(
    own_server: Any, product: SearchEngineProduct, name: str
) -> None:
    server = own_server(product.name)
    with burst_into(options(server, name)) as burst:
        server.kill()
        burst.until_it_fails()
        server.start()
        burst.until_more_is_stored()
        server.pause()
        burst.until_it_fails()
        time.sleep(30 if LONG else 0)  # how long it stands still is the point
        server.resume()
        burst.until_more_is_stored()
    assert_all_there_once(server, name, burst.sent)


def test_latency_resets_and_half_written_answers_lose_nothing_and_repeat_nothing(
    server: Any, proxy: Any, name: str
) -> None:
    fault = proxy(server)
    with burst_into(options(server, name, url=fault.url)) as burst:
        burst.survives_a_bad_network(fault, latency=0.2, cut_after=40)
    assert burst.metrics.duplicate  # what was stored before its answer was cut
    assert_all_there_once(server, name, burst.sent)


@pytest.mark.parametrize("status", [429, 503])
def test_a_storm_of_refusals_passes(server: Any, proxy: Any, name: str, status: int) -> None:
    fault = proxy(server)
    with burst_into(options(server, name, url=fault.url)) as burst:
        fault.answer(status, retry_after=0.1, share=0.5)
        burst.until_it_fails(6)
        fault.answer(status)
        burst.until_it_fails(2)
        assert f"status {status}" in burst.metrics.last_error
        fault.clear()
        burst.until_more_is_stored()
    assert_all_there_once(server, name, burst.sent)


@pytest.mark.parametrize("status", [401, 403])
def test_credentials_that_are_refused_are_reported_and_cost_nothing_once_they_are_taken(
    server: Any, proxy: Any, name: str, status: int
) -> None:
    fault = proxy(server)
    fault.answer(status)
    sink = options(server, name, url=fault.url, username="logs", password="hunter2")
    routes: Any = [{"name": "all", "to": ["store"]}]
    runtime = Runtime(RoutingConfig(sinks={"store": sink}, routes=routes, drain_timeout=60))
    runtime.start()
    try:
        with Burst(runtime, **PACE) as burst:
            burst.until(lambda _: burst.sent > 300)
            fault.clear()
            burst.until_more_is_stored()
            fault.answer(status)
            burst.until_it_fails()
            assert "refuses the credentials" in burst.metrics.last_error
            assert "hunter2" not in burst.metrics.last_error
            fault.clear()
            burst.until_more_is_stored()
        assert runtime.stop(60), burst.metrics
        assert burst.metrics.stored + burst.metrics.duplicate == burst.sent
        assert not burst.metrics.dead
    finally:
        runtime.stop(1)
    assert_all_there_once(server, name, burst.sent)


def test_d1_an_event_for_a_closed_index_waits_until_it_is_opened_and_the_others_pass(
    server: Any, name: str
) -> None:
    store = Elastic(server.url, name)
    sink = options(server, name, layout="daily", workers=1, queue={"max_events": 100})
    routes: Any = [{"name": "all", "to": ["store"]}]
    runtime = Runtime(RoutingConfig(sinks={"store": sink}, routes=routes, drain_timeout=60))
    runtime.start()
    try:
        put = runtime._pipeline.channels["store"].put
        put(make_event(time_ns=10**18))
        eventually(lambda: runtime.metrics().sinks["store"].stored == 1)
        store.ask("POST", f"/{name}-2001.09.09/_close")
        put(make_event(time_ns=10**18 + 1))
        for number in range(1000):
            put(make_event(number=number))
            eventually(lambda: runtime.metrics().sinks["store"].queue_depth < 90)
        eventually(lambda: runtime.metrics().sinks["store"].stored == 1001)
        metrics = runtime.metrics().sinks["store"]
        assert (metrics.state.value, metrics.set_aside, metrics.dropped) == ("degraded", 1, {})
        assert "index_closed_exception" in metrics.last_error
        assert metrics.failures
        store.ask("POST", f"/{name}-2001.09.09/_open")
        eventually(lambda: runtime.metrics().sinks["store"].stored == 1002)
        eventually(lambda: runtime.metrics().sinks["store"].state.value == "healthy")
        assert runtime.stop(60)
    finally:
        runtime.stop(1)
        store.close()
    assert_all_there_once(server, name, 1002)


@once_is_enough
@pytest.mark.wound("vector #20118")
def test_answers_that_are_lost_around_a_rollover_leave_no_event_twice(
    server: Any, proxy: Any, name: str
) -> None:
    fault = proxy(server)
    store = Elastic(server.url, name)
    with burst_into(options(server, name, url=fault.url, layout="data_stream")) as burst:
        for _ in range(3):
            fault.cut_answers(40)
            burst.until_it_fails()
            store.ask("POST", f"/{name}/_rollover")
            fault.clear()
            burst.until_more_is_stored()
    assert len(store.indexes()) == 4
    store.close()
    assert burst.metrics.duplicate
    assert_all_there_once(server, name, burst.sent)


@once_is_enough
@pytest.mark.parametrize("layout", ["daily", "data_stream"])
async def test_events_of_a_skewed_clock_are_stored_once(server: Any, name: str, layout: str) -> None:
    now = datetime.now(UTC)
    skews = [timedelta(days=365 * number) for number in (-50, -1, 0, 1, 50)]
    batch = [make_event(f"skewed by {skew}", time_ns=int((now + skew).timestamp()) * 10**9) for skew in skews]
    batch += [make_event("first of all", time_ns=0), make_event("before", time_ns=-1)]
    sink = PRODUCTS[server.name].sink(options(server, name, layout=layout, retry={"timeout": 60}))
    await sink.open()
    try:
        await sink.write(batch)
        assert (await sink.write(batch)).duplicate == set(range(len(batch)))
        found = [event async for event in sink.search(Query(limit=None))]
    finally:
        await sink.close()
    assert {event.id: event.time for event in found} == {event.id: event.time for event in batch}
    assert_all_there_once(server, name, len(batch))


@pytest.mark.slow
@once_is_enough
async def test_memory_stays_flat_over_writes_and_over_failures(server: Any, proxy: Any, name: str) -> None:
    fault = proxy(server)
    settings = options(server, name, url=fault.url, retry={"timeout": 60})
    sink = PRODUCTS[server.name].sink(settings, SinkContext(workers=2))
    await sink.open()
    numbers = itertools.count()

    async def round_of_writes() -> None:
        for _ in range(10 if not LONG else 200):
            await sink.write([make_event(number=next(numbers)) for _ in range(200)])
        fault.reset()
        for _ in range(5 if not LONG else 50):
            with pytest.raises(SinkUnavailable):
                await sink.write([make_event()])
        fault.clear()
        await sink.write([make_event()])

    try:
        grown = await growth_of(round_of_writes)
    finally:
        await sink.close()
        Elastic(server.url, name).remove()
    assert grown < 300_000
