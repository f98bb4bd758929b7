"""Enriching: functions of the user's that add fields to each event, before anything else is done with it.

An enricher is a processor of structlog's: it is given ``None``, the level, and a dictionary of the call's
fields with the name as ``event``, and returns the dictionary. It cannot lose an event: of one that raises, or
returns nothing, no change is kept, and the field ``enrich_error`` says which it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import RLock, local
from typing import Any

from structlog import DropEvent

from logweir.capture.capture import Capture
from logweir.capture.message import add_field
from logweir.capture.ordinary import NOTHING_BOUND, Bound, named
from logweir.diagnostics import report
from logweir.event import Event, Kind
from logweir.process.reentry import registered

__all__ = ["ENRICH_ERROR", "Enrichers", "EnrichingCapture"]

#: How many seconds one enricher may take without being reported.
LONGEST = 0.001
#: The field of an event that an enricher has failed for.
ENRICH_ERROR = "enrich_error"

_MISSING = object()
_running = local()


class Enrichers:
    """Functions of the user's, guarded; safe to use from many threads at once.

    Args:
        functions: By their dotted paths, in their order.
        clock: Seconds.

    Attributes:
        failed: How many times one of them raised an error, or returned no dictionary.
    """

    def __init__(
        self, functions: Mapping[str, Callable[..., Any]], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._functions = dict(functions)
        self._clock = clock
        self._lock = registered(RLock())  # re-entrant: a finaliser may log in the middle of anything
        self.failed = 0

    def __call__(self, name: str, fields: dict[str, Any], level: str) -> dict[str, Any]:
        """Return the fields with what the functions have added; never raises."""
        # What an enricher logs itself would be enriched for ever.
        if getattr(_running, "now", False):
            return fields
        _running.now = True
        try:
            for path, function in self._functions.items():
                fields = self._asked(path, function, name, fields, level)
        finally:
            _running.now = False
        return fields

    def _asked(
        self, path: str, function: Callable[..., Any], name: str, fields: dict[str, Any], level: str
    ) -> dict[str, Any]:
        own = fields.get("event", _MISSING)  # a field of the caller's that has this name
        begun = self._clock()
        try:
            answer = dict(function(None, level, {**fields, "event": name}))
        except (Exception, DropEvent) as error:  # noqa: BLE001 - the user's code must not break a log call
            kind = type(error).__qualname__
            with self._lock:
                self.failed += 1
            add_field(fields, ENRICH_ERROR, f"{path}: {kind}")
            # Not what it says: it was given values that may be secret.
            report(f"enrich.{path}", "enricher %s raised %s; its events have %s", path, kind, ENRICH_ERROR)
            return fields
        if self._clock() - begun > LONGEST:
            report(f"slow.{path}", "enricher %s takes longer than a millisecond for an event", path)
        answer.pop("event", None)
        return answer if own is _MISSING else {**answer, "event": own}


class EnrichingCapture(Capture):
    """A capture that lets enrichers add to the fields of each call, and of its logger."""

    enrichers: Enrichers

    @property
    def enrich_errors(self) -> int:
        """How many times a function that adds fields has failed."""
        return self.enrichers.failed

    def __call__(
        self,
        name: str,
        fields: dict[str, Any],
        level: str,
        kind: Kind | None = None,
        time_ns: int | None = None,
        event_id: str | None = None,
        bound: Bound = NOTHING_BOUND,
    ) -> Event:
        """Return the event of one call, see :class:`Capture`."""
        fields = self.enrichers(name, bound.all_fields(fields), level)
        logger, by = fields.get("logger"), NOTHING_BOUND
        if type(logger) is str and logger is bound.logger:
            # Carried as before, for a field of a call that has this name is looked at anew each time.
            del fields["logger"]
            by = named(logger)
        return super().__call__(name, fields, level, kind, time_ns, event_id, by)
