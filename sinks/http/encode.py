"""From events to the body and the headers of a request. Pure.

The signature is an HMAC over the timestamp, a dot and the body exactly as it is sent (compressed, if it
is). ``Idempotency-Key`` is the same whenever the same events are sent again: a receiver knows them by it.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from logweir.encoding.events import encode_event
from logweir.event import Event
from logweir.sinks.http.config import HttpConfig, SignConfig
from logweir.sinks.shared.documents import documents

__all__ = ["Request", "encoder_of", "request_of", "signature"]

_LEVEL = 6
_encode_json = msgspec.json.Encoder().encode
_BODIES: dict[str, Callable[[Sequence[bytes]], bytes]] = {
    "json": lambda encoded: b"[" + b",".join(encoded) + b"]",
    "ndjson": lambda encoded: b"\n".join([*encoded, b""]),
    "single": lambda encoded: encoded[0],
}
_TYPES = {"ndjson": "application/x-ndjson"}


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent.

    Attributes:
        body: The bytes of the body.
        headers: The headers that depend on it.
    """

    body: bytes
    headers: dict[str, str]


def encoder_of(config: HttpConfig) -> Callable[[Event], bytes]:
    """Return what writes an event as JSON, under the names that the receiver wants.

    It raises ``TypeError`` for a field that is not of JSON's types, ``ValueError`` for a text that cannot be
    written in UTF-8.
    """
    if config.fields == "nested" and not config.rename:
        return encode_event
    document_of = documents(config.fields, config.rename)
    return lambda event: _encode_json(document_of(event))


def request_of(events: Sequence[Event], encoded: Sequence[bytes], config: HttpConfig, now: float) -> Request:
    """Return the request that carries these events.

    Args:
        events: One event if the format is ``single``.
        encoded: The same, as :func:`encoder_of` writes them.
        config: The sink's options.
        now: Seconds since 1970.
    """
    body = _BODIES[config.format](encoded)
    headers = {"Content-Type": _TYPES.get(config.format, "application/json"), "Idempotency-Key": _key(events)}
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
