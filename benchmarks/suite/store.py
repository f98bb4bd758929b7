"""One store under measurement: its native, and sinks opened on it as the runtime would open them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from logweir.benchmarks.suite.natives.base import Native
from logweir.errors import LogweirError
from logweir.sinks import registry
from logweir.sinks.contract import Query, Readable, Sink, SinkContext
from logweir.sinks.threaded import as_async

__all__ = ["Store", "opened"]


@dataclass(frozen=True, slots=True)
class Store:
    """An open store.

    Attributes:
        native: The backend by its own driver.
        name: The store's.
        sink: What writes into it, as a worker sees it.
        made: The sink as its author made it, which may be searched.
    """

    native: Native
    name: str
    sink: Sink[Any]
    made: Any

    async def ids(self, query: Query) -> list[str]:
        """The ids of the events that a search finds: the sink's own, where it can search this server.

        Raises:
            LogweirError: It cannot be searched.
        """
        found = await self.native.ids(self.name, query)
        if found is not None:
            return found
        if not isinstance(self.made, Readable):
            raise LogweirError(f"a sink of type {self.sink.config.type!r} cannot be searched")
        return [event.id async for event in self.made.search(query)]


@asynccontextmanager
async def opened(native: Native, store: str, *, workers: int = 1) -> AsyncIterator[Store]:
    """Open a store; what is missing of it is created."""
    settings = {**native.sink_settings(store), "workers": workers}
    sink_class: Any = registry.resolve(native.spec.type)
    config = sink_class.Config.model_validate(settings)
    context = SinkContext(
        name=store, service="bench", env="bench", data_dir=native.spec.folder, workers=workers
    )
    made = sink_class(config, context)
    sink = as_async(made)
    await sink.open()
    try:
        yield Store(native, store, sink, made)
    finally:
        await sink.close()
