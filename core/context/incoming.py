"""What a request brings along: its trace and its request id, accepted or made. Pure; no framework.

What comes from outside ends up in every event, so it is accepted only in a strict form: nothing that a
client sends can forge a line, a field or a terminal's control sequence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import uuid_utils

from logweir.context.trace import TraceParent, active_span, parse_traceparent

__all__ = ["REQUEST_ID_HEADER", "Incoming", "is_request_id", "read_incoming"]

#: The header that brings a request id, in the lower case that frameworks compare.
REQUEST_ID_HEADER = "x-request-id"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._~:/+=@-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request's identity.

    Attributes:
        trace: The trace it belongs to and the span that it is.
        request_id: Its id: the client's, if it is acceptable, or a new one.
    """

    trace: TraceParent
    request_id: str

    def headers(self, request_id_header: str) -> list[tuple[str, str]]:
        """What the answer carries, and what the next service should get."""
        return [(request_id_header, self.request_id), ("traceparent", str(self.trace))]

    def context(self, method: str, path: str) -> dict[str, Any]:
        """The values that every event below the request carries, beside its trace."""
        return {
            "request_id": self.request_id,
            "http_method": printable(method),
            "http_path": printable(path),
        }


def read_incoming(traceparents: Sequence[str], request_ids: Sequence[str], *, trust: bool) -> Incoming:
    """Accept what a request says of itself, or make it anew; OpenTelemetry's active span is joined.

    Args:
        traceparents: The values of its ``traceparent`` headers; more than one is invalid.
        request_ids: The values of its request id headers; the first counts.
        trust: Whether to look at them at all.
    """
    active = active_span()
    parent = parse_traceparent(traceparents[0]) if trust and len(traceparents) == 1 else None
    sent = request_ids[0].strip(" \t") if trust and request_ids else ""
    return Incoming(
        trace=active or (parent.child() if parent else TraceParent.new()),
        request_id=sent if is_request_id(sent) else str(uuid_utils.uuid4()),
    )


def is_request_id(text: str) -> bool:
    """Whether a text is acceptable as a request id."""
    return _REQUEST_ID.fullmatch(text) is not None


def printable(text: str) -> str:
    """Percent-encode a path which holds control or other unprintable characters."""
    return text if text.isprintable() else quote(text, errors="replace")
