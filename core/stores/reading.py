"""Reading back: sinks opened to be asked, page by page or all at once, and one timeline out of them.

A sink is opened here apart from the runtime, so that reading never takes a worker's connection. Pages
bound the memory that a long reading takes, and no backend has to keep a cursor meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from logweir.config.models import RoutingConfig
from logweir.config.sinks import context_of
from logweir.delivery.call_sink import call_sink
from logweir.encoding.counted import counted
from logweir.encoding.events import encode_event
from logweir.errors import SinkError, SinkUnavailable
from logweir.event import Event
from logweir.sinks import registry
from logweir.sinks.contract import Query, Readable, Sink, SinkConfig
from logweir.sinks.query_match import limited
from logweir.sinks.threaded import as_async

__all__ = [
    "Answers",
    "Found",
    "OpenSink",
    "Sighting",
    "merged",
    "opened",
    "pages",
    "readable",
    "search_all",
    "search_each",
    "stream_each",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LAST = datetime.max.replace(tzinfo=UTC)
#: How long a sink may take to let go of its connections.
_CLOSING = 2.0
#: What a page may weigh, about; how large the first one is, before that is known; how many are weighed.
_PAGE_BYTES = 32 * 2**20
_FIRST_PAGE = 500
_SAMPLE = 50
#: How long one search may take.
_SEARCHING = 60.0
#: Events of a page where all are read: each page is a search, whose beginning costs something everywhere.
_STREAMED = 20_000
_MILLISECOND = 10**6
#: Rows that are no events which are named one by one.
_NAMED = 10


@dataclass(frozen=True, slots=True)
class Found:
    """An event and the sink it was found in."""

    sink: str
    event: Event


@dataclass(frozen=True, slots=True)
class Sighting:
    """An event and every sink it was found in."""

    event: Event
    sinks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answers:
    """What the sinks of a configuration answered.

    Attributes:
        found: What was found, in the order asked for.
        silent: The sinks that could not be read, or not all of whose rows are events, each with the reason.
    """

    found: list[Found] = field(default_factory=list)
    silent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OpenSink:
    """A sink that is open, apart from the runtime.

    Attributes:
        name: Its name in routing.yaml.
        writer: The sink as workers see it.
        itself: The sink with its abilities.
    """

    name: str
    writer: Sink[SinkConfig]
    itself: Any


def readable(config: RoutingConfig) -> list[str]:
    """The names of the sinks that can be searched."""
    return [
        name
        for name, settings in config.sinks.items()
        if issubclass(registry.resolve(settings.type), Readable)
    ]


@asynccontextmanager
async def opened(
    name: str,
    config: RoutingConfig,
    open_it: Callable[[Sink[SinkConfig]], Awaitable[None]] | None = None,
    *,
    read_only: bool = False,
) -> AsyncIterator[OpenSink]:
    """Open a sink for the length of a block.

    Args:
        name: Its name in routing.yaml.
        config: The configuration.
        open_it: Opens it; by default it is tried once.
        read_only: Whether it is only read: then nothing is made, and no permission to write is needed.

    Raises:
        SinkError: It cannot be opened.
    """
    settings = config.sinks[name]
    context = context_of(name, config, read_only=read_only)
    sink_class: Any = registry.resolve(settings.type)
    writer = as_async(sink_class(settings, context))
    try:
        await (open_it or _open_once)(writer)
        yield OpenSink(name, writer, getattr(writer, "itself", writer))
    finally:
        with contextlib.suppress(Exception):
            await call_sink(writer.close, _CLOSING)


async def _open_once(sink: Sink[SinkConfig]) -> None:
    seconds = sink.config.retry.timeout
    try:
        await call_sink(sink.open, seconds)
    except TimeoutError:
        raise SinkUnavailable(f"no answer within {seconds:g} s") from None


async def pages(sink: Readable, query: Query, size: int) -> AsyncIterator[list[Event]]:
    """Yield what matches in the order asked for, about ``size`` events at a time, fewer if they are large.

    Each page begins at the microsecond in which the last one ended, and passes over what that one had.

    Raises:
        SinkError: The sink cannot be read.
    """
    reached, boundary = None, set[str]()
    wanted = min(size, _FIRST_PAGE)
    while True:
        limit = wanted + len(boundary)
        page = await _answer(sink, replace(_from(reached, query), limit=limit))
        if fresh := [event for event in page if event.id not in boundary]:
            yield fresh
            wanted = min(size, _fitting(fresh))
        if len(page) < limit:
            return
        last = page[-1].time // 1000
        moment = _EPOCH + timedelta(microseconds=last)
        if moment != reached:
            reached, boundary = moment, set()
        boundary.update(event.id for event in page if event.time // 1000 == last)
        del page, fresh  # before the next one takes as much


async def _answer(sink: Readable, query: Query) -> list[Event]:
    """What a sink finds; one that was made before levels and services were conditions passes over them."""
    found = [event async for event in sink.search(query)]
    if all(_is_meant(event, query) for event in found):
        return found
    everything = sink.search(replace(query, limit=None))
    meant = (event async for event in everything if _is_meant(event, query))
    return [event async for event in limited(meant, query.limit)]


def _is_meant(event: Event, query: Query) -> bool:
    has_level = query.levels is None or event.level in query.levels
    return has_level and (query.service is None or event.service == query.service)


def _from(moment: datetime | None, query: Query) -> Query:
    """The rest of a query whose answer was read up to a microsecond, with that microsecond once more."""
    if moment is None:
        return query
    if not query.newest_first:
        return replace(query, start=moment)
    # Behind the last microsecond that the calendar has there is no end, and nothing to leave out.
    return query if moment == _LAST else replace(query, end=moment + _MICROSECOND)


def _fitting(page: Sequence[Event]) -> int:
    """How many events like those of a page fit into the bytes of one."""
    sample = page[:: max(1, len(page) // _SAMPLE)]
    average = sum(len(encode_event(event)) for event in sample) // len(sample)
    return max(1, _PAGE_BYTES // average)


async def search_all(config: RoutingConfig, query: Query) -> list[Found]:
    """Search every readable sink at once and merge what they hold by time.

    Raises:
        SinkError: A sink cannot be read.
    """
    answers = await search_each(config, query)
    for name, reason in answers.silent.items():
        raise SinkUnavailable(f"sink {name!r} cannot be read: {reason}")
    return answers.found


async def search_each(config: RoutingConfig, query: Query, names: Collection[str] | None = None) -> Answers:
    """Search sinks at once and merge what they hold by time; one that is down silences no other.

    Args:
        config: The configuration.
        query: What to find; its limit holds for all sinks together.
        names: The sinks to ask; by default every readable one.
    """
    asked = readable(config) if names is None else list(names)
    answers = await asyncio.gather(*(_search(name, config, query) for name in asked))
    found, silent = list[Found](), dict[str, str]()
    for name, (events, reason) in zip(asked, answers, strict=True):
        if reason:
            silent[name] = reason
        found += [Found(name, event) for event in events]
    found.sort(key=lambda item: (item.event.time, item.event.id), reverse=query.newest_first)
    return Answers(found, silent)


async def stream_each(
    config: RoutingConfig, query: Query, names: Collection[str], silent: dict[str, str]
) -> AsyncGenerator[Sighting, None]:
    """Yield all that sinks hold as one timeline, page by page, so that no length of it fills the memory.

    Args:
        config: The configuration.
        query: What to find; its limit is ignored.
        names: The sinks to ask.
        silent: Gets the sinks that could not be read, or not to their end, each with the reason.
    """
    sign = -1 if query.newest_first else 1
    async with contextlib.AsyncExitStack() as stack:
        streams = {name: _read_on(name, config, query, silent) for name in names}
        for stream in streams.values():
            stack.push_async_callback(stream.aclose)
        heads = {name: event for name in names if (event := await anext(streams[name], None)) is not None}
        while heads:
            # Stores keep times to the nano-, micro- or millisecond: copies of an event meet in a millisecond.
            nearest = min(sign * (event.time // _MILLISECOND) for event in heads.values())
            bucket: list[Found] = []
            for name in list(heads):
                while name in heads and sign * (heads[name].time // _MILLISECOND) == nearest:
                    bucket.append(Found(name, heads[name]))
                    following = await anext(streams[name], None)
                    if following is None:
                        del heads[name]
                    else:
                        heads[name] = following
            if len(bucket) == 1:  # most are
                yield Sighting(bucket[0].event, (bucket[0].sink,))
                continue
            bucket.sort(key=lambda item: (item.event.time, item.event.id), reverse=query.newest_first)
            for sighting in merged(bucket):
                yield sighting


async def _read_on(
    name: str, config: RoutingConfig, query: Query, silent: dict[str, str]
) -> AsyncGenerator[Event, None]:
    """The events of one sink; where it fails, they end, and the reason is noted."""
    faults = dict[str, None]()
    query = replace(query, on_unreadable=faults.setdefault)
    try:
        async with opened(name, config, read_only=True) as sink:
            rest = aiter(pages(sink.itself, query, _STREAMED))
            while True:
                async with asyncio.timeout(_SEARCHING):
                    page = await anext(rest, None)
                if page is None:
                    break
                for event in page:
                    yield event
                del page, event  # before the next one takes as much
    except Exception as error:  # noqa: BLE001 - a sink may raise anything
        silent[name] = _reason(error)
    else:
        if faults:
            silent[name] = _passed_over(faults)


def merged(found: Iterable[Found]) -> list[Sighting]:
    """Show an event that several sinks have once, with all of them; the order stays."""
    events, sinks = dict[str, Event](), dict[str, list[str]]()
    for item in found:
        events.setdefault(item.event.id, item.event)
        sinks.setdefault(item.event.id, []).append(item.sink)
    return [Sighting(event, tuple(dict.fromkeys(sinks[event_id]))) for event_id, event in events.items()]


async def _search(name: str, config: RoutingConfig, query: Query) -> tuple[list[Event], str]:
    """What a sink has, and why that is not all; empty where it is."""
    faults = dict[str, None]()
    query = replace(query, on_unreadable=faults.setdefault)
    try:
        async with opened(name, config, read_only=True) as sink, asyncio.timeout(_SEARCHING):
            return await _answer(sink.itself, query), _passed_over(faults)
    except Exception as error:  # noqa: BLE001 - a sink may raise anything
        return [], _reason(error)


def _passed_over(faults: Collection[str]) -> str:
    """Which rows are no events; empty without any."""
    if not faults:
        return ""
    named = "; ".join(islice(faults, _NAMED))
    more = f"; and {len(faults) - _NAMED:,} more" if len(faults) > _NAMED else ""
    return f"{counted(len(faults), 'row')}: {named}{more}"


def _reason(error: Exception) -> str:
    """Why a sink does not answer; the text of what is no SinkError may hold a password."""
    if isinstance(error, TimeoutError):
        return f"no answer within {_SEARCHING:g} s"
    return (
        str(error)
        if isinstance(error, SinkError)
        else f"it raised {type(error).__name__}, which is no SinkError"
    )
