"""A collection for each event, on a real server: within the bound, read back, deleted, over one client."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pymongo
import pytest

from logweir.sinks.contract import Deletable, Prunable, Readable, SinkContext
from logweir.sinks.mongodb.config import MongoConfig
from logweir.sinks.mongodb.sink import MongoSink
from logweir.sinks.results import WriteResult
from logweir.sinks.threaded import as_async
from logweir.testing.contract import make_event
from support.templated import found, ids, is_open

DATABASE = "logweir_integration"


@pytest.fixture(params=["motor", "pymongo"])
def options(mongodb: Any, request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    prefix = f"t_{uuid4().hex[:8]}_"
    collection = f"{prefix}{{fields.tenant}}"
    yield {"url": mongodb.url, "driver": request.param, "database": DATABASE, "collection": collection}
    with pymongo.MongoClient[dict[str, Any]](mongodb.url) as client:
        for name in client[DATABASE].list_collection_names():
            if name.startswith(prefix):
                client[DATABASE].drop_collection(name)


def counts(options: dict[str, Any]) -> dict[str, int]:
    """The collections of the template by their values, each with the number of its documents."""
    prefix = options["collection"].partition("{")[0]
    with pymongo.MongoClient[dict[str, Any]](options["url"]) as client:
        database = client[DATABASE]
        names = [name for name in database.list_collection_names() if name.startswith(prefix)]
        return {name.removeprefix(prefix): database[name].count_documents({}) for name in sorted(names)}


@asynccontextmanager
async def opened(options: dict[str, Any], *, read_only: bool = False, **more: Any) -> AsyncIterator[Any]:
    config = MongoConfig.model_validate({**options, **more})
    sink = as_async(MongoSink(config, SinkContext(name="events", workers=2, read_only=read_only)))
    async with is_open(sink):
        yield sink


async def test_each_event_goes_to_the_collection_that_its_field_names(options: dict[str, Any]) -> None:
    tenants = ["acme", "globex", "acme", "$where", "a.b", "x" * 64, "third", None]
    events = [make_event(tenant=tenant) for tenant in tenants]
    async with opened(options, provision=True, max_destinations=2) as sink:
        assert await sink.write(events) == WriteResult.all_stored()
        assert (await sink.write(events)).duplicate == {*range(len(events))}
        assert "2 of at most 2 destinations" in (await sink.check()).detail
    assert counts(options) == {"acme": 2, "globex": 1, "overflow": 5}
    async with opened(options, read_only=True) as sink:
        assert isinstance(sink, Readable)
        assert isinstance(sink, Deletable)
        assert isinstance(sink, Prunable)
        assert await found(sink) == ids(*events)
        assert await found(sink, limit=2) == ids(*events[:2])
        assert await sink.delete(ids(events[0], events[1], events[7])) == 3
        assert await sink.prune(datetime(2100, 1, 1, tzinfo=UTC), limit=4) == 4
    assert sum(counts(options).values()) == 1


def test_collections_of_a_template_are_printed_as_their_overflow() -> None:
    config = MongoConfig.model_validate({"url": "mongodb://db/logs", "collection": "logs_{service}"})
    script = MongoSink(config).provision_script()
    assert script.startswith("// the same for each collection of logs_{service}\n")
    assert 'db.getCollection("logs_overflow")' in script


@pytest.mark.parametrize("name", ["logs_{tenant}", "a.b_{service}", "{service", "x" * 34 + "{service}"])
def test_a_collection_that_could_not_be_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"placeholder|cannot be a destination|no template"):
        MongoConfig.model_validate({"url": "mongodb://db/logs", "collection": name})
