"""``logweir_capture`` beside an application that starts logweir itself: what it logs is captured, nothing is delivered."""

import asyncio
import logging
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import logweir
from logweir import LogService, audit
from logweir.integrations.asgi import ContextMiddleware
from logweir.sinks.memory import MemorySink
from logweir.testing import Captured, capture

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # newer releases want another client beneath it
    from starlette.testclient import TestClient

ROUTING = """\
service: shop
classify: [{kind: audit, match: {event: "fund.*"}}]
redact: {keys: [iban]}
metrics: {port: 1}
audit: {chain: true}
sinks:
  audit_db: {type: sqlite, url: "sqlite+aiosqlite:///real.db", provision: true}
  logs: {type: file, path: real.jsonl}
routes:
  - {name: audit, match: {kind: audit}, to: [audit_db]}
  - {name: rest, match: {kind: tracing}, to: [logs], sample: 0}
"""


@pytest.fixture(autouse=True)
def _routing() -> None:
    Path("routing.yaml").write_text(ROUTING)
    logweir.configure_structlog()


async def transfer(_request: Any) -> PlainTextResponse:
    logweir.get_logger().info("fund.transfer", amount=5, iban="DE00 1234")
    logweir.get_logger().info("cache.hit")
    logging.getLogger("shop").warning("from logging")
    await audit("permission.granted", user_id=7)
    return PlainTextResponse("done")


def application(kind: Any, lifespan: Any) -> Any:
    app = kind(lifespan=lifespan, routes=[Route("/transfer", transfer)])
    app.add_middleware(ContextMiddleware)
    return app


@asynccontextmanager
async def own_lifespan(_app: Any) -> AsyncIterator[None]:
    """As people write one who do not know ours."""
    await asyncio.to_thread(logweir.start, "routing.yaml")
    logweir.get_logger().info("begun")
    yield
    await asyncio.to_thread(logweir.stop)


@asynccontextmanager
async def running_lifespan(_app: Any) -> AsyncIterator[None]:
    async with logweir.running("routing.yaml"):
        logweir.get_logger().info("begun")
        yield


@asynccontextmanager
async def inner_lifespan(_app: Any) -> AsyncIterator[None]:
    logweir.get_logger().info("begun")
    yield


LIFESPANS = {
    "ours": lambda: logweir.lifespan("routing.yaml", inner=inner_lifespan),
    "of one's own": lambda: own_lifespan,
    "with running": lambda: running_lifespan,
}


@pytest.mark.parametrize("kind", [FastAPI, Starlette])
@pytest.mark.parametrize("lifespan", LIFESPANS)
def test_what_an_application_logs_is_captured_by_its_own_rules_and_nothing_is_delivered(
    kind: Any, lifespan: str, logweir_capture: Captured
) -> None:
    app = application(kind, LIFESPANS[lifespan]())
    logweir.get_logger().info("before the start")
    for _ in range(2):  # an application may be started again in one test
        with TestClient(app) as client:
            assert client.get("/transfer", headers={"x-request-id": "r-17"}).text == "done"
    assert logweir_capture.names().count("begun") == 2
    assert logweir_capture.names()[0] == "before the start"
    audit = [event for event in logweir_capture.audit if event.fields["request_id"] == "r-17"]
    assert [event.name for event in audit] == ["fund.transfer", "permission.granted"] * 2
    assert (audit[0].service, audit[0].fields["iban"]) == ("shop", "***")
    assert "cache.hit" in logweir_capture.names()  # whatever its routes sample
    assert not list(Path().glob("real*"))
    assert not Path(".logweir").exists()


def test_what_a_capture_is_given_counts_before_what_the_application_says() -> None:
    with capture(service="test", classify=[{"kind": "audit", "match": {"event": "cache.*"}}]) as captured:
        with TestClient(application(FastAPI, logweir.lifespan("routing.yaml"))) as client:
            client.get("/transfer")
        assert "cache.hit" in {event.name for event in captured.audit}
        assert {event.service for event in captured.events} == {"test"}


def test_a_reload_is_captured_too(logweir_capture: Captured) -> None:
    logweir.start("routing.yaml")
    logweir.get_logger().info("before")
    Path("routing.yaml").write_text(ROUTING.replace("shop", "store"))
    logweir.reload()
    logweir.get_logger().info("after")
    assert [(event.name, event.service) for event in logweir_capture.events] == [
        ("before", "shop"),
        ("after", "store"),
    ]
    assert not list(Path().glob("real*"))


def test_the_next_start_behind_a_capture_is_a_real_one() -> None:
    with capture() as captured:
        logweir.start("routing.yaml")
        logweir.stop()
    config = {"sinks": {"logs": {"type": "memory"}}, "routes": [{"name": "all", "to": ["logs"]}]}
    with logweir.running(config):
        logweir.get_logger().info("real")
        logweir.flush()
        assert [event.name for event in MemorySink.of("logs").events.values()] == ["real"]
    assert captured.names() == []


async def test_rows_of_a_service_are_captured_when_their_transaction_commits(
    logweir_capture: Captured,
) -> None:
    await asyncio.to_thread(logweir.start, "routing.yaml")
    engine = create_async_engine("sqlite+aiosqlite:///business.db")
    async with AsyncSession(engine) as session:
        service = LogService(session, sink="audit_db")
        await service.create_audit_log(user_id=7, action="fund.transfer", amount=5)
        assert logweir_capture.arrived == []
        await session.commit()
        assert [event.name for event in logweir_capture.arrived] == ["fund.transfer"]
        await service.create_audit_log(user_id=7, action="fund.refund", amount=5)
        await session.rollback()
        await session.execute(text("SELECT 1"))
        await session.commit()
    await LogService().create_audit_log(user_id=7, action="fund.closed")
    await engine.dispose()
    assert [event.name for event in logweir_capture.arrived] == ["fund.transfer", "fund.closed"]


def test_rows_in_a_synchronous_session_are_captured(logweir_capture: Captured) -> None:
    engine = create_engine("sqlite:///business.db")
    with Session(engine) as session, session.begin():
        LogService(session).create_audit_log_sync(user_id=7, action="fund.transfer")
    engine.dispose()
    assert logweir_capture.names() == ["fund.transfer"]


def test_a_wrong_routing_file_of_the_application_still_fails_its_start(logweir_capture: Captured) -> None:
    Path("routing.yaml").write_text("sinks: {}\n")
    with (
        pytest.raises(logweir.errors.ConfigError),
        TestClient(application(FastAPI, logweir.lifespan("routing.yaml"))),
    ):
        raise AssertionError("never reached")
    logweir.get_logger().info("still captured")
    assert logweir_capture.names() == ["still captured"]
