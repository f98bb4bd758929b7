"""Faults that a fallback could have, put back one at a time: their histories have fallbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from logweir.delivery.fallback import returning
from logweir.delivery.fallback.diverting import Diverting
from logweir.delivery.fallback.ledger import Ledger
from logweir.event import Event

__all__ = ["FALLBACK_BREAKS"]


@contextmanager
def what_goes_to_the_fallback_is_not_noted_first() -> Iterator[None]:
    """A process that is killed between the two leaves its successor without the knowledge."""
    with patch.object(Ledger, "note", lambda *_: None):
        yield


@contextmanager
def what_may_be_in_the_fallback_is_written_to_the_sink() -> Iterator[None]:
    """The notes are written, and nobody asks for them."""
    with patch.object(Ledger, "held", lambda *_: set[str]()):
        yield


@contextmanager
def events_are_settled_before_the_fallback_has_stored_them() -> Iterator[None]:
    """What the fallback is asked to store counts as stored, whatever it answers."""
    offer = Diverting._offer

    async def hopes(self: Any, batch: Sequence[Event]) -> Any:
        try:
            return await offer(self, batch)
        except Exception:  # noqa: BLE001 - the fault
            return returning.WriteResult.all_stored()

    with patch.object(Diverting, "_offer", hopes):
        yield


@contextmanager
def what_returns_is_deleted_before_the_sink_has_it() -> Iterator[None]:
    """Whatever was read counts as written."""

    async def write(_self: Any, events: Sequence[Event]) -> tuple[list[str], list[str]]:
        return [event.id for event in events], []

    with patch.object(returning.Returning, "_write", write):
        yield


@contextmanager
def what_was_returned_is_deleted_in_a_fallback_that_is_not_open() -> Iterator[None]:
    """A process that has read nothing from the fallback deletes what an earlier one has brought back."""

    async def delete(self: Any, ids: Sequence[str]) -> None:
        await returning._itself(self._both.other).delete(ids)

    with patch.object(returning.Returning, "_delete", delete):
        yield


FALLBACK_BREAKS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    each.__name__: each
    for each in (
        what_goes_to_the_fallback_is_not_noted_first,
        what_may_be_in_the_fallback_is_written_to_the_sink,
        events_are_settled_before_the_fallback_has_stored_them,
        what_returns_is_deleted_before_the_sink_has_it,
        what_was_returned_is_deleted_in_a_fallback_that_is_not_open,
    )
}
