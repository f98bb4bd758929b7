"""What becomes of an entry that Loki refused: it is changed until Loki takes it, or given up. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from logweir.sinks.loki.encode import Encoder, Entry, Form
from logweir.sinks.loki.verdicts import Fault, Refusal

__all__ = ["FindRemedy", "Remedy", "Wait", "remedy_for"]

_HOUR = 3600 * 10**9
_SHORTEST_LINE = 256
_UUID7 = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-7")


class Wait:
    """The remedy of an entry that may be stored later as it is."""


#: What becomes of a refused entry: another entry, Loki's reason to give it up, or waiting.
Remedy = Entry | str | Wait
FindRemedy = Callable[[Entry, Refusal], Remedy]


def remedy_for(entry: Entry, refusal: Refusal, encoder: Encoder, *, restamp_to: int | None) -> Remedy:
    """Say what becomes of a refused entry: a changed one, Loki's reason, or waiting.

    Each change is tried once; an entry that is refused again for the same is given up.

    Args:
        entry: The entry.
        refusal: What Loki holds against it.
        encoder: Makes the changed entry.
        restamp_to: Now, if events may be stored at another time than their own.
    """
    form = _changed(entry, refusal, restamp_to) or _borrowing(entry, refusal, encoder)
    if form is None:
        return Wait() if refusal.fault is Fault.STREAMS else refusal.reason
    return encoder.entry(entry.index, entry.event, form)


def _changed(entry: Entry, refusal: Refusal, now: int | None) -> Form | None:
    form, fault = entry.form, refusal.fault
    # A form that has the change already was refused with it: None, so that no remedy is tried twice.
    if fault is Fault.LINE_TOO_LONG:
        limit = refusal.limit or len(entry.line) // 2
        fits = limit < len(entry.line) and limit >= _SHORTEST_LINE
        return msgspec.structs.replace(form, longest=limit) if fits else None
    if fault in {Fault.TOO_OLD, Fault.TOO_NEW} and now is not None:
        return _restamped(entry, now)
    if fault in {Fault.LABELS, Fault.STREAMS} and not form.bare:
        return msgspec.structs.replace(form, bare=True)
    if fault in {Fault.METADATA, Fault.NO_METADATA} and not form.plain:
        return msgspec.structs.replace(form, plain=True)
    return None


def _borrowing(entry: Entry, refusal: Refusal, encoder: Encoder) -> Form | None:
    """Where even the stream of the static labels would be a new one too many: one that Loki has."""
    if refusal.fault is not Fault.STREAMS or entry.form.borrowed is not None:
        return None
    stream = encoder.to_borrow(entry.event)
    return None if stream is None else msgspec.structs.replace(entry.form, borrowed=stream)


def _restamped(entry: Entry, now: int) -> Form | None:
    """First the time its id was made at, which is the same for each resend; then now."""
    form = entry.form
    if form.stamps > 1:
        return None
    made = _made_at(entry.event.id)
    if form.stamps == 0 and made is not None and now - _HOUR // 2 < made <= now and made != entry.stamp:
        return msgspec.structs.replace(form, stamp=made, stamps=1)
    return msgspec.structs.replace(form, stamp=now, stamps=2)


def _made_at(event_id: str) -> int | None:
    """The time in a UUIDv7, in nanoseconds."""
    match = _UUID7.match(event_id)
    return int(match[1] + match[2], 16) * 10**6 if match else None
