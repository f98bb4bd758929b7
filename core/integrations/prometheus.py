"""Metrics inside the application: mounted as ASGI or WSGI, or in a registry of prometheus-client.

They need no ``metrics:`` in routing.yaml. With it, the applications answer for all processes of the service,
whichever of them is asked; a collector is always for its process alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from logweir.process.threads import in_thread
from logweir.runtime import current as runtime
from logweir.telemetry.prometheus import MetricsCollector, expose

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

__all__ = ["asgi_app", "collector", "wsgi_app"]

_Message = MutableMapping[str, Any]
_ASGIApp = Callable[
    [_Message, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]], Awaitable[None]
]


def collector() -> MetricsCollector:
    """Make a collector for a registry of your own: ``REGISTRY.register(collector())``.

    It yields nothing while no runtime is running.
    """
    return MetricsCollector(_current)


def asgi_app() -> _ASGIApp:
    """Make an ASGI application that answers with the metrics.

    In FastAPI or Starlette: ``app.mount("/metrics", asgi_app())``.
    """

    async def application(
        scope: _Message,
        _receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":
            return
        accept = b",".join(value for name, value in scope["headers"] if name == b"accept").decode("latin-1")
        status, body, content_type = await in_thread(lambda: _answer(accept))
        headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status.value, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return application


def wsgi_app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with the metrics; a WSGI application to be mounted at a path."""
    status, body, content_type = _answer(environ.get("HTTP_ACCEPT", ""))
    start_response(
        f"{status.value} {status.phrase}",
        [("Content-Type", content_type), ("Content-Length", str(len(body)))],
    )
    return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]


def _answer(accept: str) -> tuple[HTTPStatus, bytes, str]:
    running = runtime.current()
    if running is None:
        return HTTPStatus.SERVICE_UNAVAILABLE, b"logweir is not running\n", "text/plain; charset=utf-8"
    return HTTPStatus.OK, *expose(running.service_metrics(), accept)


def _current() -> Any:
    running = runtime.current()
    return None if running is None else running.metrics()
