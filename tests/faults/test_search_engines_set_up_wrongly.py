"""Elasticsearch and OpenSearch that are full, or only half set up: what they answer then is nobody's event's fault."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from typing import Any

import pytest

from logweir.errors import SinkUnavailable
from logweir.sinks.elasticsearch.client import ElasticsearchClient
from logweir.sinks.elasticsearch.config import ElasticsearchConfig
from logweir.sinks.elasticsearch.sink import ElasticsearchSink
from logweir.sinks.results import HealthStatus
from logweir.sinks.shared.search_engine.readiness import trouble_with_bulk
from logweir.sinks.shared.search_engine.sink import SearchEngineSink
from logweir.testing.contract import make_event
from servers import Server
from support.elastic import Elastic, new_store
from support.search_engines import PRODUCTS

DAY = "2026.01.01"
TIME = 1_767_225_600 * 10**9


@pytest.fixture(params=PRODUCTS)
def server(request: pytest.FixtureRequest) -> Server:
    """The session's server of each product."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def store(server: Server) -> Iterator[Elastic]:
    """An index, or several, of a name of their own on the session's server."""
    with new_store(server) as store:
        yield store


@asynccontextmanager
async def opened(store: Elastic, server: Server, **more: Any) -> AsyncIterator[SearchEngineSink[Any]]:
    settings = {"url": server.url, "index": store.name, "layout": "daily", "provision": True, "replicas": 0}
    sink = store.product.make(**{**settings, **more})
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


def of_the_index(settings: dict[str, Any]) -> Callable[[Elastic, bool], None]:
    """Set what is wrong, and take it back."""

    def change(store: Elastic, wrong: bool) -> None:
        values = {key: value if wrong else None for key, value in settings.items()}
        store.ask("PUT", f"/{store.name}-{DAY}/_settings", {"index": values})

    return change


@pytest.mark.parametrize(
    ("said", "change"),
    [
        ("pipeline with id [absent] does not exist", of_the_index({"default_pipeline": "absent"})),
        ("pipeline with id [absent] does not exist", of_the_index({"final_pipeline": "absent"})),
        ("flood-stage watermark", of_the_index({"blocks.read_only_allow_delete": True})),
        ("index read-only", of_the_index({"blocks.read_only": True})),
        ("index write", of_the_index({"blocks.write": True})),
    ],
    ids=["default pipeline", "final pipeline", "flood stage", "read only", "write block"],
)
async def test_b1_what_an_index_refuses_to_every_event_waits_and_no_event_is_a_dead_letter(
    server: Server, store: Elastic, said: str, change: Callable[[Elastic, bool], None]
) -> None:
    async with opened(store, server) as sink:
        await sink.write([make_event("first", time_ns=TIME)])
        change(store, True)
        later = [make_event("later", time_ns=TIME + 1), make_event("last", time_ns=TIME + 2)]
        result = await sink.write(later)
        assert (result.retry, result.rejected) == ({0, 1}, {})
        assert said in result.retry_reason
        change(store, False)
        result = await sink.write(later)
        assert (result.retry, result.rejected) == (frozenset(), {})
    assert len(store.ids()) == 3


async def test_b1_an_alias_without_an_index_to_write_to_is_not_the_events_fault(
    server: Server, store: Elastic
) -> None:
    async with opened(store, server) as sink:
        for number in (1, 2):  # somebody's own indexes behind the name that our day has
            store.ask("PUT", f"/own-{number}-{store.name}", {"aliases": {f"{store.name}-{DAY}": {}}})
        result = await sink.write([make_event(time_ns=TIME)])
        assert (result.retry, result.rejected) == ({0}, {})
        assert "no write index" in result.retry_reason
    for number in (1, 2):
        store.ask("DELETE", f"/own-{number}-{store.name}")


@pytest.mark.parametrize(
    ("product", "said"),
    [("elasticsearch", "maximum normal shards open"), ("opensearch", "maximum shards open")],
)
async def test_b1_a_cluster_that_has_all_its_shards_takes_what_waited_once_it_may_have_more(
    own_server: Any, product: str, said: str
) -> None:
    server = own_server(product)
    with closing(Elastic(server.url, "wrong", PRODUCTS[product])) as store:
        async with opened(store, server) as sink:
            await sink.write([make_event("fits", time_ns=TIME)])
            store.ask("PUT", "/_cluster/settings", {"persistent": {"cluster.max_shards_per_node": 1}})
            tomorrow = make_event("of the next day", time_ns=TIME + 86_400 * 10**9)
            result = await sink.write([make_event("of the same day", time_ns=TIME), tomorrow])
            assert (result.retry, result.rejected) == ({1}, {})
            assert said in result.retry_reason
            store.ask("PUT", "/_cluster/settings", {"persistent": {"cluster.max_shards_per_node": None}})
            assert not (await sink.write([tomorrow])).retry
        assert len(store.ids()) == 3


@pytest.mark.parametrize("server", ["elasticsearch"], indirect=True)  # OpenSearch's own: the contract's tests
async def test_b1_a_value_that_the_mapping_refuses_is_still_rejected_with_the_reason(
    server: Server, store: Elastic
) -> None:
    mapping = {"mappings": {"properties": {"fields": {"properties": {"size": {"type": "keyword"}}}}}}
    async with opened(store, server) as sink:
        store.ask("DELETE", f"/_index_template/{store.name}")
        store.ask("PUT", f"/{store.name}-{DAY}", {**mapping, "aliases": {store.name: {}}})
        result = await sink.write([make_event(time_ns=TIME, size="x" * 40_000), make_event(time_ns=TIME)])
        assert result.rejected.keys() == {0}
        assert "failed to parse field" in result.rejected[0]
        assert not result.retry


# -- what check foresees, and what is gone while the sink writes ---------------------------------------------


async def test_b7_a_template_that_was_deleted_is_made_anew_before_the_next_index_is(
    server: Server, store: Elastic
) -> None:
    async with opened(store, server) as sink:
        await sink.write([make_event("first", time_ns=TIME)])
        store.ask("DELETE", f"/_index_template/{store.name}")
        await sink.write([make_event("of the next day", time_ns=TIME + 86_400 * 10**9, size=1)])
        await sink.write([make_event("of the next day", time_ns=TIME + 86_400 * 10**9, size="large")])
        mapping = store.ask("GET", f"/{store.name}-2026.01.02/_mapping")
        fields = mapping[f"{store.name}-2026.01.02"]["mappings"]["properties"]["fields"]
        assert fields["type"] == store.product.sink.product.fields_mapping["type"]
        assert (await sink.check()).status is HealthStatus.OK


async def test_b7_without_provision_events_wait_for_a_template_that_was_deleted_and_check_says_so(
    server: Server, store: Elastic
) -> None:
    async with opened(store, server):
        pass
    async with opened(store, server, provision=False) as sink:
        store.ask("DELETE", f"/_index_template/{store.name}")
        with pytest.raises(SinkUnavailable, match="no index template"):
            await sink.write([make_event(time_ns=TIME)])
        health = await sink.check()
        assert (health.status, "no index template" in health.detail) == (HealthStatus.DEGRADED, True)
    assert not store.indexes()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"index.blocks.read_only_allow_delete": True}, "is blocked (blocks.read_only_allow_delete)"),
        ({"index.blocks.write": True}, "is blocked (blocks.write)"),
        ({"index.default_pipeline": "absent"}, "the ingest pipeline absent"),
    ],
    ids=str,
)
async def test_b8_check_says_what_keeps_the_index_of_today_from_taking_writes(
    server: Server, store: Elastic, settings: dict[str, Any], said: str
) -> None:
    async with opened(store, server) as sink:
        await sink.write([make_event()])
        (index,) = store.indexes()
        store.ask("PUT", f"/{index}/_settings", settings)
        health = await sink.check()
        assert (health.status, said in health.detail) == (HealthStatus.DEGRADED, True), health
        store.ask("PUT", f"/{index}/_settings", dict.fromkeys(settings))


async def test_b8_check_is_not_content_where_every_write_gets_a_400(victorialogs: Any) -> None:
    """Which speaks a part of Elasticsearch's API, and has no path for an index."""
    url = f"{victorialogs.url}/insert/elasticsearch"
    sink = ElasticsearchSink(ElasticsearchConfig.model_validate({"url": url, "layout": "daily"}))
    client = await ElasticsearchClient.make(sink.config, 1)
    try:
        assert "unsupported path" in await trouble_with_bulk(client.ask, "app-logs")
    finally:
        await client.close()
