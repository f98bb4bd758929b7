"""What goes wrong in a web application keeps its trace: unhandled errors, cleared contexts, closed websockets."""

import asyncio
import logging
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import httpx
import pytest
import structlog
from fastapi import Depends, FastAPI, Request, Response, WebSocket
from starlette.responses import JSONResponse
from starlette.websockets import WebSocketDisconnect

import logweir
from logweir.context import current_traceparent
from logweir.event import Event
from logweir.integrations.asgi import ContextMiddleware
from logweir.integrations.stdlib import install_stdlib
from logweir.integrations.wsgi import ContextMiddleware as WsgiMiddleware
from logweir.sinks.memory import MemorySink

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # newer releases want another client beneath it
    from starlette.testclient import TestClient

CONFIG: dict[str, Any] = {
    "sinks": {"out": {"type": "memory", "batch": {"linger": 0}}},
    "routes": [{"name": "all", "to": ["out"]}],
}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADERS = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-03", "x-request-id": "r-17"}
log = structlog.get_logger()


@pytest.fixture(autouse=True)
def _structlog() -> None:
    logweir.configure_structlog()


@contextmanager
def served(app: FastAPI) -> Iterator[TestClient]:
    """A client of the application, which runs without a lifespan: its first request is its first call."""
    with logweir.running(CONFIG):
        yield TestClient(app, raise_server_exceptions=False)


def stored() -> dict[str, Event]:
    return {event.name: event for event in MemorySink.of("out").events.values()}


def failing(*, debug: bool = False) -> FastAPI:
    app = FastAPI(debug=debug)
    app.add_middleware(ContextMiddleware)

    @app.get("/fails")
    async def fails() -> None:
        raise RuntimeError("boom")

    return app


# -- clients that leave ----------------------------------------------------------------------------------


async def request(app: Any, *messages: dict[str, Any]) -> None:
    """One POST whose client sends these messages, and leaves."""
    waiting = [*messages, {"type": "http.disconnect"}]

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    async def send(_message: dict[str, Any]) -> None: ...

    headers = [(b"content-type", b"application/json"), (b"content-length", b"10")]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
    await app(
        {**scope, "http_version": "1.1", "scheme": "http", "client": None, "server": ("shop", 80)},
        receive,
        send,
    )


def part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


class _Wrapped(Exception):
    """As of an application that gives such an error a name of its own."""


def uploads(body: Any) -> FastAPI:
    app = FastAPI()
    app.add_middleware(ContextMiddleware)
    app.post("/")(body)
    return app


async def reads(request: Request) -> int:
    return len(await request.body())


async def parses(value: dict[str, Any]) -> int:
    return len(value)


async def wraps(request: Request) -> int:
    try:
        return len(await request.body())
    except Exception as error:
        raise _Wrapped from error


@pytest.mark.parametrize(
    ("body", "sent", "level", "status", "left"),
    [
        (reads, [part(b"123", more=True)], "warning", None, True),
        (reads, [], "warning", None, True),
        (parses, [part(b"{", more=True)], "warning", 400, True),
        (parses, [part(b"{", more=False)], "info", 422, None),
        (parses, [part(b"{}", more=False)], "info", 200, None),
        (wraps, [part(b"123", more=True)], "error", 500, True),
    ],
)
def test_a_client_that_leaves_in_an_upload_is_no_error_of_the_application(
    body: Any, sent: Any, level: str, status: int | None, left: bool | None
) -> None:
    with logweir.running(CONFIG), suppress(_Wrapped):
        asyncio.run(request(uploads(body), *sent))
    event = stored()["http.request"]
    assert (event.level, event.fields["http_status"], event.fields.get("client_disconnected")) == (
        level,
        status,
        left,
    )
    assert ("exception" in event.fields) is (status == 500)


# -- unhandled errors -------------------------------------------------------------------------------------


def assert_identified(answer: httpx.Response) -> None:
    assert answer.status_code == 500
    assert answer.headers.get_list("x-request-id") == ["r-17"]
    assert answer.headers["traceparent"].startswith(f"00-{TRACE}-")


@pytest.mark.parametrize("debug", [False, True])
def test_the_answer_to_an_unhandled_error_carries_its_request_id_and_its_trace(debug: bool) -> None:
    with served(failing(debug=debug)) as client:
        answer = client.get("/fails", headers=HEADERS)
        again = client.get("/fails", headers=HEADERS)
    assert_identified(answer)
    assert_identified(again)
    assert ("Traceback" if debug else "Internal Server Error") in answer.text


@pytest.mark.parametrize("sync", [False, True])
def test_a_handler_for_all_errors_answers_with_the_trace_and_logs_with_it(sync: bool) -> None:
    app, calls = failing(), []

    async def apologise(request: Request, error: Exception) -> Response:
        calls.append(current_traceparent())
        log.info("apology")
        return JSONResponse({"sorry": str(error)}, status_code=500)

    def apologise_sync(request: Request, error: Exception) -> Response:
        return asyncio.run(apologise(request, error))

    app.add_exception_handler(Exception, apologise_sync if sync else apologise)
    with served(app) as client:
        answer = client.get("/fails", headers=HEADERS)
    assert_identified(answer)
    assert answer.json() == {"sorry": "boom"}
    assert calls == [answer.headers["traceparent"]]
    assert (stored()["apology"].trace_id, stored()["apology"].fields["request_id"]) == (TRACE, "r-17")


def test_two_applications_of_one_middleware_keep_their_requests_apart() -> None:
    with served(failing()) as client:
        answers = [client.get("/fails") for _ in range(3)]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 3


def test_an_unhandled_error_has_the_status_that_the_server_answers() -> None:
    with served(failing()) as client:
        client.get("/fails", headers=HEADERS)
    fields = stored()["http.request"].fields
    assert (fields["http_status"], fields["error_type"]) == (500, "RuntimeError")


def test_what_a_server_logs_about_an_error_that_left_the_middleware_has_its_trace() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("boom")

    scope = {"type": "http", "method": "GET", "path": "/x"}
    raw = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

    async def serve() -> None:
        try:
            await ContextMiddleware(broken)({**scope, "headers": raw}, None, None)  # type: ignore[arg-type]
        except RuntimeError:
            logging.getLogger("some.server").exception("Exception in ASGI application")
            log.exception("seen by an outer middleware")
        log.info("afterwards")

    root = logging.getLogger()
    with logweir.running(CONFIG):
        handler = install_stdlib()
        try:
            asyncio.run(serve())
        finally:
            root.removeHandler(handler)
            root.setLevel(logging.WARNING)
    events = stored()
    for name in ("Exception in ASGI application", "seen by an outer middleware"):
        assert (events[name].trace_id, events[name].fields.get("request_id")) == (TRACE, "r-17"), name
        assert events[name].span_id == events["http.request"].span_id
    assert events["afterwards"].trace_id is None


def test_a_line_about_an_error_of_another_trace_stays_in_its_own() -> None:
    error = RuntimeError("kept for later")

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise error

    async def serve() -> None:
        scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
        with pytest.raises(RuntimeError):
            await ContextMiddleware(broken)(scope, None, None)  # type: ignore[arg-type]
        with structlog.contextvars.bound_contextvars(trace_id=TRACE):
            log.info("elsewhere", exc_info=error)

    with logweir.running(CONFIG):
        asyncio.run(serve())
    assert stored()["elsewhere"].trace_id == TRACE
    assert "request_id" not in stored()["elsewhere"].fields


def test_a_wsgi_application_that_fails_before_its_answer_has_status_500_and_after_it_its_own() -> None:
    def fails_first(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        raise RuntimeError("boom")

    def fails_later(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("202 Accepted", [])
        yield b"part"
        raise RuntimeError("boom")

    with logweir.running(CONFIG):
        for application in (fails_first, fails_later):
            transport = httpx.WSGITransport(app=WsgiMiddleware(application))
            with httpx.Client(transport=transport, base_url="http://test") as client:
                with pytest.raises(RuntimeError) as raised:
                    client.get(f"/{application.__name__}", headers=HEADERS)
                log.error("a server's line", exc_info=raised.value, of=application.__name__)
    requests = [event for event in MemorySink.of("out").events.values() if event.name == "http.request"]
    assert [event.fields["http_status"] for event in requests] == [500, 202]
    assert stored()["a server's line"].trace_id == TRACE


# -- clear_contextvars --------------------------------------------------------------------------------------


def clearing() -> FastAPI:
    app = FastAPI()

    @app.middleware("http")
    async def logging_middleware(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(client="someone")
        return await call_next(request)

    app.add_middleware(ContextMiddleware)

    @app.get("/work")
    async def work() -> str | None:
        log.info("cleared", user="u")
        logging.getLogger("cleared.stdlib").info("cleared too")
        await asyncio.to_thread(log.info, "in a thread")
        with structlog.contextvars.bound_contextvars(trace_id="f" * 32):
            log.info("bound anew")
        return current_traceparent()

    return app


def test_structlogs_clear_contextvars_inside_the_middleware_leaves_the_trace() -> None:
    root = logging.getLogger()
    with served(clearing()) as client:
        handler = install_stdlib()
        try:
            answer = client.get("/work", headers=HEADERS)
        finally:
            root.removeHandler(handler)
            root.setLevel(logging.WARNING)
        log.info("after the request")
    events = stored()
    for name in ("cleared", "cleared too", "in a thread", "http.request"):
        event = events[name]
        assert (event.trace_id, event.fields["request_id"]) == (TRACE, "r-17"), name
        assert event.fields["http_path"] == "/work"
        assert event.span_id is not None
    assert events["cleared"].fields["client"] == "someone"
    assert answer.json() == answer.headers["traceparent"]
    assert events["bound anew"].trace_id == "f" * 32
    assert events["after the request"].trace_id is None


def test_a_cleared_wsgi_request_keeps_its_trace() -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        structlog.contextvars.clear_contextvars()
        log.info("cleared")
        start_response("200 OK", [])
        return [b""]

    with logweir.running(CONFIG):
        transport = httpx.WSGITransport(app=WsgiMiddleware(application))
        with httpx.Client(transport=transport, base_url="http://test") as client:
            client.get("/x", headers=HEADERS)
    assert stored()["cleared"].trace_id == TRACE


# -- dependencies -------------------------------------------------------------------------------------------


def test_what_an_async_dependency_binds_is_in_the_endpoint_and_what_a_sync_one_binds_is_not() -> None:
    app = FastAPI()
    app.add_middleware(ContextMiddleware)

    def sync_user() -> None:
        structlog.contextvars.bind_contextvars(by_sync=1)
        log.info("sync dependency")

    async def async_user() -> None:
        structlog.contextvars.bind_contextvars(by_async=1)

    @app.get("/work", dependencies=[Depends(sync_user), Depends(async_user)])
    async def work() -> None:
        log.info("endpoint")

    with served(app) as client:
        client.get("/work", headers=HEADERS)
    events = stored()
    assert events["sync dependency"].trace_id == TRACE
    assert events["endpoint"].fields.keys() & {"by_sync", "by_async"} == {"by_async"}


# -- websockets ---------------------------------------------------------------------------------------------


def chatting() -> FastAPI:
    app = FastAPI()
    app.add_middleware(ContextMiddleware)

    @app.websocket("/echo")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        while True:
            text = await socket.receive_text()
            if text == "fail":
                raise RuntimeError("boom")
            await socket.send_text(text)

    return app


def chat(text: str, *, code: int) -> None:
    """Say something, and close the websocket; the test client raises what the application did."""
    with served(chatting()) as client, client.websocket_connect("/echo", headers=HEADERS) as socket:
        socket.send_text(text)
        socket.receive_text()
        socket.close(code)


@pytest.mark.parametrize(
    ("code", "level"), [(1000, "info"), (1001, "info"), (1005, "info"), (1006, "warning"), (1011, "warning")]
)
def test_a_websocket_that_its_client_closes_is_no_error(code: int, level: str) -> None:
    with nullcontext() if level == "info" else pytest.raises(WebSocketDisconnect):
        chat("hello", code=code)
    event = stored()["http.websocket"]
    assert (event.level, event.fields["websocket_code"], event.fields["http_status"]) == (level, code, 101)
    assert "exception" not in event.fields
    assert event.trace_id == TRACE


def test_a_websocket_whose_application_fails_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="boom"):
        chat("fail", code=1000)
    event = stored()["http.websocket"]
    assert (event.level, event.fields["http_status"]) == ("error", 101)
    assert event.fields["error_type"] == "RuntimeError"
