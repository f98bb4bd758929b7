"""The access log: one tracing event at the end of every request, shared by ASGI and WSGI."""

from __future__ import annotations

from typing import Any

from logweir.event import Kind
from logweir.runtime import current as runtime

__all__ = ["is_usual_close", "log_access", "says_client_left"]

_SERVER_ERROR = 500
#: Closed by the client because it was done, because its page was left, or without a word.
_USUAL_CLOSES = frozenset({1000, 1001, 1005})
#: By name, so that no framework is imported for it.
_SAY_CLIENT_LEFT = {
    ("starlette.requests", "ClientDisconnect"),
    ("django.http.request", "UnreadablePostError"),
    ("django.core.exceptions", "RequestAborted"),
}
_NANOS_PER_MS = 1_000_000


def log_access(
    name: str,
    *,
    status: int | None,
    duration_ns: int,
    error: BaseException | None = None,
    websocket_code: int | None = None,
    broken_off: bool = False,
) -> None:
    """Emit the event of one request; method and path come from the context.

    Args:
        name: The event's name.
        status: The response's status code, if a response was begun; after an error without one it is 500,
            which is what the server answers.
        duration_ns: From the first byte of the request to the last of the response.
        error: What the application raised, if it did; the event has level ``error`` then. That the client has
            left in the middle of its request or of the answer is no error of the application.
        websocket_code: With what the client closed the websocket, if it did; that is no error of the
            application, and neither is the exception by which it hears of it.
        broken_off: Whether the client left before it had sent the whole request.
    """
    current = runtime.current() or runtime.stand_in()
    level = _level(status, error)
    if says_client_left(error) or (broken_off and error is None):
        level, error, broken_off = "warning", None, True
    if websocket_code is not None and (error is None or _says_closed(error, websocket_code)):
        level = "info" if websocket_code in _USUAL_CLOSES else "warning"
        error = None
    elif status is None and isinstance(error, Exception):
        status = _SERVER_ERROR
    fields: dict[str, Any] = {"http_status": status, "duration_ms": round(duration_ns / _NANOS_PER_MS, 3)}
    if websocket_code is not None:
        fields["websocket_code"] = websocket_code
    if broken_off:
        fields["client_disconnected"] = True
    if error is not None:
        fields["exc_info"] = error
    current.emit(name, fields, level=level, kind=Kind.TRACING)


def is_usual_close(error: BaseException, websocket_code: int | None) -> bool:
    """Whether an error says no more than that the client has closed the websocket, as clients do."""
    return websocket_code in _USUAL_CLOSES and _says_closed(error, websocket_code)


def says_client_left(error: BaseException | None) -> bool:
    """Whether an error says no more than that the client has left, as some of the frameworks' do."""
    return any((parent.__module__, parent.__name__) in _SAY_CLIENT_LEFT for parent in type(error).__mro__)


def _says_closed(error: BaseException, websocket_code: int | None) -> bool:
    # The frameworks' exceptions for it have nothing else in common.
    return getattr(error, "code", None) == websocket_code


def _level(status: int | None, error: BaseException | None) -> str:
    if error is not None and not isinstance(error, Exception):
        return "warning"  # cancelled: the client left, or the server is stopping
    failed = error is not None or status is None or status >= _SERVER_ERROR
    return "error" if failed else "info"
