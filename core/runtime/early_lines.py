"""Early lines: what is logged before a runtime runs, kept in memory for the start.

A snapshot is taken at the call, with the context of the call, and secrets are masked by the built-in rules;
the start hands the lines to its runtime, which classifies, masks and routes them by its routing.yaml. Their
number is bounded; what comes beyond is counted and reported.
"""

from __future__ import annotations

import contextvars
import logging
import time
from collections import deque
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

from logweir.capture.capture import Capture
from logweir.capture.ordinary import NOTHING_BOUND, Bound
from logweir.capture.snapshot import Snapshotter
from logweir.config.models import RedactConfig
from logweir.diagnostics import report, say
from logweir.encoding.counted import counted
from logweir.event import Event, Kind
from logweir.routing.classifier import take_explicit

__all__ = ["MOST_BYTES", "MOST_LINES", "EarlyLines", "Taker"]

#: The most lines that wait for a start.
MOST_LINES = 1000
#: The most bytes that wait for a start, about.
MOST_BYTES = 2**20
#: Seconds after the first line from which on it is reported that nothing has been started.
_PATIENCE = 10.0
_HINT = "no runtime is running; call logweir.start(...)"


class Taker(Protocol):
    """What takes lines; :meth:`logweir.Runtime.emit` says what the arguments are."""

    def emit(
        self,
        name: str,
        fields: dict[str, Any],
        *,
        level: str = "info",
        kind: Kind | None = None,
        time_ns: int | None = None,
        event_id: str | None = None,
        from_library: bool = False,
        bound: Bound = NOTHING_BOUND,
    ) -> Event | None:
        """Take a line; never raises."""
        ...

    def snapshot(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Redact and copy fields as an event would; never raises."""
        ...


class EarlyLines:
    """Keeps lines until a runtime takes them; from any thread, signal handler or finaliser, without a lock.

    Args:
        current: The runtime that runs, if there is one by now.
    """

    def __init__(self, current: Callable[[], Taker | None]) -> None:
        self._current = current
        # Each with the kind that its caller gave it, if any: rules for the others come with the start.
        self._lines: deque[tuple[Event, Kind | None]] = deque()
        self._bytes = 0
        self._dropped: dict[Kind, int] = {}
        self._since: float | None = None
        self._ended = False

    def emit(
        self,
        name: str,
        fields: dict[str, Any],
        *,
        level: str = "info",
        kind: Kind | None = None,
        time_ns: int | None = None,
        event_id: str | None = None,
        from_library: bool = False,
        bound: Bound = NOTHING_BOUND,
    ) -> Event | None:
        """Keep a line; takes ownership of ``fields``. A library's is kept too: no sink has a client yet."""
        try:
            undecided: list[None] = []

            def kind_of(*_: object) -> Kind:
                undecided.append(None)
                return Kind.TRACING

            capture = Capture("", "", take_explicit, kind_of, _snapshotter())
            event = capture(name, fields, level, kind, time_ns, event_id, bound)
            said = None if undecided else event.kind
        except Exception as error:  # noqa: BLE001 - a log call must never break its caller
            report("emit", "an event could not be captured: %r", error)
            return None
        if self._ended or len(self._lines) >= MOST_LINES or self._bytes + event.size > MOST_BYTES:
            self._dropped[event.kind] = self._dropped.get(event.kind, 0) + 1
            report("early", "lines are lost that are logged without a start: %s", _HINT)
            return None
        self._lines.append((event, said))
        self._bytes += event.size
        now = time.monotonic()
        if self._since is None:
            self._since = now
        elif now - self._since > _PATIENCE:
            report("early", "%s in memory: %s", counted(len(self._lines), "event", "waits", "wait"), _HINT)
        # The start may have looked just before this line was there.
        taker = self._current()
        if taker is not None:
            self.hand_over(taker)
        return event

    def snapshot(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Redact and copy fields by the built-in rules."""
        return _snapshotter()(fields)[0]

    def __len__(self) -> int:
        return len(self._lines)

    def hand_over(self, taker: Taker) -> None:
        """Give the lines to a runtime, and report how many could not be kept."""
        # In a context of its own: the lines have theirs, and must not get that of whoever starts.
        context = contextvars.Context()
        while (entry := self._next()) is not None:
            event, said = entry
            fields = dict(event.fields)
            ids = (("trace_id", event.trace_id), ("span_id", event.span_id))
            fields.update((key, value) for key, value in ids if value is not None)
            context.run(
                taker.emit,
                event.name,
                fields,
                level=event.level,
                kind=said,
                time_ns=event.time,
                event_id=event.id,
            )
        self._since, self._ended = None, False
        self._report_dropped("before the start, more than are kept for it")

    def give_up(self) -> None:
        """Count and report what no runtime took, and from now on keep nothing: the process ends."""
        self._ended = True
        while (entry := self._next()) is not None:
            event, _ = entry
            self._dropped[event.kind] = self._dropped.get(event.kind, 0) + 1
        self._report_dropped(f"and {_HINT}")

    def _next(self) -> tuple[Event, Kind | None] | None:
        try:
            event, said = self._lines.popleft()
        except IndexError:  # asked for, and not looked at first: another thread may hand over too
            return None
        self._bytes -= event.size
        return event, said

    def _report_dropped(self, when: str) -> None:
        dropped, self._dropped = self._dropped, {}
        if dropped:
            count, audit = sum(dropped.values()), dropped.get(Kind.AUDIT, 0)
            are = "is" if count == 1 else "are"
            say(
                logging.WARNING, "%s (%d audit) %s lost: logged %s", counted(count, "event"), audit, are, when
            )


@cache
def _snapshotter() -> Snapshotter:
    return Snapshotter(RedactConfig().redactor())
