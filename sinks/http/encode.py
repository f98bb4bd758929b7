"""From events to the body and the headers of a request. Pure.

The signature is an HMAC over the timestamp, a dot and the body exactly as it is sent (compressed, if it
is). ``Idempotency-Key`` is the same whenever the same events are sent again: a receiver knows them by it.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from logweir.encoding.events import encode_event
from logweir.event import Event
from logweir.sinks.http.config import HttpConfig, SignConfig

__all__ = ["Request", "request_of", "signature"]

_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent.

    Attributes:
        body: The bytes of the body.
        headers: The headers that depend on it.
    """

    body: bytes
    headers: dict[str, str]


def request_of(
    events: Sequence[Event], config: HttpConfig, now: float, encoded: Sequence[bytes] | None = None
) -> Request:
    """Return the request that carries these events.

    Args:
        events: One event if the mode is ``single``.
        config: The sink's options.
        now: Seconds since 1970.
        encoded: The events as :func:`encode_event` writes them, where the caller has done so.

    Raises:
        TypeError: A field is not of JSON's types.
        ValueError: A text cannot be written in UTF-8.
    """
    parts = [encode_event(event) for event in events] if encoded is None else encoded
    body = parts[0] if config.mode == "single" else b"[" + b",".join(parts) + b"]"
    headers = {"Content-Type": "application/json", "Idempotency-Key": _key(events)}
    if config.gzip:
        body = gzip.compress(body, _LEVEL, mtime=0)
        headers["Content-Encoding"] = "gzip"
    if config.sign is not None:
        timestamp = str(int(now))
        headers[config.sign.timestamp_header] = timestamp
        headers[config.sign.header] = signature(config.sign, timestamp, body)
    return Request(body, headers)


def signature(sign: SignConfig, timestamp: str, body: bytes) -> str:
    """Return the signature of a body, as its header says it."""
    secret = sign.secret.get_secret_value().encode()
    digest = hmac.new(secret, timestamp.encode() + b"." + body, sign.algorithm).hexdigest()
    return f"{sign.algorithm}={digest}"


def _key(events: Sequence[Event]) -> str:
    """The event's id, or the same short text for the same ids in the same order."""
    if len(events) == 1:
        return events[0].id
    return hashlib.sha256("\n".join(event.id for event in events).encode()).hexdigest()[:32]
