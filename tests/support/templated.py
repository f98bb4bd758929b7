"""What tests of templated sinks do to each: open it, ask it for events, name the events that they expect."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from logweir.event import Event
from logweir.sinks.contract import Query

__all__ = ["found", "ids", "is_open"]


@asynccontextmanager
async def is_open(sink: Any) -> AsyncIterator[Any]:
    """A sink between its opening and its close, which comes in any case."""
    try:
        await sink.open()
        yield sink
    finally:
        await sink.close()


async def found(sink: Any, **conditions: Any) -> list[str]:
    """The ids of the events that a search finds, in its order."""
    return [event.id async for event in sink.search(Query(**conditions))]


def ids(*events: Event) -> list[str]:
    """Their ids."""
    return [event.id for event in events]
