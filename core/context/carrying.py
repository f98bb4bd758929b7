"""Carrying a trace beyond the process: into the headers of a request or a message, and out of them.

:func:`inject` writes what :func:`extract` reads: W3C's ``traceparent``, and the request id. The middleware
reads requests by the same rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, TypeVar, overload

from logweir.context.binding import enter_unit, scope
from logweir.context.blocks import block
from logweir.context.identity import bound_values
from logweir.context.incoming import REQUEST_ID_HEADER, is_request_id, read_incoming
from logweir.context.trace import current_traceparent

__all__ = ["extract", "inject"]

Headers = TypeVar("Headers", bound=MutableMapping[str, Any] | list[tuple[str, bytes]])


@overload
def inject(headers: None = None, *, request_id_header: str = ...) -> dict[str, str]: ...
@overload
def inject(headers: Headers, *, request_id_header: str = ...) -> Headers: ...


def inject(headers: Any = None, *, request_id_header: str = REQUEST_ID_HEADER) -> Any:
    """Write the trace and the request id of this place into headers; outside of a trace nothing is written.

    ::

        await client.post(url, headers=logweir.context.inject())
        await producer.send("orders", value, headers=logweir.context.inject([]))

    Args:
        headers: A mapping of text, or a list of pairs of text and bytes, as Kafka's clients have them; it is
            changed. What it has under these names is replaced. None makes a new mapping.
        request_id_header: The name of the header for the request id.

    Returns:
        The headers.
    """
    headers = {} if headers is None else headers
    request_id = bound_values().get("request_id")
    said = {
        "traceparent": current_traceparent(),
        request_id_header: request_id if isinstance(request_id, str) and is_request_id(request_id) else None,
    }
    for name, value in said.items():
        if value is None:
            continue
        if isinstance(headers, list):
            headers[:] = [pair for pair in headers if _text(pair[0]).lower() != name.lower()]
            headers.append((name, value.encode("ascii")))
        else:
            for other in [key for key in headers if key != name and _text(key).lower() == name.lower()]:
                del headers[other]
            headers[name] = value
    return headers


@block
def extract(
    headers: Mapping[Any, Any] | Iterable[tuple[Any, Any]] | None = None,
    *,
    request_id_header: str = REQUEST_ID_HEADER,
    trust: bool = True,
    **values: Any,
) -> Iterator[None]:
    """Work on a message within the trace that its headers carry; what is bound inside ends with the block.

    ::

        async for message in consumer:
            with logweir.context.extract(message.headers, topic=message.topic):
                await handle(message)

    Headers that are missing or malformed begin a new trace and a new request id. The trace survives
    structlog's ``clear_contextvars()``.

    Args:
        headers: A mapping or pairs; names and values are text or bytes.
        request_id_header: The name of the header with the request id.
        trust: Whether to look at the headers at all.
        values: What every event inside the block carries too.
    """
    traceparents: list[str] = []
    request_ids: list[str] = []
    wanted = {"traceparent": traceparents, request_id_header.lower(): request_ids}
    for name, value in _pairs(headers):
        found = wanted.get(_text(name).lower())
        if found is not None and isinstance(value, str | bytes):
            found.append(_text(value))
    incoming = read_incoming(traceparents, request_ids, trust=trust)
    with scope():
        enter_unit(incoming.trace, {"request_id": incoming.request_id, **values})
        yield


def _pairs(headers: Mapping[Any, Any] | Iterable[tuple[Any, Any]] | None) -> Iterable[tuple[Any, Any]]:
    if headers is None:
        return ()
    return headers.items() if isinstance(headers, Mapping) else headers


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
