"""Following: events as they arrive in the sinks, each shown once.

Backends have no common way to push, so they are asked again and again. The window that is asked for
reaches back a little from the newest time, because events arrive late and out of order; what was shown
in it is remembered, and forgotten when the window has passed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from logweir.config.models import RoutingConfig
from logweir.errors import SinkError
from logweir.event import Event
from logweir.sinks.contract import Query
from logweir.sinks.query_match import nanoseconds
from logweir.stores.reading import Found, opened, pages

__all__ = ["Follower"]

#: How far the window reaches back: an event that arrives later than this is not seen.
_LATENESS = timedelta(seconds=15)
_PAGE = 1_000
_ANSWER_SECONDS = 30.0


class Follower:
    """Follows sinks.

    Args:
        config: The configuration.
        names: The sinks to follow.
        query: Which events; its times and limit are not used.
        start: Since when.
        on_change: Called when a sink stops answering (with the reason) and when it answers again (None).
        on_unreadable: Called with a sink and what is wrong with a row of it that is no event; once for each.
        now: The time, injected by tests.
    """

    def __init__(
        self,
        config: RoutingConfig,
        names: Sequence[str],
        query: Query,
        start: datetime,
        *,
        on_change: Callable[[str, str | None], None] = lambda _name, _reason: None,
        on_unreadable: Callable[[str, str], None] = lambda _name, _fault: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._config = config
        self._names = names
        self._query = query
        self._start = start
        self._on_change = on_change
        self._on_unreadable = on_unreadable
        self._faults = set[tuple[str, str]]()
        self._now = now
        self._silent: dict[str, str] = {}
        self._seen: dict[str, int] = {}
        self._windows = dict.fromkeys(names, start)

    async def follow(
        self, interval: float, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> AsyncGenerator[Found]:
        """Yield events as they arrive, without end; sinks that are down are tried again each time."""
        async with AsyncExitStack() as stack:
            sinks: dict[str, Any] = {}
            while True:
                began = self._now()
                for found in await self._look(sinks, stack):
                    yield found
                self._move_windows(began)
                await sleep(interval)

    async def _look(self, sinks: dict[str, Any], stack: AsyncExitStack) -> list[Found]:
        """What is new, in order of time."""
        answers = await asyncio.gather(*(self._ask(name, sinks, stack) for name in self._names))
        fresh = list[Found]()
        for name, events in zip(self._names, answers, strict=True):
            for event in events:
                if event.id not in self._seen:
                    self._seen[event.id] = event.time
                    fresh.append(Found(name, event))
        return sorted(fresh, key=lambda item: (item.event.time, item.event.id))

    async def _ask(self, name: str, sinks: dict[str, Any], stack: AsyncExitStack) -> list[Event]:
        report = partial(self._report_fault, name)
        query = replace(
            self._query, start=self._windows[name], end=None, newest_first=False, on_unreadable=report
        )
        try:
            if name not in sinks:
                sink = await stack.enter_async_context(opened(name, self._config, read_only=True))
                sinks[name] = sink.itself
            async with asyncio.timeout(_ANSWER_SECONDS):
                events = [event async for page in pages(sinks[name], query, _PAGE) for event in page]
        except TimeoutError:
            self._note(name, f"no answer within {_ANSWER_SECONDS:g} s")
        except SinkError as error:
            self._note(name, str(error))
        except Exception as error:  # noqa: BLE001 - a sink may raise anything, and its text may hold a password
            self._note(name, f"it raised {type(error).__name__}, which is no SinkError")
        else:
            self._note(name, None)
            return events
        return []

    def _report_fault(self, name: str, fault: str) -> None:
        if (name, fault) not in self._faults:
            self._faults.add((name, fault))
            self._on_unreadable(name, fault)

    def _note(self, name: str, reason: str | None) -> None:
        """Report a change, once."""
        if reason is None:
            if self._silent.pop(name, None) is not None:
                self._on_change(name, None)
        elif name not in self._silent:
            self._silent[name] = reason
            self._on_change(name, reason)

    def _move_windows(self, began: datetime) -> None:
        """The window of a sink that answered follows the time; what left every window is forgotten."""
        for name in self._names:
            if name not in self._silent:
                self._windows[name] = max(self._windows[name], began - _LATENESS)
        oldest = nanoseconds(min(self._windows.values()))
        self._seen = {event_id: time for event_id, time in self._seen.items() if time >= oldest}
