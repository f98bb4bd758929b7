"""Fields under the names of the Elastic Common Schema: as they stand in the stores, and as they are found and read."""

from typing import Any

import pytest

from logweir.errors import SinkRejected
from logweir.event import Kind
from logweir.testing.contract import assert_law, make_event
from servers import Server
from support.elastic import Elastic, all_of, opened

MOMENT_NS = 1_767_225_600 * 10**9


NAMED: dict[str, Any] = {
    "http_status": 404,
    "http_path": "/orders",
    "user_id": "7",
    "error": "no such order",
    "duration_ms": 12.5,
    "order": {"id": 5},
}


@pytest.mark.parametrize("layout", ["daily", "data_stream"])
async def test_fields_stand_under_the_names_of_ecs_and_are_found_and_read_by_their_own(
    server: Server, store: Elastic, layout: str
) -> None:
    other = make_event("other", {"http_status": 2**70, "user_id": 7, "host": "x" * 40_000})
    batch = [make_event("named", NAMED, kind=Kind.AUDIT), other]
    async with opened(server.url, store, layout=layout, fields="ecs") as sink:
        assert_law(await sink.write(batch), 2)
        found = await all_of(sink)
        assert {event.name: event.fields for event in found} == {"named": NAMED, "other": other.fields}
        for conditions, names in (
            ({"fields": {"http_status": 404}}, ["named"]),
            ({"fields": {"http_status": 2**70}}, ["other"]),
            ({"fields": {"user_id": "7"}}, ["named"]),
            ({"fields": {"user_id": 7}}, ["other"]),
            ({"fields": {"duration_ms": 12.5}}, ["named"]),
            ({"fields": {"order.id": 5}}, ["named"]),
            ({"kind": Kind.AUDIT}, ["named"]),
            ({"text": "no such order"}, ["named"]),
            ({"fields": {"http_status": 500}}, []),
        ):
            assert [event.name for event in await all_of(sink, **conditions)] == names, conditions
    by_status = {"term": {"http.response.status_code": 404}}
    answer = store.ask("POST", f"/{store.name}/_search", {"query": by_status})
    assert [hit["_id"] for hit in answer["hits"]["hits"]] == [batch[0].id]


async def test_indexes_from_before_the_names_of_ecs_hold_both_forms(server: Server, store: Elastic) -> None:
    before, after = (make_event(name, NAMED, time_ns=MOMENT_NS) for name in ("before", "after"))
    async with opened(server.url, store) as sink:
        await sink.write([before])
    async with opened(server.url, store, fields="ecs") as sink:
        await sink.write([after])
        assert (await sink.write([before])).duplicate == {0}
        found = await all_of(sink, fields={"http_status": 404}, kind=before.kind)
        assert {event.name for event in found} == {"before", "after"}
    async with opened(server.url, store, fields="ecs", provision=False):
        pass
    async with opened(server.url, store) as sink:
        assert len(await all_of(sink, fields={"http_status": 404})) == 2


async def test_without_the_mapping_of_ecs_the_sink_does_not_open(server: Server, store: Elastic) -> None:
    async with opened(server.url, store):
        pass
    with pytest.raises(SinkRejected, match="no index template maps the names"):
        async with opened(server.url, store, fields="ecs", provision=False):
            pass
