"""From an answer to what the worker should do. Pure.

What a status means is the same for all of HTTP (:mod:`logweir.sinks.shared.http_verdicts`). Beyond it, a
receiver of OTLP answers 200 with a *partial success*: how many records it refused, and a text, but not which.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceResponse,
)

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.sinks.shared.http_verdicts import Meaning, is_about_the_address, meaning_of
from logweir.sinks.shared.retry_after import seconds_to_wait
from logweir.sinks.shared.wording import in_one_line

__all__ = ["Answer", "refused_of"]

_EXCERPT = 200
_FINAL = {Meaning.CONFLICT, Meaning.TOO_LARGE, Meaning.REFUSED}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered.

    Attributes:
        status: The status code.
        reason: The words beside it.
        retry_after: The header of that name, if it came.
        content_type: The header of that name.
        body: The beginning of the body.
        is_cut: Whether the body goes on.
        masked: Masks our secrets in what the receiver said, once it was read: a body that was masked as it
            came would be no protobuf any more.
    """

    status: int
    reason: str = ""
    retry_after: str | None = None
    content_type: str = ""
    body: bytes = b""
    is_cut: bool = False
    masked: Callable[[bytes], bytes] = bytes


def refused_of(answer: Answer, *, now: datetime | None = None) -> tuple[int, str]:
    """Return how many records of the request were refused, and why.

    Args:
        answer: The answer.
        now: The time from which a Retry-After that is a date counts.

    Raises:
        SinkUnavailable: Nothing was stored, and the same may be stored later.
        SinkRejected: The request will never be taken as it is.
    """
    meaning = meaning_of(answer.status)
    if meaning is Meaning.TAKEN:
        return _partial_success(answer)
    said = _said(answer)
    if meaning is Meaning.ACCESS_REFUSED:
        raise SinkUnavailable(f"the receiver refuses us access; fix the credentials: it {said}")
    if meaning is Meaning.REDIRECTED:
        raise SinkUnavailable(f"redirects are not followed; fix the url: the receiver {said}")
    if meaning is Meaning.NOT_SERVED or (meaning is Meaning.REFUSED and is_about_the_address(said)):
        raise SinkUnavailable(f"no OTLP is received at this address; fix the url: it {said}")
    if meaning in _FINAL:
        hint = "; send less at once: batch.max_bytes" if meaning is Meaning.TOO_LARGE else ""
        raise SinkRejected(f"the receiver {said}{hint}")
    raise SinkUnavailable(f"the receiver {said}", retry_after=seconds_to_wait(answer.retry_after, now))


def _partial_success(answer: Answer) -> tuple[int, str]:
    if not answer.body or "json" in answer.content_type:
        return 0, ""
    if answer.is_cut and "protobuf" in answer.content_type:  # only refusals make an answer as long as this
        return 1, "the answer is too long to be read"
    try:
        said = ExportLogsServiceResponse.FromString(answer.body).partial_success
    except DecodeError:
        return 0, ""  # it answered 200; what it says beside that is no protobuf
    return max(said.rejected_log_records, 0), _excerpt(answer, said.error_message)


def _said(answer: Answer) -> str:
    excerpt = _excerpt(answer, _message(answer))
    line = f"answered {answer.status} {answer.masked(answer.reason.encode()).decode()}".rstrip()
    return f"{line}: {excerpt}" if excerpt else line


def _excerpt(answer: Answer, words: str) -> str:
    return in_one_line(answer.masked(words.encode()).decode(errors="replace"), _EXCERPT)


def _message(answer: Answer) -> str:
    if "protobuf" in answer.content_type:
        try:
            # It is a google.rpc.Status, whose first two fields, a number and a text, are this message's.
            return ExportLogsPartialSuccess.FromString(answer.body).error_message
        except DecodeError:
            return ""
    return answer.body.decode(errors="replace")
