"""Relational sinks on real servers, and a look at their tables past the sink."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from logweir.sinks import registry
from logweir.sinks.contract import Query, SinkContext
from logweir.sinks.sql.sink import SqlSink

TYPES = {"mysql": "mysql", "mariadb": "mysql", "postgresql": "postgresql"}


def table_name() -> str:
    """A name that no other test has."""
    return f"a_{uuid.uuid4().hex[:16]}"


def make_sink(server: str, url: str, table: str, *, workers: int = 2, **options: Any) -> SqlSink:
    """The sink of a server of this name."""
    sink_class: Any = registry.resolve(TYPES[server])
    named = {} if "model" in options else {"table": table}
    config = sink_class.Config(url=url, **named, **{"provision": True, **options})
    return sink_class(config, SinkContext(workers=workers))  # type: ignore[no-any-return]


@asynccontextmanager
async def opened(sink: SqlSink) -> AsyncIterator[SqlSink]:
    """The sink, open."""
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


async def names(sink: SqlSink, query: Query | None = None) -> list[str]:
    """The names of what a search finds."""
    return [event.name async for event in sink.search(query or Query())]


async def run(url: str, *statements: str) -> list[Sequence[Any]]:
    """Run statements past the sink; returns the rows of the last one."""
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            for statement in statements:
                result = await connection.execute(text(statement))
            return [tuple(row) for row in result.all()] if result.returns_rows else []
    finally:
        await engine.dispose()
