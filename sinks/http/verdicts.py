"""From an answer to what the worker should do. Pure; the only place that knows status codes.

2xx is stored; a receiver that wants to may answer event by event with a JSON object of ``duplicate`` (ids),
``retry`` (ids) and ``rejected`` (id to reason). 409 for one event alone means that it is there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event
from logweir.sinks.results import WriteResult

__all__ = ["Answer", "result_of", "seconds_to_wait"]

_OK = range(200, 300)
_REDIRECTION = range(300, 400)
_CLIENT_AT_FAULT = range(400, 500)
_CONFLICT = 409
_TOO_LARGE = 413
#: An operator fixes it, and events wait.
_REFUSED_ACCESS = {401, 403, 407}
_PASSING = {408, 425, 429}
_EXCERPT = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered.

    Attributes:
        status: The status code.
        reason: The words beside it.
        retry_after: The header of that name, if it came.
        body: The beginning of the body.
    """

    status: int
    reason: str = ""
    retry_after: str | None = None
    body: bytes = b""


class _ByEvent(msgspec.Struct):
    """What a receiver may say of single events."""

    duplicate: list[str] = msgspec.field(default_factory=list)
    retry: list[str] = msgspec.field(default_factory=list)
    rejected: dict[str, str] = msgspec.field(default_factory=dict)


_decode = msgspec.json.Decoder(_ByEvent).decode


def result_of(answer: Answer, events: Sequence[Event], *, now: datetime | None = None) -> WriteResult:
    """Return the verdicts on the events of one request.

    Args:
        answer: The answer.
        events: What was sent.
        now: The time from which a Retry-After that is a date counts.

    Raises:
        SinkUnavailable: Nothing was stored, and the same may be stored later.
        SinkRejected: The request will never be taken as it is.
    """
    status = answer.status
    if status in _OK:
        return _by_event(answer, events)
    if status == _CONFLICT and len(events) == 1:
        return WriteResult(duplicate=frozenset({0}))
    said = _said(answer)
    if status in _REFUSED_ACCESS:
        raise SinkUnavailable(f"the server refuses us access; fix the credentials: it {said}")
    if status in _REDIRECTION:
        raise SinkUnavailable(f"redirects are not followed; fix the url: the server {said}")
    if status in _CLIENT_AT_FAULT and status not in _PASSING:
        hint = "; send less at once: batch.max_bytes" if status == _TOO_LARGE else ""
        raise SinkRejected(f"the server {said}{hint}")
    raise SinkUnavailable(f"the server {said}", retry_after=seconds_to_wait(answer.retry_after, now))


def seconds_to_wait(retry_after: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds that a Retry-After asks for, be it a number or a date."""
    if retry_after is None:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            moment = parsedate_to_datetime(retry_after)
        except ValueError:
            return None
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (aware - (now or datetime.now(UTC))).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _by_event(answer: Answer, events: Sequence[Event]) -> WriteResult:
    said = _said_by_event(answer.body)
    if said is None:
        return WriteResult.all_stored()
    indexes = {event.id: index for index, event in enumerate(events)}
    rejected = {indexes[name]: reason for name, reason in said.rejected.items() if name in indexes}
    retry = _known(said.retry, indexes) - rejected.keys()
    duplicate = _known(said.duplicate, indexes) - rejected.keys() - retry
    seconds = seconds_to_wait(answer.retry_after)
    return WriteResult(frozenset(duplicate), frozenset(retry), rejected, seconds)


def _said_by_event(body: bytes) -> _ByEvent | None:
    """What the body says of single events; anything else that a webhook may answer says nothing."""
    if not body.lstrip().startswith(b"{"):
        return None
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _known(names: Sequence[str], indexes: Mapping[str, int]) -> set[int]:
    return {indexes[name] for name in names if name in indexes}


def _said(answer: Answer) -> str:
    excerpt = " ".join(answer.body.decode(errors="replace").split())
    excerpt = excerpt if len(excerpt) <= _EXCERPT else f"{excerpt[:_EXCERPT]}…"
    line = f"answered {answer.status} {answer.reason}".rstrip()
    return f"{line}: {excerpt}" if excerpt else line
