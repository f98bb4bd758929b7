"""An index for each event, on real servers: within the bound, read back, deleted, over one client."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, closing
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

import pytest

from logweir.sinks.contract import Deletable, Prunable, Readable, SinkContext
from logweir.sinks.results import WriteResult
from logweir.sinks.templated import TemplatedSink
from logweir.sinks.threaded import as_async
from logweir.testing.contract import assert_law, make_event
from support.elastic import Elastic
from support.search_engines import PRODUCTS
from support.templated import found, ids, is_open

DAY_NS = 86_400 * 10**9


class Store(NamedTuple):
    """What all destinations of a template stand in, and the layout of the test."""

    all: Elastic
    url: str
    layout: str

    def name_of(self, value: str) -> str:
        """The destination of a value."""
        return self.all.name.replace("*", value)

    def of(self, value: str) -> AbstractContextManager[Elastic]:
        """The destination of a value, as the server has it."""
        return closing(Elastic(self.url, self.name_of(value), self.all.product))

    def counts(self) -> dict[str, int]:
        """The destinations by their values, each with the number of its documents."""
        answer = self.all.ask("GET", f"/_resolve/index/{self.all.name}")
        names = sorted(one["name"] for kind in ("aliases", "data_streams") for one in answer[kind])
        counted = {}
        for value in (name.removeprefix(self.name_of("")) for name in names):
            with self.of(value) as there:
                counted[value] = len(there.ids())
        return counted


@pytest.fixture(params=["elasticsearch daily", "opensearch daily", "opensearch data_stream"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    name, _, layout = request.param.partition(" ")
    server = request.getfixturevalue(name)
    all_of_them = Elastic(server.url, f"t-{uuid4().hex[:8]}-*", PRODUCTS[name])
    yield Store(all_of_them, server.url, layout)
    all_of_them.remove()


@asynccontextmanager
async def opened(store: Store, *, read_only: bool = False, **more: Any) -> AsyncIterator[Any]:
    options = {"url": store.url, "layout": store.layout, "replicas": 0, "provision": True}
    options |= {"index": store.name_of("{fields.tenant}"), "retry": {"timeout": 60}, **more}
    made = store.all.product.make(**options)
    sink = as_async(type(made)(made.config, SinkContext(name="events", workers=2, read_only=read_only)))
    assert isinstance(sink, TemplatedSink)
    async with is_open(sink):
        yield sink


async def test_each_event_goes_to_the_index_that_its_field_names(store: Store) -> None:
    tenants = ["acme", "Acme", "acme-2026.11.26", "globex", "acme", "a,b", "..", "*", "third", None]
    events = [make_event(tenant=tenant) for tenant in tenants]
    async with opened(store, max_destinations=2) as sink:
        assert await sink.write(events) == WriteResult.all_stored()
        assert (await sink.write(events)).duplicate == {*range(len(events))}
        assert "2 of at most 2 destinations" in (await sink.check()).detail
        assert len({one.itself._opened.client for one in sink._open.values()}) == 1
    assert store.counts() == {"acme": 2, "globex": 1, "overflow": 7}
    async with opened(store, read_only=True, provision=False) as sink:
        assert isinstance(sink, Readable)
        assert isinstance(sink, Deletable)
        assert isinstance(sink, Prunable)
        assert await found(sink) == ids(*events)
        assert await found(sink, limit=2) == ids(*events[:2])
        assert await found(sink, fields={"tenant": "globex"}) == ids(events[3])
        assert await sink.delete(ids(events[0], events[3], events[9])) == 3
        assert await sink.prune(datetime(2100, 1, 1, tzinfo=UTC), limit=4) == 4
        assert len(await found(sink)) == len(events) - 7


async def test_a_destination_whose_name_begins_as_a_daily_index_of_another_has_a_template_of_its_own(
    store: Store,
) -> None:
    events = [make_event(tenant=tenant) for tenant in ("a", "a-2026", "a-1b", "a-20", "a")]
    async with opened(store, shards=2) as sink:
        assert_law(await sink.write(events), 5)
    async with opened(store, shards=2) as sink:  # whose templates are there already
        assert (await sink.write(events[::-1])).duplicate == {*range(5)}
    assert store.counts() == {"a": 2, "a-1b": 1, "a-20": 1, "a-2026": 1}
    settings = store.all.ask("GET", f"/{store.all.name}/_settings?flat_settings=true")
    assert {one["settings"]["index.number_of_shards"] for one in settings.values()} == {"2"}


async def test_what_is_there_is_read_though_its_templates_and_the_overflow_are_not(store: Store) -> None:
    event = make_event(tenant="a")
    async with opened(store) as sink:
        await sink.write([event])
    if store.layout == "daily":
        store.all.ask("DELETE", f"/_index_template/{store.all.name}")
    async with opened(store, read_only=True, provision=False) as sink:
        assert await found(sink) == ids(event)


async def test_an_index_that_is_blocked_holds_up_its_own_events_alone(store: Store) -> None:
    events = [make_event(tenant=tenant) for tenant in ("a", "b", "a", "c")]
    async with opened(store) as sink:
        await sink.write(events[:1])
        with store.of("a") as there:
            (index,) = there.indexes()
        store.all.ask("PUT", f"/{index}/_settings", {"index.blocks.write": True})
        result = await sink.write(events[1:])
        assert (result.retry, result.rejected) == ({1}, {})
        store.all.ask("PUT", f"/{index}/_settings", {"index.blocks.write": False})
        assert (await sink.write(events)).duplicate == {0, 1, 3}


def test_indexes_of_a_template_are_printed_as_their_overflow() -> None:
    for product in PRODUCTS.values():
        script = product.make(index="logs-{service}", layout="daily").provision_script()
        assert script.startswith(
            "# the same for each index of logs-{service}\nPUT _index_template/logs-overflow"
        )
        assert '"logs-overflow-2*"' in script


async def test_an_index_of_somebody_elses_at_the_place_of_a_destination_gets_nothing(store: Store) -> None:
    store.all.ask("PUT", f"/{store.name_of('taken')}")
    async with opened(store) as sink:
        events = [make_event(tenant="taken"), make_event(tenant="a")]
        result = await sink.write(events)
        assert (result.retry, result.rejected) == ({0}, {})
    assert store.all.ask("GET", f"/{store.name_of('taken')}/_count")["count"] == 0
