"""What the status code of an answer means for what was sent. Pure.

The sections are those of RFC 9110 (HTTP Semantics, 2022) unless another one is named. What a server says
beyond the status, and where its statuses mean something else, is the sink's to know.
"""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus

__all__ = ["Meaning", "meaning_of"]


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
    """The other 4xx: the same request would be answered in the same way (15.5)."""
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
}
_BY_CLASS = {2: Meaning.TAKEN, 3: Meaning.REDIRECTED, 4: Meaning.REFUSED}


def meaning_of(status: int) -> Meaning:
    """Return what a status code means; one without a rule of its own has that of its class (15)."""
    return _BY_STATUS.get(status) or _BY_CLASS.get(status // 100, Meaning.FAILED)
