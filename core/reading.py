"""Reading back: one timeline out of every sink of a configuration that can be searched."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from logweir.config.models import RoutingConfig
from logweir.event import Event
from logweir.sinks import registry
from logweir.sinks.adapter import as_async
from logweir.sinks.contract import Query, Readable, SinkContext

__all__ = ["Found", "search_all"]


@dataclass(frozen=True, slots=True)
class Found:
    """An event and the sink it was found in."""

    sink: str
    event: Event


async def search_all(config: RoutingConfig, query: Query) -> list[Found]:
    """Search every readable sink at once and merge what they hold by time.

    Raises:
        SinkError: A sink cannot be read.
    """
    answers = await asyncio.gather(*(_search(name, config, query) for name in config.sinks))
    found = [
        Found(name, event) for name, events in zip(config.sinks, answers, strict=True) for event in events
    ]
    return sorted(found, key=lambda item: (item.event.time, item.event.id), reverse=query.newest_first)


async def _search(name: str, config: RoutingConfig, query: Query) -> list[Event]:
    settings = config.sinks[name]
    context = SinkContext(name=name, service=config.service, env=config.env, data_dir=config.data_dir)
    sink_class: Any = registry.resolve(settings.type)
    made: Any = sink_class(settings, context)
    sink = as_async(made)
    if not isinstance(made, Readable):
        return []
    await sink.open()
    try:
        return [event async for event in made.search(query)]
    finally:
        await sink.close()
