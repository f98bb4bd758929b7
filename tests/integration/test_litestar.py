"""Litestar: requests carry their trace by the middleware, around the application or among its own."""

import warnings
from typing import Any

import pytest

import logweir
from logweir.integrations.asgi import ContextMiddleware
from logweir.testing import Captured

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # releases of what it needs are ahead of it now and then
    from litestar import Litestar, WebSocket, get, websocket
    from litestar.exceptions import HTTPException
    from litestar.testing import TestClient

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADERS = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "x-request-id": "r-17"}
CONFIG = {"service": "shop", "sinks": {"out": {"type": "memory"}}, "routes": [{"name": "all", "to": ["out"]}]}
log = logweir.get_logger("shop")


@get("/work")
async def work() -> str:
    log.info("endpoint")
    return "done"


@get("/thread", sync_to_thread=True)
def thread() -> str:
    log.info("thread")
    return "done"


@get("/fails")
async def fails() -> str:
    raise RuntimeError("boom")


@get("/teapot")
async def teapot() -> str:
    raise HTTPException(status_code=418)


@websocket("/echo")
async def echo(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    while True:
        await socket.send_text(await socket.receive_text())


async def log_error(error: Exception, scope: Any) -> None:
    log.error("unhandled", exc_info=error)


def served(*, around: bool) -> Any:
    app = Litestar(
        [work, thread, fails, teapot, echo],
        lifespan=[logweir.lifespan(CONFIG)],
        middleware=[] if around else [ContextMiddleware],
        after_exception=[log_error],
        logging_config=None,
    )
    return ContextMiddleware(app) if around else app  # type: ignore[arg-type]


@pytest.mark.parametrize("around", [True, False])
def test_requests_of_litestar_carry_their_trace(around: bool, logweir_capture: Captured) -> None:
    logweir.configure_structlog()
    with TestClient(served(around=around), raise_server_exceptions=False) as client:
        paths = "/work", "/thread", "/fails", "/teapot"
        answers = {path: client.get(path, headers=HEADERS) for path in paths}
        with client.websocket_connect("/echo", headers=HEADERS) as connection:
            connection.send_text("hello")
            assert connection.receive_text() == "hello"
        unknown = client.get("/unknown", headers=HEADERS)

    assert [answer.status_code for answer in answers.values()] == [200, 200, 500, 418]
    for answer in answers.values():
        assert answer.headers["x-request-id"] == "r-17"
        assert answer.headers["traceparent"].startswith(f"00-{TRACE}-")
    assert ("x-request-id" in unknown.headers) is around  # among its own, only what is routed passes it

    events = logweir_capture.events
    assert {event.service for event in events} == {"shop"}
    for name, path in (("endpoint", "/work"), ("thread", "/thread"), ("unhandled", "/fails")):
        (event,) = [event for event in events if (event.name, event.fields.get("http_path")) == (name, path)]
        assert (event.trace_id, event.fields["request_id"]) == (TRACE, "r-17")
    requests = {event.fields["http_path"]: event for event in events if event.name == "http.request"}
    assert (requests["/fails"].level, requests["/fails"].fields["http_status"]) == ("error", 500)
    assert [requests[path].fields["http_status"] for path in ("/work", "/teapot")] == [200, 418]
    (closed,) = [event for event in events if event.name == "http.websocket"]
    assert (closed.level, closed.fields["websocket_code"]) == ("info", 1000)
