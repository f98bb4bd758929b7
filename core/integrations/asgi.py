"""ASGI middleware: every event below a request carries its trace, its request id, its method and its path.

Pure ASGI: it fits Starlette, FastAPI, Litestar, Quart and any other application, keeps streaming
responses and background tasks inside the context, and passes the lifespan through.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

from logweir.context.binding import enter_unit
from logweir.context.binding import scope as context_scope
from logweir.context.identity import mark_error
from logweir.context.incoming import Incoming, read_incoming
from logweir.integrations.access import is_usual_close, log_access, says_client_left
from logweir.integrations.starlette import identify_answers

__all__ = ["ContextMiddleware"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_EVENT_NAMES = {"http": "http.request", "websocket": "http.websocket"}
_RESPONSES = {"http.response.start", "websocket.accept", "websocket.http.response.start"}
_SWITCHING_PROTOCOLS = 101
_FORBIDDEN = 403
_NO_CODE = 1005


class ContextMiddleware:
    """Bind a request's identity to the context and send it back in the response's headers.

    Args:
        app: The application.
        request_id_header: The header that carries the request id, both ways.
        trust_incoming: Whether to accept the client's ``traceparent`` and request id, where they are well
            formed. Say False at the edge, where clients are strangers.
        access_log: Whether to log ``http.request`` (for websockets ``http.websocket``) at the end of each.
        exclude: Paths that the access log leaves out, such as health checks.
        clock: Nanoseconds, monotonic.
    """

    def __init__(
        self,
        app: App,
        *,
        request_id_header: str = "x-request-id",
        trust_incoming: bool = True,
        access_log: bool = True,
        exclude: Collection[str] = (),
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._app = app
        self._request_id_header = request_id_header.lower()
        self._trust = trust_incoming
        self._access_log = access_log
        self._exclude = frozenset(exclude)
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in _EVENT_NAMES:
            await self._app(scope, receive, send)
            return
        incoming = self._read(scope)
        headers = incoming.headers(self._request_id_header)
        exchange = _Exchange(receive, send, headers)
        if "app" in scope:
            identify_answers(scope["app"])
        with context_scope():
            enter_unit(incoming.trace, incoming.context(scope.get("method", "GET"), scope["path"]))
            try:
                await self._serve(scope, exchange)
            except Exception as error:
                if is_usual_close(error, exchange.websocket_code) or says_client_left(error):
                    return  # the application need not catch it; a server would log it as an error
                mark_error(error, incoming.trace, headers)
                raise

    async def _serve(self, scope: Scope, exchange: _Exchange) -> None:
        started = self._clock()
        failure: BaseException | None = None
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            failure = error
            raise
        finally:
            if self._access_log and scope["path"] not in self._exclude:
                log_access(
                    _EVENT_NAMES[scope["type"]],
                    status=exchange.status,
                    duration_ns=self._clock() - started,
                    error=failure,
                    websocket_code=exchange.websocket_code,
                    broken_off=exchange.broken_off,
                )

    def _read(self, scope: Scope) -> Incoming:
        traceparents: list[str] = []
        request_ids: list[str] = []
        wanted = self._request_id_header.encode("latin-1")
        for name, value in scope["headers"]:
            lowered = name.lower()
            if lowered == b"traceparent":
                traceparents.append(value.decode("latin-1"))
            elif lowered == wanted:
                request_ids.append(value.decode("latin-1"))
        return read_incoming(traceparents, request_ids, trust=self._trust)


class _Exchange:
    """Passes on what is received and sent, adds our headers, and remembers how it went.

    Attributes:
        status: Of the response, if one was begun.
        websocket_code: With what the client closed the websocket, if it did.
        broken_off: Whether the client left before it had sent the whole request.
    """

    def __init__(self, receive: Receive, send: Send, headers: list[tuple[str, str]]) -> None:
        self._receive = receive
        self._send = send
        self._headers = [(name.encode("latin-1"), value.encode("ascii")) for name, value in headers]
        self.status: int | None = None
        self.websocket_code: int | None = None
        self.broken_off = False
        self._more_comes = True

    async def receive(self) -> Message:
        message = await self._receive()
        kind = message["type"]
        if kind == "http.request":
            self._more_comes = message.get("more_body", False)
        elif kind == "http.disconnect":  # which comes behind the answer as well
            self.broken_off = self._more_comes and self.status is None
        elif kind == "websocket.disconnect":
            self.websocket_code = message.get("code", _NO_CODE)
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind in _RESPONSES:
            self.status = message.get("status", _SWITCHING_PROTOCOLS)
            message = {**message, "headers": self._with_ours(message.get("headers") or ())}
        elif kind == "websocket.close" and self.status is None:
            self.status = _FORBIDDEN
        await self._send(message)

    def _with_ours(self, theirs: Collection[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        theirs = list(theirs)  # it may be an iterator, and is read twice
        taken = {name.lower() for name, _ in theirs}
        return theirs + [header for header in self._headers if header[0] not in taken]
