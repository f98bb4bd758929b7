"""Events as the runtime makes them, and the law of what a sink answers to a batch of them."""

from __future__ import annotations

import time
from typing import Any

from logweir.event import Event, Kind, new_event_id
from logweir.sinks.results import WriteResult

__all__ = ["assert_law", "make_event"]


def make_event(
    name: str = "event",
    fields: dict[str, Any] | None = None,
    *,
    kind: Kind = Kind.TRACING,
    time_ns: int | None = None,
    **more: Any,
) -> Event:
    """An event as the runtime makes them."""
    return Event(
        new_event_id(),
        time.time_ns() if time_ns is None else time_ns,
        kind,
        "info",
        name,
        "contract-service",
        "test",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "00f067aa0ba902b7",
        {**(fields or {}), **more},
        200,
    )


def assert_law(result: WriteResult, size: int) -> None:
    """Each index of the batch has at most one verdict, and none lies outside of it."""
    verdicts = [*result.duplicate, *result.retry, *result.rejected]
    assert len(verdicts) == len(set(verdicts)), "an event has two verdicts"
    assert all(0 <= index < size for index in verdicts), "a verdict on an event that is not in the batch"
    assert not result.retry, "nothing disturbed the sink, so nothing is to be sent again"
    assert not result.rejected, f"rejected: {dict(result.rejected)}"
