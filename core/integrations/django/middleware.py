"""Django's middleware: every event below a request carries its trace, request id, method and path.

Put it first, so that all others are inside. Django answers errors of a view within it, so that its own record
of them (``django.request``) has the trace, and the answer the headers.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import FileResponse

from logweir.context.binding import enter_unit, scope
from logweir.context.blocks import block
from logweir.context.incoming import REQUEST_ID_HEADER, Incoming, read_incoming
from logweir.integrations.access import log_access

__all__ = ["ContextMiddleware"]

_ERROR = "_logweir_error"


class ContextMiddleware:
    """Bind a request's identity to the context and send it back in the response's headers.

    Its options are keys of ``settings.LOGWEIR``: ``request_id_header``, ``trust_incoming``, ``access_log``
    and ``exclude``, as those of :class:`logweir.integrations.asgi.ContextMiddleware`.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        options = getattr(settings, "LOGWEIR", {})
        self._get_response = get_response
        self._request_id_header: str = options.get("request_id_header", REQUEST_ID_HEADER)
        self._trust: bool = options.get("trust_incoming", True)
        self._access_log: bool = options.get("access_log", True)
        self._exclude = frozenset(options.get("exclude", ()))
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        """Serve one request."""
        if self._is_async:
            return self._serve_async(request)
        incoming = self._read(request)
        with self._unit(incoming, request), self._logged(request) as done:
            return self._finish(incoming, request, done(self._get_response(request)))

    async def _serve_async(self, request: Any) -> Any:
        incoming = self._read(request)
        with self._unit(incoming, request), self._logged(request) as done:
            awaited: Awaitable[Any] = self._get_response(request)
            return self._finish(incoming, request, done(await awaited))

    def process_exception(self, request: Any, exception: Exception) -> None:
        """Keep the error that a view has raised, for the access log."""
        setattr(request, _ERROR, exception)

    def _read(self, request: Any) -> Incoming:
        sent = [request.headers.get(name) for name in ("traceparent", self._request_id_header)]
        return read_incoming(*([] if value is None else [value] for value in sent), trust=self._trust)

    @block
    def _unit(self, incoming: Incoming, request: Any) -> Iterator[None]:
        with scope():
            enter_unit(incoming.trace, incoming.context(request.method or "GET", request.path))
            yield

    @contextmanager
    def _logged(self, request: Any) -> Iterator[Callable[[Any], Any]]:
        started, status, failure = time.perf_counter_ns(), None, None

        def done(response: Any) -> Any:
            nonlocal status
            status = response.status_code
            return response

        try:
            yield done
        except BaseException as error:  # cancelled; Django answers all others
            failure = error
            raise
        finally:
            if self._access_log and request.path not in self._exclude:
                log_access(
                    "http.request",
                    status=status,
                    duration_ns=time.perf_counter_ns() - started,
                    error=failure or getattr(request, _ERROR, None),
                )

    def _finish(self, incoming: Incoming, request: Any, response: Any) -> Any:
        for name, value in incoming.headers(self._request_id_header):
            response.headers.setdefault(name, value)
        # A file is read by the server itself, where it can.
        if response.streaming and not isinstance(response, FileResponse):
            stream = self._stream_async if response.is_async else self._stream
            response.streaming_content = stream(incoming, request, response.streaming_content)
        return response

    def _stream(self, incoming: Incoming, request: Any, pieces: Iterator[bytes]) -> Iterator[bytes]:
        while True:
            with self._unit(incoming, request):  # the server asks for each piece outside of the middleware
                try:
                    piece = next(pieces)
                except StopIteration:
                    return
            yield piece

    async def _stream_async(
        self, incoming: Incoming, request: Any, pieces: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        while True:
            with self._unit(incoming, request):
                try:
                    piece = await anext(pieces)
                except StopAsyncIteration:
                    return
            yield piece
