"""OpenTelemetry, the real SDK: events carry the ids of the current span, on every road, and requests join it."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import logweir
from logweir.context.binding import bind, scope
from logweir.context.threads import submit_with_context
from logweir.context.trace import TraceParent, begin_trace, current_trace_id, current_traceparent
from logweir.event import Event
from logweir.integrations.asgi import ContextMiddleware
from logweir.integrations.wsgi import ContextMiddleware as WsgiMiddleware
from logweir.testing import Captured, capture

TRACER = TracerProvider().get_tracer("tests")
UNSAMPLED = TracerProvider(sampler=ALWAYS_OFF).get_tracer("tests")


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capture() as events:
        logweir.configure_structlog()
        yield events


def ids(span: trace.Span) -> tuple[str, str]:
    context = span.get_span_context()
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def ids_of(event: Event) -> tuple[str | None, str | None]:
    return event.trace_id, event.span_id


def by_handler() -> None:
    handler = logweir.Handler()
    handler.handle(logging.makeLogRecord({"name": "shop", "msg": "x", "levelno": 30}))


def by_own_chain() -> None:
    structlog.wrap_logger(None, processors=[logweir.RoutingProcessor()]).info("x")


def by_decorator() -> None:
    @logweir.audit_log("fund.transfer")
    def transfer(amount: int) -> int:
        return amount

    transfer(3)


def by_coroutine() -> None:
    asyncio.run(logweir.get_logger().ainfo("x", a=1))


def by_pool() -> None:
    with ThreadPoolExecutor(1) as pool:
        submit_with_context(pool, logweir.get_logger().info, "x").result()


ROADS: dict[str, Callable[[], object]] = {
    "structlog": lambda: logweir.get_logger().info("x", a=1),
    "bound": lambda: logweir.get_logger("shop").bind(a=1).info("x", b=2),
    "walked": lambda: logweir.get_logger().info("x", at={1: [2]}),
    "with a kind": lambda: logweir.get_logger().info("x", persist_db=True),
    "with an exception": lambda: logweir.get_logger().info("x", exc_info=ValueError("x")),
    "own chain": by_own_chain,
    "stdlib": by_handler,
    "coroutine": by_coroutine,
    "pool": by_pool,
    "audit": lambda: logweir.audit_sync("fund.transfer", user_id=1),
    "decorator": by_decorator,
    "explicit": lambda: logweir.audit_sync("fund.transfer", acknowledge="accepted"),
}


@pytest.mark.parametrize("road", ROADS)
def test_an_event_carries_the_ids_of_the_current_span_and_none_when_it_has_ended(
    road: str, captured: Captured
) -> None:
    log_it = ROADS[road]
    expected: list[tuple[str | None, str | None]] = []
    for _ in range(3):  # the first call of a place is looked at, later ones are known
        with TRACER.start_as_current_span("outer") as outer:
            log_it()
            with TRACER.start_as_current_span("inner") as inner:
                log_it()
            log_it()
        log_it()
        expected += [ids(outer), ids(inner), ids(outer), (None, None)]
    assert [ids_of(event) for event in captured.events] == expected


@pytest.mark.parametrize("road", ROADS)
def test_an_event_carries_the_flags_of_the_current_span_as_a_field(road: str, captured: Captured) -> None:
    for _ in range(3):
        for tracer in (TRACER, UNSAMPLED):
            with tracer.start_as_current_span("current") as span:
                ROADS[road]()
            assert captured.events[-1].fields["trace_flags"] == int(span.get_span_context().trace_flags)
        ROADS[road]()
        assert "trace_flags" not in captured.events[-1].fields


def test_flags_that_a_call_gives_are_its_own_and_rules_see_those_of_the_span() -> None:
    rule = {"kind": "audit", "match": {"field": {"name": "trace_flags", "in": [1, 3]}}}
    with capture(classify=[rule]) as captured:
        logweir.configure_structlog()
        with TRACER.start_as_current_span("current"):
            for _ in range(2):
                logweir.get_logger().info("x", trace_flags="mine")
                logweir.get_logger().info("y")
        assert [event.fields for event in captured.tracing] == [{"trace_flags": "mine"}] * 2
        assert [event.name for event in captured.audit] == ["y"] * 2


@pytest.mark.parametrize("road", ROADS)
def test_the_current_span_wins_over_the_context_and_a_call_over_the_span(
    road: str, captured: Captured
) -> None:
    with scope():
        begin_trace(TraceParent.new())
        for _ in range(2):
            with TRACER.start_as_current_span("inner") as inner:
                ROADS[road]()
            event = captured.events[-1]
            assert ids_of(event) == ids(inner)


@pytest.mark.parametrize(
    ("bound", "said"),
    [
        ({}, {"trace_id": "t1", "span_id": "s1"}),
        ({"trace_id": "t1", "span_id": "s1"}, {}),
        ({}, {"trace_id": "t1"}),
    ],
)
def test_ids_that_a_call_or_a_logger_gives_are_its_own(
    bound: dict[str, Any], said: dict[str, Any], captured: Captured
) -> None:
    log = logweir.get_logger().bind(**bound)
    for _ in range(3):
        with TRACER.start_as_current_span("current"):
            log.info("x", a=1, **said)
    for event in captured.events:
        assert ids_of(event) == ("t1", {**bound, **said}.get("span_id"))


def test_rules_see_the_ids_of_the_span() -> None:
    with TRACER.start_as_current_span("current") as span:
        rule = {"kind": "audit", "match": {"field": {"name": "trace_id", "equals": ids(span)[0]}}}
        with capture(classify=[rule]) as captured:
            logweir.configure_structlog()
            for _ in range(2):
                logweir.get_logger().info("x", a=1)
            assert len(captured.audit) == 2


def test_the_header_for_other_services_is_that_of_the_span() -> None:
    assert current_traceparent() is None
    with TRACER.start_as_current_span("a") as span:
        assert current_trace_id() == ids(span)[0]
        assert current_traceparent() == "00-{}-{}-03".format(*ids(span)) or "-01" in str(
            current_traceparent()
        )
    with UNSAMPLED.start_as_current_span("b") as span:
        assert str(current_traceparent())[:52] == "00-{}-{}".format(*ids(span))
        assert int(str(current_traceparent())[-2:], 16) & 1 == 0
    assert (current_trace_id(), current_traceparent()) == (None, None)


def test_the_parent_from_another_service_counts_before_a_span_of_our_own_begins(captured: Captured) -> None:
    remote = trace.SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=trace.TraceFlags(1))
    with trace.use_span(trace.NonRecordingSpan(remote)):
        logweir.get_logger().info("x")
    assert ids_of(captured.events[0]) == (f"{0xABC:032x}", f"{0xDEF:016x}")


def test_an_invalid_span_is_none(captured: Captured) -> None:
    with bind(trace_id="mine", span_id="too"), trace.use_span(trace.INVALID_SPAN):
        for _ in range(3):
            logweir.get_logger().info("x")
        assert current_trace_id() == "mine"
    assert {ids_of(event) for event in captured.events} == {("mine", "too")}


def test_a_span_that_cannot_be_read_costs_no_event(captured: Captured) -> None:
    class Broken(trace.NonRecordingSpan):
        def get_span_context(self) -> Any:
            raise RuntimeError("broken")

    with trace.use_span(Broken(trace.INVALID_SPAN_CONTEXT)):
        for _ in range(2):
            logweir.get_logger().info("x")
    assert [ids_of(event) for event in captured.events] == [(None, None)] * 2


async def test_an_explicit_row_carries_the_ids_of_the_current_span(tmp_path: Path) -> None:
    sink = {"type": "sqlite", "url": f"sqlite+aiosqlite:///{tmp_path}/a.db", "provision": True}
    config = {
        "data_dir": str(tmp_path / "data"),
        "sinks": {"audit": sink},
        "routes": [{"name": "all", "to": ["audit"]}],
    }
    async with logweir.running(config):
        with TRACER.start_as_current_span("current") as span:
            event = await logweir.LogService().create_audit_log(user_id=7, action="fund.transfer")
    assert ids_of(event) == ids(span)


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_request_joins_the_active_span(trusted: bool, captured: Captured) -> None:
    app = FastAPI()
    app.add_middleware(ContextMiddleware, trust_incoming=trusted)

    @app.get("/work")
    async def work() -> str:
        logweir.get_logger().info("endpoint")
        with TRACER.start_as_current_span("inner"):
            logweir.get_logger().info("inner")
        return "done"

    spans: list[trace.Span] = []

    async def instrumented(scope: Any, receive: Any, send: Any) -> None:
        with TRACER.start_as_current_span("server") as span:
            spans.append(span)
            await app(scope, receive, send)

    transport = httpx.ASGITransport(instrumented)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        sent = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
        answer = await client.get("/work", headers=sent)
    await logweir.aflush()
    (server,) = spans
    events = {event.name: event for event in captured.arrived}
    assert ids_of(events["endpoint"]) == ids_of(events["http.request"]) == ids(server)
    assert events["inner"].trace_id == ids(server)[0]
    assert events["inner"].span_id != ids(server)[1]
    assert answer.headers["traceparent"].startswith("00-{}-{}-".format(*ids(server)))


def test_a_request_of_wsgi_joins_the_active_span(captured: Captured) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        logweir.get_logger().info("endpoint")
        start_response("200 OK", [])
        return [b""]

    with TRACER.start_as_current_span("server") as span:
        body = WsgiMiddleware(app)({"PATH_INFO": "/"}, lambda status, headers: None)  # type: ignore[arg-type]
        list(body)
        body.close()  # type: ignore[attr-defined]
    assert [ids_of(event) for event in captured.events] == [ids(span)] * 2


def test_ids_that_opentelemetry_has_put_on_a_record_count_behind_a_queue(captured: Captured) -> None:
    attributes = {"otelTraceID": f"{7:032x}", "otelSpanID": f"{8:016x}", "otelTraceSampled": True}
    record = {"name": "shop", "msg": "x", "levelno": 30}
    logweir.Handler().handle(logging.makeLogRecord({**record, **attributes, "otelServiceName": "s"}))
    logweir.Handler().handle(logging.makeLogRecord({**record, "otelTraceID": "0", "otelSpanID": "0"}))
    first, second = captured.events
    assert ids_of(first) == (f"{7:032x}", f"{8:016x}")
    assert first.fields == {"logger": "shop", "trace_flags": 1, "otelServiceName": "s"}
    assert ids_of(second) == (None, None)


def test_nothing_of_opentelemetry_is_imported_where_it_is_not_used(tmp_path: Path) -> None:
    program = """
import sys
import logweir
from logweir.context.trace import current_traceparent
with logweir.running({"sinks": {"out": {"type": "memory"}}, "routes": [{"name": "all", "to": ["out"]}]}):
    logweir.configure_structlog()
    logweir.get_logger().info("x", a=1)
    logweir.audit_sync("x", acknowledge="accepted")
    current_traceparent()
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
