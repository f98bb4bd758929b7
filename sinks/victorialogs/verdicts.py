"""From VictoriaLogs' answer to what it means for the lines of a request. Pure; the only place that knows it.

It takes a request as a whole, with an empty 200. Its other answers are about itself: a full disk (429), an
insert API that is switched off (400), a tenant or a stream field that it cannot read (400), a login (401).
None of them is a line's fault, and all of them wait for an operator. Only of a line that is no JSON it says
so, with the line.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from http import HTTPStatus

from logweir.errors import SinkUnavailable
from logweir.sinks.shared.http_verdicts import Meaning, meaning_of
from logweir.sinks.shared.retry_after import seconds_to_wait
from logweir.sinks.shared.wording import in_one_line

__all__ = ["Answer", "Outcome", "outcome_of", "said_by"]

_EXCERPT = 300
_WRONG_ADDRESS = {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}
#: What it says of a line that it cannot read.
_OF_A_LINE = "line contents:"
#: What it says of a path that it does not serve; under 400.
_NO_SUCH_PATH = "unsupported path requested"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered.

    Attributes:
        status: The status code.
        reason: The words beside it.
        retry_after: The header of that name, if it came.
        text: The beginning of the body.
        seconds: How long it took.
    """

    status: int
    reason: str = ""
    retry_after: str | None = None
    text: str = ""
    seconds: float = 0.0


class Outcome(Enum):
    """What happened to a request."""

    STORED = "stored"
    TOO_LARGE = "too large"
    REFUSED = "refused"


def outcome_of(answer: Answer, queue_wait: float, *, now: datetime | None = None) -> Outcome:
    """Say what an answer to a push means.

    Args:
        answer: The answer.
        queue_wait: Seconds after which the server gives a waiting request up, and answers 200 all the same.
        now: The time from which a Retry-After that is a date counts.

    Raises:
        SinkUnavailable: It is not known to be stored, and the same may be stored later.
    """
    meaning = meaning_of(answer.status)
    said = said_by(answer)
    if meaning is Meaning.TAKEN:
        if answer.text.strip():
            raise SinkUnavailable(
                f"{said}, where VictoriaLogs answers nothing; is the url that of a VictoriaLogs?"
            )
        if answer.seconds >= queue_wait:
            # With -maxConcurrentInserts at work, it logs that it gave the request up, and answers 200.
            raise SinkUnavailable(
                f"the answer took {answer.seconds:.0f} s: after {queue_wait:g} s of waiting for its turn "
                "(-insert.maxQueueDuration) VictoriaLogs answers 200 and stores nothing"
            )
        return Outcome.STORED
    if meaning is Meaning.TOO_LARGE:
        return Outcome.TOO_LARGE
    if answer.status == HTTPStatus.BAD_REQUEST and _OF_A_LINE in answer.text:
        return Outcome.REFUSED
    raise SinkUnavailable(_explained(answer, meaning), retry_after=seconds_to_wait(answer.retry_after, now))


def said_by(answer: Answer) -> str:
    """The answer in one line."""
    excerpt = in_one_line(answer.text, _EXCERPT)
    line = f"VictoriaLogs answered {answer.status} {answer.reason}".rstrip()
    return f"{line}: {excerpt}" if excerpt else line


def _explained(answer: Answer, meaning: Meaning) -> str:
    said = said_by(answer)
    if meaning is Meaning.ACCESS_REFUSED:
        return f"access is refused; check username and password, bearer_token or headers: {said}"
    if meaning is Meaning.REDIRECTED:
        return f"redirects are not followed; fix the url: {said}"
    if answer.status in _WRONG_ADDRESS or _NO_SUCH_PATH in answer.text:
        return f"nothing is taken at this address; fix the url: {said}"
    return said
