"""The sinks of search engines keep the contract on the real servers, and what they add to it holds there.

The servers of the tests manage no data streams, but they have them: they make one where a template says so, and
roll it over.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from logweir.errors import SinkRejected
from logweir.event import Kind
from logweir.sinks.contract import Query, SinkContext
from logweir.sinks.shared.search_engine import reading
from logweir.sinks.shared.search_engine.encode import to_document
from logweir.sinks.shared.search_engine.query import page_of
from logweir.sinks.shared.search_engine.sink import SearchEngineSink
from logweir.sinks.threaded import as_async
from logweir.testing.contract import SinkContract, assert_law, make_event
from servers import FaultProxy, Server
from support.elastic import Elastic, all_of, opened
from support.search_engines import PRODUCTS, SearchEngineProduct

DAY = 86_400 * 10**9
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
MOMENT_NS = int(MOMENT.timestamp()) * 10**9


@pytest.fixture(scope="module")
def stores() -> Iterator[dict[tuple[str, str], Elastic]]:
    """A store for each product and layout; emptying it takes a tenth of the time of making another."""
    stores: dict[tuple[str, str], Elastic] = {}
    yield stores
    for store in stores.values():
        store.remove()


class _OnAServer(SinkContract):
    """The contract on one product, in one layout."""

    product: ClassVar[SearchEngineProduct]
    layout: ClassVar[str] = "auto"
    compress: ClassVar[bool] = True

    @pytest.fixture(autouse=True)
    def _emptied(self, request: pytest.FixtureRequest, stores: dict[tuple[str, str], Elastic]) -> None:
        self.url = request.getfixturevalue(self.product.name).url
        key = self.product.name, self.layout
        store = stores.setdefault(key, Elastic(self.url, f"contract-{uuid4().hex[:12]}"))
        store.empty()
        self.index = store.name

    def make_sink(self, tmp_path: Path) -> SearchEngineSink[Any]:
        options: Any = {"layout": self.layout, "compress": self.compress, "retry": {"timeout": 60}}
        options |= {"url": self.url, "index": self.index, "provision": True, "replicas": 0}
        config = self.product.config.model_validate(options)
        return self.product.sink(config, SinkContext(workers=2))


class TestElasticsearch(_OnAServer):
    product = PRODUCTS["elasticsearch"]


class TestElasticsearchDataStream(TestElasticsearch):
    layout = "data_stream"
    compress = False


class TestOpenSearch(_OnAServer):
    """In the other layout than the tests below, all of which run on both products."""

    product = PRODUCTS["opensearch"]
    layout = "data_stream"


#: Each test makes four destinations of its own; tests/integration/test_templated_indexes.py has the short form.
in_the_long_form = pytest.mark.skipif(os.environ.get("LOGWEIR_SOAK") != "long", reason="takes minutes")


class _ByTemplate(_OnAServer):
    """Each number has an index of its own, as far as three reach."""

    @pytest.fixture(autouse=True)
    def _emptied(self, request: pytest.FixtureRequest, stores: dict[tuple[str, str], Elastic]) -> None:
        self.url = request.getfixturevalue(self.product.name).url
        key = self.product.name, f"{self.layout} by template"
        store = stores.setdefault(key, Elastic(self.url, f"contract-{uuid4().hex[:12]}-*"))
        store.empty()
        self.index = store.name.replace("*", "{fields.number}")

    def make_sink(self, tmp_path: Path) -> Any:
        sink = super().make_sink(tmp_path)
        return as_async(type(sink)(sink.config.model_copy(update={"max_destinations": 3}), sink.context))


@pytest.mark.soak
@in_the_long_form
class TestElasticsearchByTemplate(_ByTemplate):
    product = PRODUCTS["elasticsearch"]


@pytest.mark.soak
@in_the_long_form
class TestOpenSearchDataStreamsByTemplate(_ByTemplate):
    product = PRODUCTS["opensearch"]
    layout = "data_stream"


# -- where events go ------------------------------------------------------------------------------------


async def test_an_event_goes_to_the_index_of_its_own_day_whenever_it_is_sent(
    server: Server, store: Elastic
) -> None:
    batch = [make_event(time_ns=MOMENT_NS + number * DAY // 2) for number in range(4)]
    async with opened(server.url, store) as sink:
        assert_law(await sink.write(batch), 4)
        assert store.indexes() == [f"{store.name}-2026.01.01", f"{store.name}-2026.01.02"]
        assert (await sink.write(batch)).duplicate == {0, 1, 2, 3}


@pytest.mark.parametrize("time_ns", [-1, -(2**63), 2**63 - 1, 253_402_300_799 * 10**9])
async def test_a_time_that_the_index_cannot_hold_comes_back_exactly(
    server: Server, store: Elastic, time_ns: int
) -> None:
    event = make_event(time_ns=time_ns)
    async with opened(server.url, store) as sink:
        assert_law(await sink.write([event]), 1)
        assert [found.time for found in await all_of(sink)] == [time_ns]


@pytest.mark.wound("vector #20118")
async def test_an_event_sent_again_after_a_rollover_stands_in_the_stream_once(
    server: Server, store: Elastic
) -> None:
    batch = [make_event(number=number) for number in range(5)]
    async with opened(server.url, store, layout="data_stream") as sink:
        await sink.write(batch[:4])
        store.ask("POST", f"/{store.name}/_rollover")
        again = await sink.write(batch)
        assert_law(again, 5)
        assert again.duplicate == {0, 1, 2, 3}
        assert sorted(store.ids()) == sorted(event.id for event in batch)
        store.ask("POST", f"/{store.name}/_rollover")
    async with opened(server.url, store, layout="data_stream") as sink:
        assert (await sink.write(batch)).duplicate == {0, 1, 2, 3, 4}
        assert sorted(store.ids()) == sorted(event.id for event in batch)


async def test_a_copy_that_slipped_through_a_rollover_is_found_once(server: Server, store: Elastic) -> None:
    event = make_event()
    async with opened(server.url, store, layout="data_stream") as sink:
        await sink.write([event])
        source = store.ask("GET", f"/{store.indexes()[0]}/_doc/{event.id}")["_source"]
        store.ask("POST", f"/{store.name}/_rollover")
        store.ask("PUT", f"/{store.name}/_create/{event.id}", source)
        assert store.ids() == [event.id, event.id]
        assert len(await all_of(sink)) == 1


async def test_what_stands_in_daily_indexes_stays_there(server: Server, store: Elastic) -> None:
    event = make_event()
    async with opened(server.url, store, layout="daily") as sink:
        await sink.write([event])
    async with opened(server.url, store, layout="auto") as sink:
        assert (await sink.write([event])).duplicate == {0}


async def test_the_mapping_does_not_grow_with_what_is_logged(server: Server, store: Elastic) -> None:
    async with opened(server.url, store) as sink:
        await sink.write([make_event(time_ns=MOMENT_NS)])
        mapping = f"/{store.name}-2026.01.01/_mapping"
        before = store.ask("GET", mapping)
        batch = [
            make_event(time_ns=MOMENT_NS, fields={f"field_{number}_{key}": key for key in range(50)})
            for number in range(100)
        ]
        assert_law(await sink.write(batch), 100)
        assert store.ask("GET", mapping) == before


# -- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1])
async def test_fields_that_the_index_refuses_are_kept_without_being_indexed(
    server: Server, store: Elastic, number: int
) -> None:
    fields = store.product.oversized[number]
    batch = [make_event("before"), make_event("odd", {**fields, "user": "ann"}), make_event("after")]
    async with opened(server.url, store) as sink:
        assert_law(await sink.write(batch), 3)
        assert (await sink.write(batch)).duplicate == {0, 1, 2}
        found = await all_of(sink)
        assert [event.fields for event in found] == [event.fields for event in batch]
        assert repr(found[1].fields) == repr(batch[1].fields)  # 1.0 is not 1
        assert [event.name for event in await all_of(sink, fields={"user": "ann"})] == ["odd"]


@pytest.mark.wound("vector #12145")
async def test_an_event_that_the_mapping_refuses_is_rejected_alone_with_the_reason(
    server: Server, store: Elastic
) -> None:
    async with opened(server.url, store) as sink:
        foreign = f"{store.name}-2026.01.01"
        store.ask("PUT", f"/{foreign}", {"mappings": {"properties": {"message": {"type": "integer"}}}})
        batch = [make_event("refused", time_ns=MOMENT_NS), make_event("taken", time_ns=MOMENT_NS + DAY)]
        result = await sink.write(batch)
        assert list(result.rejected) == [0]
        assert "[message] of type [integer]" in result.rejected[0]
        assert not result.retry
        assert [event.name for event in await all_of(sink)] == ["taken"]


async def test_an_event_larger_than_a_request_may_be_is_rejected_alone(
    server: Server, store: Elastic
) -> None:
    batch = [make_event("small"), make_event("large", body="x" * (60 * 2**20)), make_event("small too")]
    async with opened(server.url, store, retry={"timeout": "60s"}) as sink:
        result = await sink.write(batch)
        assert list(result.rejected) == [1]
        assert "http.max_content_length" in result.rejected[1]
        assert [event.name for event in await all_of(sink)] == ["small", "small too"]


async def test_a_batch_larger_than_a_request_may_be_is_sent_in_parts(
    server: Server, store: Elastic, proxy: Any
) -> None:
    batch = [make_event(body="x" * 1000) for _ in range(50)]
    front: FaultProxy = proxy(server)
    async with opened(front.url, store, max_request_bytes=10_000) as sink:
        await sink.write([make_event()])  # before which the template is looked at
        before = front.requests
        assert_law(await sink.write(batch), 50)
        assert front.requests - before == 13
        assert len(await all_of(sink)) == 51


async def test_items_that_the_server_puts_off_are_to_be_sent_again_alone(
    server: Server, store: Elastic
) -> None:
    batch = [make_event(time_ns=MOMENT_NS + number % 2 * DAY, number=number) for number in range(4)]
    async with opened(server.url, store) as sink:
        await sink.write(batch[:2])
        blocked = f"/{store.name}-2026.01.02/_settings"
        store.ask("PUT", blocked, {"index.blocks.write": True})  # as a server does whose disk is full
        result = await sink.write(batch)
        assert (result.duplicate, result.retry, result.rejected) == ({0}, {1, 3}, {})
        store.ask("PUT", blocked, {"index.blocks.write": False})
        assert (await sink.write([batch[1], batch[3]])).duplicate == {0}
        assert sorted(store.ids()) == sorted(event.id for event in batch)


async def test_of_a_batch_in_parts_only_the_parts_that_failed_are_to_be_sent_again(
    server: Server, store: Elastic, proxy: Any
) -> None:
    batch = [make_event(body="x" * 1000) for _ in range(50)]
    front: FaultProxy = proxy(server)
    async with opened(front.url, store, max_request_bytes=10_000) as sink:
        batch.append(make_event())
        await sink.write(batch[-1:])  # before which the template is looked at
        front.answer(429, retry_after=3, share=0.5)
        result = await sink.write(batch[:50])
        front.clear()
        assert result.retry_after == 3
        assert 20 <= len(result.retry) < 30
        assert len(store.ids()) == 51 - len(result.retry)
        assert_law(await sink.write([batch[number] for number in sorted(result.retry)]), len(result.retry))
        assert sorted(store.ids()) == sorted(event.id for event in batch)


async def test_an_id_that_the_server_refuses_is_the_events_own_fault(server: Server, store: Elastic) -> None:
    event = make_event()
    empty, long = (
        type(event)(odd, *[getattr(event, name) for name in event.__struct_fields__[1:]])
        for odd in ("", "x" * 600)
    )
    async with opened(server.url, store) as sink:
        assert list((await sink.write([empty, event])).rejected) == [0]
        with pytest.raises(SinkRejected):  # the server refuses the whole request; the worker will split it
            await sink.write([event, long])
        assert list((await sink.write([long])).rejected) == [0]


# -- full text, pruning, provisioning -------------------------------------------------------------------


async def test_full_text_finds_words_of_the_name_and_of_the_fields(server: Server, store: Elastic) -> None:
    batch = [
        make_event("fund.refund", note="The quick brown fox", inner={"deep": ["Jumps over"]}),
        make_event("Payment was declined", code=51),
    ]
    async with opened(server.url, store) as sink:
        await sink.write(batch)
        for text, names in {
            "quick brown": ["fund.refund"],
            "brown quick": [],
            "jumps": ["fund.refund"],
            "refund": ["fund.refund"],
            "was declined": ["Payment was declined"],
            "51": ["Payment was declined"],
            "*": [],
        }.items():
            assert [event.name for event in await all_of(sink, text=text)] == names, text


async def test_without_full_text_only_the_name_is_found(server: Server, store: Elastic) -> None:
    async with opened(server.url, store, full_text=False) as sink:
        await sink.write([make_event("payment declined", note="quick brown fox")])
        assert len(await all_of(sink, text="declined")) == 1
        assert await all_of(sink, text="fox") == []


async def test_a_search_reads_page_after_page(
    server: Server, store: Elastic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_FIRST_PAGE", 100)
    monkeypatch.setattr(reading, "_LARGEST_PAGE", 400)
    batch = [make_event(time_ns=MOMENT_NS, number=number) for number in range(1203)]
    async with opened(server.url, store) as sink:
        await sink.write(batch)
        found = await all_of(sink)
        assert [event.id for event in found] == sorted(event.id for event in batch)
        newest = [event async for event in sink.search(Query(limit=700, newest_first=True))]
        assert [event.id for event in newest] == sorted((event.id for event in batch), reverse=True)[:700]


async def test_pages_of_a_search_grow_with_what_fits_into_one(
    server: Server, store: Elastic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_FIRST_PAGE", 10)
    sizes: list[int] = []

    def noted(query: Query, size: int, *others: Any) -> dict[str, Any]:
        sizes.append(size)
        return page_of(query, size, *others)

    monkeypatch.setattr(reading, "page_of", noted)
    small = [make_event(time_ns=MOMENT_NS + number) for number in range(30)]
    large = [make_event(time_ns=MOMENT_NS + 100 + number, text="x" * 100_000) for number in range(80)]
    async with opened(server.url, store) as sink:
        await sink.write([*small, *large])
        assert len(await all_of(sink)) == 110
        assert sizes == [10, 5000]
        sizes.clear()
        assert len([event async for event in sink.search(Query(newest_first=True))]) == 110
        assert sizes[0] == 10
        # The text stands in a document once or, in its message, twice.
        assert 2**21 / 200_000 < sizes[1] <= 2**22 / 100_000


async def test_an_index_that_answers_less_at_once_than_others_is_read_in_smaller_pages(
    server: Server, store: Elastic
) -> None:
    batch = [make_event(time_ns=MOMENT_NS + number, number=number) for number in range(1_700)]
    async with opened(server.url, store) as sink:
        await sink.write(batch)
        store.ask("PUT", f"/{store.name}-2026.01.01/_settings", {"index.max_result_window": 520})
        assert [event.id for event in await all_of(sink)] == [event.id for event in batch]


async def test_documents_of_somebody_elses_are_passed_over(server: Server, store: Elastic) -> None:
    async with opened(server.url, store) as sink:
        await sink.write([make_event(time_ns=MOMENT_NS)])
        foreign = {"@timestamp": "2026-01-01T00:00:00Z", "message": "hello"}
        store.ask("PUT", f"/{store.name}-2026.01.01/_create/x", foreign)
        changed = to_document(make_event(time_ns=MOMENT_NS + 1)) | {"log": {"level": 5}}
        store.ask("PUT", f"/{store.name}-2026.01.01/_create/y", changed)
        assert len(await all_of(sink)) == 1


async def test_pruning_drops_the_indexes_that_are_wholly_old(server: Server, store: Elastic) -> None:
    batch = [make_event(time_ns=MOMENT_NS + number * DAY // 4) for number in range(12)]
    async with opened(server.url, store) as sink:
        await sink.write(batch)
        assert await sink.prune(MOMENT + timedelta(days=1, hours=6), kind=Kind.AUDIT) == 0
        assert await sink.prune(MOMENT + timedelta(days=1, hours=6)) == 5
        assert store.indexes() == [f"{store.name}-2026.01.02", f"{store.name}-2026.01.03"]
        assert len(await all_of(sink)) == 7
        assert await sink.prune(MOMENT + timedelta(days=9), limit=5) == 5
        assert store.indexes() == [f"{store.name}-2026.01.03"]
        assert len(await all_of(sink)) == 2


async def test_pruning_a_stream_keeps_the_index_it_writes_to(server: Server, store: Elastic) -> None:
    async with opened(server.url, store, layout="data_stream") as sink:
        for number in range(3):
            if number:
                store.ask("POST", f"/{store.name}/_rollover")
            await sink.write([make_event(time_ns=MOMENT_NS + number * DAY) for _ in range(3)])
        assert await sink.prune(MOMENT + timedelta(days=9)) == 9
        assert len(store.indexes()) == 1
        assert_law(await sink.write([make_event()]), 1)
