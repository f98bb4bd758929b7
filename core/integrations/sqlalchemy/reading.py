"""``history``: what happened to a row, read back from the sink that has the audit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Mapper

from logweir.auditing.audit import require_runtime
from logweir.errors import AuditError, ConfigError, ConfigProblem, LogweirError
from logweir.event import Event, Kind
from logweir.integrations.sqlalchemy.tracked import find, key_names, mapper_of
from logweir.integrations.sqlalchemy.values import resource_of
from logweir.process.threads import on_event_loop
from logweir.runtime.runtime import Runtime
from logweir.settings.suggestions import no_such
from logweir.sinks.contract import Query
from logweir.stores.reading import opened, pages

__all__ = ["Change", "history", "history_sync"]

_PAGE = 1000
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one row.

    Attributes:
        id: The event's id.
        time: When it was flushed.
        operation: ``insert``, ``update`` or ``delete``.
        model: The name of the row's class.
        key: Its primary key, by the names of the attributes, as in events.
        before: The values that were replaced or deleted; one that was not known is missing.
        after: The values since then.
        collections: By the name of the relationship, the keys of members ``added`` and ``removed``.
        user_id: Who did it.
        trace_id: In which trace.
        key_before: The key that the row had before, if it was changed.
        event: The event as it is stored.
    """

    id: str
    time: datetime
    operation: str
    model: str
    key: dict[str, Any]
    before: dict[str, Any]
    after: dict[str, Any]
    collections: dict[str, Any]
    user_id: Any
    trace_id: str | None
    key_before: dict[str, Any] | None
    event: Event = field(repr=False)


async def history(model: type[Any], key: Any, *, limit: int = 1000, sink: str | None = None) -> list[Change]:
    """What happened to a row, the oldest change first; a change of its key is followed back.

    Args:
        model: A class given to :func:`audit_changes`, or a subclass of one.
        key: The row's primary key; a tuple for one of several columns.
        limit: The most changes, the latest ones.
        sink: The sink to ask; by default the one that stores the class's events.

    Raises:
        ConfigError: The class is not audited, or the key has another number of columns.
        LogweirError: No sink has the events, or it cannot be read.
        NotRunning: No runtime is running.
    """
    runtime = require_runtime()
    mapper, values = _asked(model, key)
    name = _sink_of(runtime, mapper, sink)
    resource: str | None = resource_of(runtime, mapper, values)
    found: list[Event] = []
    async with opened(name, runtime.config, read_only=True) as source:
        end: datetime | None = None
        # A row that has moved to another key has its earlier history under the old one.
        while resource is not None and len(found) < limit:
            events = await _events(source.itself, resource, end, limit - len(found))
            events, resource, end = _until_moved(events)
            found += events
    return [_change(event) for event in reversed(found)]


def history_sync(model: type[Any], key: Any, *, limit: int = 1000, sink: str | None = None) -> list[Change]:
    """Do what :func:`history` does, in a thread without a loop.

    Raises:
        AuditError: It would block an event loop.
        LogweirError: As for :func:`history`.
    """
    if on_event_loop():
        raise AuditError("history_sync would block the event loop; write `await history(...)`")
    return asyncio.run(history(model, key, limit=limit, sink=sink))


def _asked(model: type[Any], key: Any) -> tuple[Mapper[Any], Sequence[Any]]:
    place = f"history({getattr(model, '__name__', model)})"
    mapper = mapper_of(model)
    if mapper is None or find(mapper) is None:
        message = "its changes are not audited; call audit_changes where the class is made"
        raise ConfigError([ConfigProblem(message, file=place)])
    names = key_names(mapper)
    if isinstance(key, dict):
        key = tuple(key.get(name) for name in names)
    values = tuple(key) if isinstance(key, tuple | list) else (key,)
    if len(values) != len(names):
        message = f"its key has {len(names)} columns: {', '.join(names)}; {len(values)} were given"
        raise ConfigError([ConfigProblem(message, file=place)])
    return mapper, values


def _sink_of(runtime: Runtime, mapper: Mapper[Any], sink: str | None) -> str:
    tracked = find(mapper)
    wanted = sink or (tracked.sink if tracked is not None else None)
    if wanted is not None:
        if wanted not in runtime.config.sinks:
            raise LogweirError(no_such("sink", wanted, runtime.config.sinks))
        return wanted
    action = f"{tracked.action if tracked is not None else ''}.update"
    event = runtime.capture(action, {}, level="info", kind=Kind.AUDIT)
    chosen: Any = runtime.transactional_sink(event)
    return str(chosen.context.name)


async def _events(sink: Any, resource: str, end: datetime | None, limit: int) -> list[Event]:
    """The latest events of a resource, the newest first."""
    query = Query(end=end, kind=Kind.AUDIT, fields={"resource": resource}, limit=limit, newest_first=True)
    found: list[Event] = []
    async for page in pages(sink, query, _PAGE):
        found += [event for event in page if "operation" in event.fields and "model" in event.fields]
        if len(found) >= limit:
            break
    return found[:limit]


def _until_moved(events: list[Event]) -> tuple[list[Event], str | None, datetime | None]:
    """The events up to the one that gave the row this key, and where those before it are."""
    for number, event in enumerate(events):
        before = event.fields.get("resource_before")
        if isinstance(before, str):
            return events[: number + 1], before, event.datetime + _MICROSECOND
    return events, None, None


def _change(event: Event) -> Change:
    fields = event.fields
    return Change(
        event.id,
        event.datetime,
        str(fields["operation"]),
        str(fields["model"]),
        fields.get("key") or {},
        fields.get("before") or {},
        fields.get("after") or {},
        fields.get("collections") or {},
        fields.get("user_id"),
        event.trace_id,
        fields.get("key_before"),
        event,
    )
