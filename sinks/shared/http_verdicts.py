"""What the status code of an answer means for what was sent. Pure.

The sections are those of RFC 9110 (HTTP Semantics, 2022) unless another one is named. What a server says
beyond the status, and where its statuses mean something else, is the sink's to know.
"""

from __future__ import annotations

import re
from enum import Enum
from http import HTTPStatus

__all__ = ["Meaning", "is_about_the_address", "meaning_of"]


class Meaning(Enum):
    """What an answer means."""

    TAKEN = "taken"
    """2xx: received, understood and accepted (15.3)."""
    REDIRECTED = "redirected"
    """3xx: to be sent elsewhere (15.4); the url of the configuration is wrong."""
    ACCESS_REFUSED = "access refused"
    """401 and 403 (15.5.2, 15.5.4), 407 of a proxy (15.5.8): an operator fixes it, and events wait."""
    CONFLICT = "conflict"
    """409: what is there stands against it (15.5.10)."""
    TOO_LARGE = "too large"
    """413: less at once may be taken (15.5.14)."""
    LATER = "later"
    """Client errors that pass by themselves: 408 request timeout (15.5.9), 425 too early (RFC 8470, 5.2), 429
    too many requests (RFC 6585, 4)."""
    REFUSED = "refused"
    """400 (15.5.1) and 422 (15.5.21): of what was sent, and the same request would be answered so again."""
    NOT_SERVED = "not served"
    """The other 4xx: of the address, the method, the headers or the account (404, 405, 410, 415, 402 of a
    quota). All that is sent there would be answered so, until an operator fixes it."""
    FAILED = "failed"
    """5xx: the server knows that it failed (15.6); and whatever is no status code of a final answer."""


_BY_STATUS: dict[int, Meaning] = {
    HTTPStatus.UNAUTHORIZED: Meaning.ACCESS_REFUSED,
    HTTPStatus.FORBIDDEN: Meaning.ACCESS_REFUSED,
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: Meaning.ACCESS_REFUSED,
    HTTPStatus.CONFLICT: Meaning.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Meaning.TOO_LARGE,
    HTTPStatus.REQUEST_TIMEOUT: Meaning.LATER,
    HTTPStatus.TOO_EARLY: Meaning.LATER,
    HTTPStatus.TOO_MANY_REQUESTS: Meaning.LATER,
    HTTPStatus.BAD_REQUEST: Meaning.REFUSED,
    HTTPStatus.UNPROCESSABLE_ENTITY: Meaning.REFUSED,
}
_BY_CLASS = {2: Meaning.TAKEN, 3: Meaning.REDIRECTED, 4: Meaning.NOT_SERVED}
#: What nginx, Apache and servers written in Go answer with 400, before what was sent reaches anybody.
_ABOUT_THE_ADDRESS = re.compile(
    r"plain HTTP request was sent to HTTPS|HTTP request to an HTTPS server|speaking plain HTTP to an SSL|"
    r"SSL certificate|Request Header Or Cookie Too Large|Invalid Host|missing required Host|Invalid Hostname",
    re.IGNORECASE,
)


def meaning_of(status: int) -> Meaning:
    """Return what a status code means; one without a rule of its own has that of its class (15)."""
    return _BY_STATUS.get(status) or _BY_CLASS.get(status // 100, Meaning.FAILED)


def is_about_the_address(said: str) -> bool:
    """Whether a 400 is that of a gateway which was spoken to in a wrong way, and not about what was sent."""
    return _ABOUT_THE_ADDRESS.search(said) is not None
