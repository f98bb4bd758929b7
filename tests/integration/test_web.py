"""Requests carry their trace through web applications, threads and tasks, into every event."""

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse

import logweir
from logweir.context import extract, inject
from logweir.context.threads import submit_with_context
from logweir.event import Event
from logweir.integrations.asgi import ContextMiddleware
from logweir.integrations.stdlib import install_stdlib
from logweir.integrations.wsgi import ContextMiddleware as WsgiMiddleware
from logweir.sinks.memory import MemorySink

CONFIG: dict[str, Any] = {
    "sinks": {"out": {"type": "memory", "batch": {"linger": 0}}},
    "routes": [{"name": "all", "to": ["out"]}],
}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADERS = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "x-request-id": "r-17"}
log = structlog.get_logger()


@pytest.fixture(autouse=True)
def _structlog() -> None:
    logweir.configure_structlog()


def stored() -> dict[str, Event]:
    return {event.name: event for event in MemorySink.of("out").events.values()}


def make_app(**options: Any) -> FastAPI:
    app = FastAPI(lifespan=logweir.lifespan(CONFIG))
    app.add_middleware(ContextMiddleware, **options)

    def in_thread() -> None:
        log.info("thread")

    def later() -> None:
        log.info("background")

    async def lines() -> AsyncIterator[str]:
        log.info("streaming")
        yield "line\n"

    @app.get("/work")
    async def work(background: BackgroundTasks) -> str:
        log.info("endpoint")
        await asyncio.create_task(log.ainfo("task"))
        await asyncio.to_thread(in_thread)
        background.add_task(later)
        return "done"

    @app.get("/sync")
    def sync() -> str:
        log.info("sync endpoint")
        return "done"

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(lines())

    @app.get("/fails")
    async def fails() -> None:
        raise RuntimeError("boom")

    return app


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield client


async def test_everything_below_a_request_carries_its_trace() -> None:
    async with client_of(make_app()) as client:
        response = await client.get("/work", headers=HEADERS)
        assert (await client.get("/sync", headers=HEADERS)).status_code == 200
        assert (await client.get("/stream", headers=HEADERS)).text == "line\n"
    events = stored()
    expected = {"endpoint", "task", "thread", "background", "sync endpoint", "streaming", "http.request"}
    assert expected <= events.keys()
    for name in expected:
        assert events[name].trace_id == TRACE, name
        assert events[name].fields["request_id"] == "r-17", name
    assert events["http.request"].fields["http_status"] == 200
    assert response.headers["x-request-id"] == "r-17"
    assert response.headers["traceparent"].startswith(f"00-{TRACE}-")
    assert logweir.current() is None


async def test_requests_without_a_trace_get_one_each_and_strangers_are_not_trusted() -> None:
    async with client_of(make_app(trust_incoming=False)) as client:
        answers = [await client.get("/sync", headers=HEADERS) for _ in range(3)]
    traces = {answer.headers["traceparent"].split("-")[1] for answer in answers}
    assert len(traces) == 3
    assert TRACE not in traces


@pytest.mark.parametrize("hostile", ["a\tb", "x" * 500, "\u00fc", "a b;c"])
async def test_a_hostile_request_id_is_replaced(hostile: str) -> None:
    async with client_of(make_app()) as client:
        answer = await client.get("/sync", headers={"x-request-id": hostile.encode("utf-8")})  # type: ignore[dict-item]
    assert answer.headers["x-request-id"] != hostile


async def test_a_request_that_fails_is_logged_as_failed() -> None:
    async with client_of(make_app()) as client:
        assert (await client.get("/fails", headers=HEADERS)).status_code == 500
    event = stored()["http.request"]
    assert (event.level, event.fields["error_type"], event.trace_id) == ("error", "RuntimeError", TRACE)


async def test_context_ends_with_the_request() -> None:
    async with client_of(make_app()) as client:
        await client.get("/sync", headers=HEADERS)
        log.info("between requests")
    assert stored()["between requests"].trace_id is None


async def test_a_lifespan_of_ones_own_runs_inside() -> None:
    @asynccontextmanager
    async def own(_app: Any) -> AsyncIterator[dict[str, int]]:
        log.info("own start")
        yield {"answer": 42}
        log.info("own end")

    app = FastAPI(lifespan=logweir.lifespan(CONFIG, inner=own))
    async with app.router.lifespan_context(app) as state:
        assert state == {"answer": 42}
        assert app.state.logweir is logweir.current()
    assert list(stored()) == ["own start", "own end"]


@dataclasses.dataclass(frozen=True)
class Unreachable(Exception):
    """An exception that lets nobody write its traceback."""

    host: str


@pytest.mark.parametrize("runs_before", [False, True])
async def test_the_very_error_of_ones_own_lifespan_leaves_it(runs_before: bool) -> None:
    error = Unreachable("db")

    @asynccontextmanager
    async def own(_app: Any) -> AsyncIterator[None]:
        if True:
            raise error
        yield

    app = FastAPI(lifespan=logweir.lifespan(CONFIG, inner=own))
    async with logweir.running(CONFIG) if runs_before else contextlib.nullcontext():
        entered = app.router.lifespan_context(app)
        with pytest.raises(Unreachable) as caught:
            await entered.__aenter__()
    assert caught.value is error


async def test_the_very_error_of_a_request_leaves_its_middleware() -> None:
    error = Unreachable("db")

    async def application(_scope: Any, _receive: Any, _send: Any) -> None:
        raise error

    async def nothing(*_message: Any) -> Any:
        raise AssertionError

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
    with pytest.raises(Unreachable) as caught:
        await ContextMiddleware(application)(scope, nothing, nothing)
    assert caught.value is error


def test_a_wsgi_application_carries_its_trace_until_its_body_is_closed() -> None:
    def application(environ: Any, start_response: Any) -> Iterator[bytes]:
        log.info("wsgi")
        start_response("200 OK", [("Content-Type", "text/plain")])
        return body()

    def body() -> Iterator[bytes]:
        log.info("body")
        yield b"done"

    with logweir.running(CONFIG):
        transport = httpx.WSGITransport(app=WsgiMiddleware(application))
        with httpx.Client(transport=transport, base_url="http://test") as client:
            answer = client.get("/x", headers=HEADERS)
        log.info("after")
    events = stored()
    assert answer.headers["x-request-id"] == "r-17"
    assert {events[name].trace_id for name in ("wsgi", "body", "http.request")} == {TRACE}
    assert events["after"].trace_id is None


def test_stdlib_records_are_routed_with_their_extra_and_their_exception() -> None:
    root = logging.getLogger()
    with logweir.running(CONFIG):
        handler = install_stdlib("DEBUG")
        try:
            logging.getLogger("lib.part").warning("at %d %%", 91, extra={"host": "db1", "password": "p"})
            logging.getLogger("billing").info("paid", extra={"persist_db": True})
            logging.getLogger("uvicorn.error").info("uvicorn speaks")
            logging.getLogger("logweir").debug("its own voice")
            try:
                raise KeyError("x")
            except KeyError:
                logging.getLogger("lib").exception("broken")
        finally:
            root.removeHandler(handler)
            root.setLevel(logging.WARNING)
    events = stored()
    assert (events["at 91 %"].level, events["at 91 %"].fields) == (
        "warning",
        {"host": "db1", "password": "***", "logger": "lib.part"},
    )
    assert events["paid"].kind == "audit"
    assert events["broken"].fields["error_type"] == "KeyError"
    assert "uvicorn speaks" in events
    assert "its own voice" not in events


def test_a_chain_through_processor_formatter_is_routed_with_its_fields() -> None:
    structlog.configure(
        processors=[structlog.stdlib.add_log_level, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logweir.Handler()
    logger = logging.getLogger("formatted")
    logger.addHandler(handler)
    try:
        with logweir.running(CONFIG):
            structlog.get_logger("formatted").error("failed", order_id=3)
    finally:
        logger.removeHandler(handler)
    event = stored()["failed"]
    assert (event.level, event.fields) == ("error", {"order_id": 3, "logger": "formatted"})


def test_sqlalchemys_own_logs_are_routed() -> None:
    import sqlalchemy

    root = logging.getLogger()
    with logweir.running(CONFIG):
        handler = install_stdlib("INFO")
        logging.getLogger("sqlalchemy.engine").setLevel(logging.INFO)
        try:
            engine = sqlalchemy.create_engine("sqlite://")
            with engine.connect() as connection:
                connection.execute(sqlalchemy.text("SELECT 17"))
            engine.dispose()
        finally:
            logging.getLogger("sqlalchemy.engine").setLevel(logging.NOTSET)
            root.removeHandler(handler)
            root.setLevel(logging.WARNING)
    assert "SELECT 17" in stored()


def test_work_in_an_executor_carries_the_context_of_its_caller() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with logweir.running(CONFIG), ThreadPoolExecutor() as executor:
        with structlog.contextvars.bound_contextvars(trace_id=TRACE):
            future = submit_with_context(executor, log.info, "submitted")
        future.result()
    assert stored()["submitted"].trace_id == TRACE


def test_flask_carries_its_trace_and_answers_errors_with_it() -> None:
    from flask import Flask

    app = Flask("shop")
    app.wsgi_app = WsgiMiddleware(app.wsgi_app)  # type: ignore[method-assign]
    handler = logweir.Handler()
    app.logger.addHandler(handler)

    @app.get("/work")
    def work() -> str:
        structlog.contextvars.clear_contextvars()
        log.info("view")
        return "done"

    @app.get("/fails")
    def fails() -> str:
        raise RuntimeError("boom")

    try:
        with logweir.running(CONFIG):
            client = app.test_client()
            assert client.get("/work", headers=HEADERS).headers["x-request-id"] == "r-17"
            answer = client.get("/fails", headers=HEADERS, buffered=True)  # and closed, as a server does
    finally:
        app.logger.removeHandler(handler)
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "r-17")
    events = stored()
    record = events["Exception on /fails [GET]"]
    assert (record.trace_id, record.fields["error_type"]) == (TRACE, "RuntimeError")
    assert events["view"].trace_id == TRACE
    assert events["http.request"].fields["http_status"] == 500


def test_an_aiohttp_server_carries_its_trace_by_a_middleware_of_a_few_lines() -> None:
    @web.middleware
    async def context(request: web.Request, handler: Any) -> web.StreamResponse:
        with extract(request.headers, http_method=request.method, http_path=request.path):
            answer: web.StreamResponse = await handler(request)
            return answer

    async def work(request: web.Request) -> web.Response:
        log.info("handler")
        return web.Response(headers=inject())

    app = web.Application(middlewares=[context])
    app.router.add_get("/work", work)

    async def ask() -> str:
        async with TestClient(TestServer(app)) as client:
            answer = await client.get("/work", headers=HEADERS)
            return answer.headers["x-request-id"]

    with logweir.running(CONFIG):
        assert asyncio.run(ask()) == "r-17"
    event = stored()["handler"]
    assert (event.trace_id, event.fields["http_path"]) == (TRACE, "/work")
