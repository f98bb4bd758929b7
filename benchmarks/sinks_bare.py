"""Each backend's own driver in a bare loop, for the benchmark of processor time: its bulk call and no more.

What it writes was made beforehand, of the same events and into the same place as the sink's: rows for
``executemany``, documents for ``insert_many`` and ``bulk``, lines that only have to be put into a body.
"""

from __future__ import annotations

import asyncio
import gzip
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass
from typing import Any

import httpx

from logweir.benchmarks.writing import Write
from logweir.encoding.events import encode_event
from logweir.event import Event

__all__ = ["BARE", "Bare"]

_PUSH = "/loki/api/v1/push"


@dataclass(frozen=True, slots=True)
class Bare:
    """One driver.

    Attributes:
        prepare: Makes of a batch what the driver takes; gets the open sink, whose place is used.
        connected: Connects, and gives what writes one prepared batch.
        remove: Removes the place.
    """

    prepare: Callable[[Any, Sequence[Event]], Any]
    connected: Callable[[Any], AbstractAsyncContextManager[Write]]
    remove: Callable[[Any], Any]


# -- relational ------------------------------------------------------------------------------------------


def _rows(_sink: Any, batch: Sequence[Event]) -> Any:
    from logweir.sinks.sql.encode import to_parameters  # noqa: PLC0415 - its driver is optional

    return [to_parameters(event) for event in batch]


@asynccontextmanager
async def _postgresql(sink: Any) -> AsyncIterator[Write]:
    import asyncpg  # noqa: PLC0415

    url = sink.config.address.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(url)
    marks = ", ".join(f"${number}" for number in range(1, 17))

    async def write(rows: Any) -> None:
        async with connection.transaction():
            await connection.executemany(f"INSERT INTO {sink.config.table} VALUES ({marks})", rows)  # noqa: S608 - ours

    try:
        yield write
    finally:
        await connection.close()


@asynccontextmanager
async def _mysql(sink: Any) -> AsyncIterator[Write]:
    from logweir.benchmarks.mysql import connected  # noqa: PLC0415

    marks = ", ".join(["%s"] * 16)
    async with connected(sink.config.address.render_as_string(hide_password=False)) as connection:
        cursor = await connection.cursor()

        async def write(rows: Any) -> None:
            await cursor.executemany(f"INSERT INTO {sink.config.table} VALUES ({marks})", rows)  # noqa: S608 - ours
            await connection.commit()

        yield write


@asynccontextmanager
async def _sqlite(sink: Any) -> AsyncIterator[Write]:
    statement = f"INSERT INTO {sink.config.table} VALUES ({', '.join('?' * 16)})"  # noqa: S608 - ours
    with closing(sqlite3.connect(sink.config.address.database, check_same_thread=False)) as connection:
        connection.execute("PRAGMA synchronous=FULL")

        def write(rows: Any) -> None:
            with connection:
                connection.executemany(statement, rows)

        yield lambda rows: asyncio.to_thread(write, rows)


async def _drop_table(sink: Any) -> None:
    async with sink._transaction() as connection:  # noqa: SLF001 - for want of another who is connected
        await connection.exec_driver_sql(f"DROP TABLE {sink.config.table}")


# -- HTTP ------------------------------------------------------------------------------------------------


def _lines(sink: Any, batch: Sequence[Event]) -> Any:
    entries = sink._encoder.entries(batch)  # noqa: SLF001 - the very lines
    return [(entry.stamp, entry.line, dict(entry.metadata)) for entry in entries]


@asynccontextmanager
async def _loki(sink: Any) -> AsyncIterator[Write]:
    from logweir.benchmarks.loki import BARE_BODIES  # noqa: PLC0415

    body, headers = BARE_BODIES[sink.config.encoding]
    job = sink.config.static_labels["job"]
    async with httpx.AsyncClient(base_url=sink.config.url, headers=headers, timeout=60) as client:

        async def write(lines: Any) -> None:
            (await client.post(_PUSH, content=body(job, lines))).raise_for_status()

        yield write


def _columns(sink: Any, batch: Sequence[Event]) -> Any:
    from logweir.sinks.victorialogs.limits import Limits  # noqa: PLC0415

    return [line.text for line in sink._encoder.lines(batch, 0, Limits(), {})]  # noqa: SLF001 - the very lines


@asynccontextmanager
async def _victorialogs(sink: Any) -> AsyncIterator[Write]:
    fields = ",".join([*sink.config.static_fields, *sink.config.stream_fields])
    path = f"{sink.config.url}/insert/jsonline?_stream_fields={fields}&_msg_field=event"
    headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
    async with httpx.AsyncClient(headers=headers, timeout=60) as client:

        async def write(lines: Any) -> None:
            body = gzip.compress(b"\n".join(lines), 1)
            (await client.post(path, content=body)).raise_for_status()

        yield write


def _operations(_sink: Any, batch: Sequence[Event]) -> Any:
    from logweir.benchmarks.elasticsearch import operations_of  # noqa: PLC0415

    return operations_of(batch)


@asynccontextmanager
async def _elasticsearch(sink: Any) -> AsyncIterator[Write]:
    from elasticsearch import AsyncElasticsearch  # noqa: PLC0415

    client = AsyncElasticsearch(list(sink.config.url), http_compress=sink.config.compress)
    patient = client.options(request_timeout=120)
    try:
        yield lambda operations: patient.bulk(index=f"{sink.config.index}-2000.01.01", operations=operations)
    finally:
        await client.close()


async def _delete_indexes(sink: Any) -> None:
    from elasticsearch import AsyncElasticsearch  # noqa: PLC0415

    async with AsyncElasticsearch(list(sink.config.url)) as client:
        for index in await client.indices.get(index=f"{sink.config.index}-*"):
            await client.indices.delete(index=index)
        await client.indices.delete_index_template(name=sink.config.index)


# -- MongoDB, files --------------------------------------------------------------------------------------


def _documents(_sink: Any, batch: Sequence[Event]) -> Any:
    from logweir.sinks.mongodb.encode import document_of  # noqa: PLC0415

    return [document_of(event) for event in batch]


@asynccontextmanager
async def _mongodb(sink: Any) -> AsyncIterator[Write]:
    collection = sink._state.collection  # noqa: SLF001 - the same client
    await collection.find_one({})
    yield lambda documents: collection.insert_many(documents, ordered=False)


async def _drop_collection(sink: Any) -> None:
    await sink._state.collection.drop()  # noqa: SLF001


@asynccontextmanager
async def _file(sink: Any) -> AsyncIterator[Write]:
    with sink.config.path.open("ab", buffering=0) as file:

        def write(lines: Sequence[bytes]) -> None:
            file.write(b"\n".join([*lines, b""]))

        yield lambda lines: asyncio.to_thread(write, lines)


async def _leave(_sink: Any) -> None:
    """It is removed with its folder, or is a stream among others."""


BARE = {
    "postgresql": Bare(_rows, _postgresql, _drop_table),
    "mysql": Bare(_rows, _mysql, _drop_table),
    "sqlite": Bare(_rows, _sqlite, _leave),
    "loki": Bare(_lines, _loki, _leave),
    "victorialogs": Bare(_columns, _victorialogs, _leave),
    "elasticsearch": Bare(_operations, _elasticsearch, _delete_indexes),
    "mongodb": Bare(_documents, _mongodb, _drop_collection),
    "file": Bare(lambda _sink, batch: [encode_event(event) for event in batch], _file, _leave),
}
