"""From an answer to what the worker should do. Pure.

What a status means is the same for all of HTTP (:mod:`logweir.sinks.shared.http_verdicts`). What a webhook
may say beyond it is our own protocol, described in ``docs/how-to/http-webhook.md``: a receiver that wants to
may answer event by event with a JSON object of ``duplicate`` (ids), ``retry`` (ids) and ``rejected`` (id to
reason), and 409 for one event alone means that it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

import msgspec

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event
from logweir.sinks.results import WriteResult
from logweir.sinks.shared.http_verdicts import Meaning, is_about_the_address, meaning_of
from logweir.sinks.shared.retry_after import seconds_to_wait
from logweir.sinks.shared.wording import in_one_line

__all__ = ["Answer", "FailedOnIt", "result_of"]

#: Answers for ever: the same events would be answered in the same way.
_FINAL = {Meaning.CONFLICT, Meaning.TOO_LARGE, Meaning.REFUSED}
_EXCERPT = 200


class FailedOnIt(SinkUnavailable):
    """It may be due to what was sent alone, so that less of it at once may be answered.

    The server failed (500) and does not say when it will not, or its answer is too long to be read.
    """


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered.

    Attributes:
        status: The status code.
        reason: The words beside it.
        retry_after: The header of that name, if it came.
        body: The beginning of the body.
        is_cut: Whether the body goes on.
        masked: Masks our secrets in what the server said, once it was read: in the body as it came, a masked
            id or key would be another one.
    """

    status: int
    reason: str = ""
    retry_after: str | None = None
    body: bytes = b""
    is_cut: bool = False
    masked: Callable[[bytes], bytes] = bytes


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
    meaning = meaning_of(answer.status)
    if meaning is Meaning.TAKEN:
        return _by_event(answer, events)
    if meaning is Meaning.CONFLICT and len(events) == 1:  # of several, it could be about any
        return WriteResult(duplicate=frozenset({0}))
    said = _said(answer)
    if meaning is Meaning.ACCESS_REFUSED:
        raise SinkUnavailable(f"the server refuses us access; fix the credentials: it {said}")
    if meaning is Meaning.REDIRECTED:
        raise SinkUnavailable(f"redirects are not followed; fix the url: the server {said}")
    if meaning is Meaning.NOT_SERVED or (meaning is Meaning.REFUSED and is_about_the_address(said)):
        raise SinkUnavailable(f"what is sent is not looked at; fix the url or the account: the server {said}")
    if meaning in _FINAL:
        hint = "; send less at once: batch.max_bytes" if meaning is Meaning.TOO_LARGE else ""
        raise SinkRejected(f"the server {said}{hint}")
    if answer.status == HTTPStatus.INTERNAL_SERVER_ERROR and answer.retry_after is None:
        raise FailedOnIt(f"the server {said}")
    raise SinkUnavailable(f"the server {said}", retry_after=seconds_to_wait(answer.retry_after, now))


def _by_event(answer: Answer, events: Sequence[Event]) -> WriteResult:
    if not answer.body.lstrip().startswith(b"{"):
        return WriteResult.all_stored()
    if answer.is_cut:  # it may go on with events that were not stored
        raise FailedOnIt("the answer is too long to be read; send less at once: batch.max_events")
    said = _said_by_event(answer.body)
    if said is None:
        return WriteResult.all_stored()
    indexes = {event.id: index for index, event in enumerate(events)}
    rejected = {
        indexes[name]: answer.masked(reason.encode()).decode(errors="replace")
        for name, reason in said.rejected.items()
        if name in indexes
    }
    retry = _known(said.retry, indexes) - rejected.keys()
    duplicate = _known(said.duplicate, indexes) - rejected.keys() - retry
    seconds = seconds_to_wait(answer.retry_after)
    return WriteResult(frozenset(duplicate), frozenset(retry), rejected, seconds)


def _said_by_event(body: bytes) -> _ByEvent | None:
    """What the body says of single events; anything else that a webhook may answer says nothing."""
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _known(names: Sequence[str], indexes: Mapping[str, int]) -> set[int]:
    return {indexes[name] for name in names if name in indexes}


def _said(answer: Answer) -> str:
    excerpt = in_one_line(answer.masked(answer.body).decode(errors="replace"), _EXCERPT)
    line = f"answered {answer.status} {answer.masked(answer.reason.encode()).decode()}".rstrip()
    return f"{line}: {excerpt}" if excerpt else line
