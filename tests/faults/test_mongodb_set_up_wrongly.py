"""A MongoDB that is read only, or whose collection is gone: nobody's event is at fault for it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pymongo
import pytest

from logweir.errors import SinkUnavailable
from logweir.sinks.mongodb.config import MongoConfig
from logweir.sinks.mongodb.sink import MongoSink
from logweir.testing.contract import make_event

DATABASE = "logweir_wrong"


@asynccontextmanager
async def opened(url: str, **more: Any) -> AsyncIterator[MongoSink]:
    options = {
        "url": url,
        "database": DATABASE,
        "collection": f"c_{time.time_ns()}",
        "provision": True,
        **more,
    }
    sink = MongoSink(MongoConfig.model_validate(options))
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


def in_collection(url: str, sink: MongoSink, *, drop: bool = False) -> tuple[set[str], int]:
    """The names of the indexes of a sink's collection, and how many documents it has."""
    with pymongo.MongoClient[dict[str, Any]](url) as client:
        collection = client[DATABASE][sink.config.collection]
        found = set(collection.index_information()), collection.count_documents({})
        if drop:
            collection.drop()
    return found


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_b7_a_collection_that_was_dropped_gets_its_indexes_again(mongodb: Any, driver: str) -> None:
    async with opened(mongodb.url, driver=driver) as sink:
        await sink.write([make_event()])
        indexes, _ = await asyncio.to_thread(in_collection, mongodb.url, sink, drop=True)
        sink._index_watch._next = 0.0  # a minute later
        await sink.write([make_event()])
        assert await asyncio.to_thread(in_collection, mongodb.url, sink, drop=True) == (indexes, 1)


async def test_b7_without_provision_missing_indexes_are_reported(
    mongodb: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(mongodb.url, provision=False) as sink:
        sink._index_watch._next = 0.0
        await sink.write([make_event()])
        assert "lacks the indexes kind_time" in caplog.text
        await asyncio.to_thread(in_collection, mongodb.url, sink, drop=True)


async def test_b2_a_server_that_became_read_only_keeps_events_waiting(own_server: Any) -> None:
    server = own_server("mongodb")
    async with opened(server.url) as sink:
        await sink.write([make_event("before")])
        await let_write(server.data, "off")
        with pytest.raises(SinkUnavailable, match="read-only"):
            await sink.write([make_event("refused"), make_event("refused")])
        await let_write(server.data, "on")
        result = await sink.write([make_event("after")])
        assert (result.retry, result.rejected) == (frozenset(), {})


async def let_write(data: Path, how: str) -> None:
    """Make FerretDB's PostgreSQL read only, as a standby is, or end that."""
    connection = await asyncpg.connect(host=str(data / "sock"), user="postgres", database="postgres")
    try:
        read_only = "on" if how == "off" else "off"
        await connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE")
        await connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {read_only}")
        await connection.execute("SELECT pg_reload_conf()")
        for_others = "SELECT reset_val FROM pg_settings WHERE name = 'default_transaction_read_only'"
        while await connection.fetchval(for_others) != read_only:
            await asyncio.sleep(0.02)  # another process reads its settings again, which is no event of ours
    finally:
        await connection.close()
