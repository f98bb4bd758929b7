"""WSGI middleware: every event below a request carries its trace, its request id, its method and its path.

The application runs in a context of its own, from the call to the last piece of the body and its
``close``; so nothing of a request can leak into the next one on the same thread, whatever the server does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from logweir.context.binding import enter_unit
from logweir.context.identity import mark_error
from logweir.context.incoming import Incoming, read_incoming
from logweir.context.trace import TraceParent
from logweir.integrations.access import log_access

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["ContextMiddleware"]


class ContextMiddleware:
    """Bind a request's identity to the context and send it back in the response's headers.

    Args:
        app: The application.
        request_id_header: The header that carries the request id, both ways.
        trust_incoming: Whether to accept the client's ``traceparent`` and request id, where they are well
            formed. Say False at the edge, where clients are strangers.
        access_log: Whether to log ``http.request`` at the end of each request.
        exclude: Paths that the access log leaves out, such as health checks.
        clock: Nanoseconds, monotonic.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        request_id_header: str = "x-request-id",
        trust_incoming: bool = True,
        access_log: bool = True,
        exclude: Collection[str] = (),
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._app = app
        self._request_id_header = request_id_header
        self._environ_key = "HTTP_" + request_id_header.upper().replace("-", "_")
        self._trust = trust_incoming
        self._access_log = access_log
        self._exclude = frozenset(exclude)
        self._clock = clock

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        incoming = self._read(environ)
        path = _path(environ)
        context = copy_context()
        context.run(enter_unit, incoming.trace, incoming.context(environ.get("REQUEST_METHOD", "GET"), path))
        logs = self._access_log and path not in self._exclude
        headers = incoming.headers(self._request_id_header)
        request = _Request(context, start_response, incoming.trace, headers, self._clock, logs)
        return request.begin(self._app, environ)

    def _read(self, environ: WSGIEnvironment) -> Incoming:
        return read_incoming(
            _header(environ, "HTTP_TRACEPARENT"), _header(environ, self._environ_key), trust=self._trust
        )


def _header(environ: WSGIEnvironment, key: str) -> list[str]:
    value = environ.get(key)
    return [] if value is None else [str(value)]


def _path(environ: WSGIEnvironment) -> str:
    """The path without the query; WSGI hands over its bytes as latin-1."""
    raw = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
    return raw.encode("latin-1", "replace").decode("utf-8", "replace")


class _Request:
    """One request, from the call of the application to the end of its body."""

    def __init__(
        self,
        context: Context,
        start_response: StartResponse,
        trace: TraceParent,
        headers: list[tuple[str, str]],
        clock: Callable[[], int],
        logs: bool,
    ) -> None:
        self._run = context.run
        self._start_response = start_response
        self._trace = trace
        self._headers = headers
        self._clock = clock
        self._logs = logs
        self._status: int | None = None
        self.begun = False
        self._started = clock()
        self._ended = False

    def begin(self, app: WSGIApplication, environ: WSGIEnvironment) -> Iterable[bytes]:
        """Call the application."""
        try:
            return _Body(self, self._run(app, environ, self.start_response))
        except BaseException as error:
            self.end(error)
            raise

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Any:
        """Add our headers and remember the status; an ``exc_info`` goes on to the server."""
        code = status[:3]
        self._status = int(code) if code.isdigit() else None
        taken = {name.lower() for name, _ in headers}
        ours = [header for header in self._headers if header[0].lower() not in taken]
        if exc_info is None:
            return self._start_response(status, [*headers, *ours])
        return self._start_response(status, [*headers, *ours], exc_info)

    def within(self, step: Callable[..., Any], *args: Any) -> Any:
        """Run one step of the application in the request's context."""
        return self._run(step, *args)

    def end(self, error: BaseException | None = None) -> None:
        """Log the request, once."""
        if isinstance(error, Exception):
            self._run(mark_error, error, self._trace, self._headers)
            if not self.begun:
                self._status = None  # the server has sent nothing of it yet, and answers by itself
        if self._ended:
            return
        self._ended = True  # first: logging may fail, and the server closes the body in any case
        if self._logs:
            duration = self._clock() - self._started
            self._run(
                lambda: log_access("http.request", status=self._status, duration_ns=duration, error=error)
            )


class _Body:
    """The application's body; each piece of it is made in the request's context."""

    def __init__(self, request: _Request, body: Iterable[bytes]) -> None:
        self._request = request
        self._body = body
        self._iterator: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            if self._iterator is None:
                self._iterator = self._request.within(iter, self._body)
            piece: bytes = self._request.within(next, self._iterator)
        except StopIteration:
            raise
        except BaseException as error:
            self._request.end(error)
            raise
        self._request.begun = self._request.begun or bool(piece)  # the first bytes send the headers
        return piece

    def close(self) -> None:
        """Close the application's body, and end the request."""
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                self._request.within(close)
        except BaseException as error:
            self._request.end(error)
            raise
        self._request.end()
