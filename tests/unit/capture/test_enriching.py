"""``fields`` and ``enrich`` of routing.yaml: what every event gets, whichever road it comes by."""

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import structlog

import logweir
from logweir.capture.capture import Capture
from logweir.capture.enriching import Enrichers
from logweir.context.binding import bind
from logweir.errors import ConfigError
from logweir.testing import Captured, capture


def add_tenant(_logger: Any, _method: str, event_dict: Any) -> Any:
    event_dict["tenant"] = "acme"
    return event_dict


def seen_as(_logger: Any, method: str, event_dict: Any) -> Any:
    return {**event_dict, "seen": [method, event_dict["event"], sorted(event_dict)]}


def broken(_logger: Any, _method: str, event_dict: Any) -> Any:
    event_dict.clear()
    raise ValueError("a secret")


def drops(_logger: Any, _method: str, event_dict: Any) -> Any:
    raise structlog.DropEvent


def forgets(_logger: Any, _method: str, event_dict: Any) -> Any:
    event_dict["lost"] = True


def logs(_logger: Any, _method: str, event_dict: Any) -> Any:
    logweir.get_logger().info("from inside", a=1)
    return {**event_dict, "logged": True}


@pytest.fixture(autouse=True)
def _module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("shop_logs")
    for function in (add_tenant, seen_as, broken, drops, forgets, logs):
        setattr(module, function.__name__, function)
    module.number = 5  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "shop_logs", module)


@contextmanager
def logging_under(**settings: Any) -> Iterator[Captured]:
    with capture(**settings) as captured:
        logweir.configure_structlog()
        yield captured


def by_decorator() -> None:
    @logweir.audit_log("fund.transfer")
    def transfer() -> None:
        return

    transfer()


def by_thread() -> None:
    thread = threading.Thread(target=lambda: logweir.get_logger().info("x"))
    thread.start()
    thread.join()


ROADS: dict[str, Callable[[], object]] = {
    "structlog": lambda: logweir.get_logger().info("x", a=1),
    "bound": lambda: logweir.get_logger("shop", a=1).info("x"),
    "walked": lambda: logweir.get_logger().info("x", at={1: [2]}),
    "with a kind": lambda: logweir.get_logger().info("x", persist_db=True),
    "own chain": lambda: structlog.wrap_logger(None, processors=[logweir.RoutingProcessor()]).info("x"),
    "stdlib": lambda: logweir.Handler().handle(logging.makeLogRecord({"msg": "x", "levelno": 30})),
    "audit": lambda: logweir.audit_sync("fund.transfer", user_id=1),
    "decorator": by_decorator,
    "thread": by_thread,
}


@pytest.mark.parametrize("road", ROADS)
def test_every_event_gets_the_static_and_the_computed_fields(road: str) -> None:
    settings = {"fields": {"host": "h1", "zone": {"name": "b"}}, "enrich": ["shop_logs:add_tenant"]}
    with logging_under(**settings) as captured:
        for _ in range(3):
            ROADS[road]()
        assert len(captured.events) == 3
        for event in captured.events:
            assert (event.fields["host"], event.fields["zone"]) == ("h1", {"name": "b"})
            assert event.fields["tenant"] == "acme"


@pytest.mark.parametrize("road", ROADS)
def test_static_fields_alone_reach_every_event(road: str) -> None:
    with logging_under(fields={"host": "h1", "n": 3}) as captured:
        for _ in range(3):
            ROADS[road]()
        assert [(event.fields["host"], event.fields["n"]) for event in captured.events] == [("h1", 3)] * 3


async def test_explicit_rows_get_them_too(tmp_path: Path) -> None:
    sink = {"type": "sqlite", "url": f"sqlite+aiosqlite:///{tmp_path}/a.db", "provision": True}
    config = {
        "data_dir": str(tmp_path / "data"),
        "fields": {"host": "h1"},
        "enrich": ["shop_logs:add_tenant"],
        "sinks": {"audit": sink},
        "routes": [{"name": "all", "to": ["audit"]}],
    }
    async with logweir.running(config):
        event = await logweir.LogService().create_audit_log(user_id=7, action="fund.transfer")
    assert (event.fields["host"], event.fields["tenant"]) == ("h1", "acme")


def test_what_is_logged_wins_over_static_fields_and_secrets_are_masked_among_them() -> None:
    with logging_under(fields={"host": "h1", "password": "p"}) as captured:
        for _ in range(2):
            logweir.get_logger().info("x", host="mine")
            logweir.get_logger(host="bound").info("x")
            logweir.get_logger(host="bound").info("x", exc_info=ValueError("x"))
        hosts = [event.fields["host"] for event in captured.events]
        assert hosts == ["mine", "bound", "bound"] * 2
        assert {event.fields["password"] for event in captured.events} == {"***"}


def test_an_enricher_is_a_processor_of_structlogs() -> None:
    with logging_under(enrich=["shop_logs:seen_as", "structlog.processors:format_exc_info"]) as captured:
        logweir.get_logger("shop", a=1).warning("x", b=2)
        logweir.get_logger().warning("x", event="mine", seen="mine")
        first, second = captured.events
        assert first.fields["seen"] == ["warning", "x", ["a", "b", "event", "logger"]]
        assert (second.name, second.fields["event"]) == ("x", "mine")


@pytest.mark.parametrize("name", ["broken", "drops", "forgets"])
def test_an_enricher_that_fails_leaves_the_event_whole(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with (
        logging_under(enrich=[f"shop_logs:{name}", "shop_logs:add_tenant"]) as captured,
        caplog.at_level(logging.WARNING, "logweir"),
    ):
        logweir.get_logger(a=1).info("x", b=2)
        logweir.audit_sync("fund.transfer", user_id=1)
        first, second = captured.events
        assert logweir.metrics().enrich_errors == 2
    error = {"broken": "ValueError", "drops": "DropEvent", "forgets": "TypeError"}[name]
    expected = {"a": 1, "b": 2, "tenant": "acme", "enrich_error": f"shop_logs:{name}: {error}"}
    assert first.fields == expected
    assert (second.kind, second.fields["enrich_error"]) == ("audit", expected["enrich_error"])
    assert f"shop_logs:{name}" in caplog.text
    assert "secret" not in caplog.text


def test_what_an_enricher_logs_is_not_enriched_for_ever() -> None:
    with logging_under(enrich=["shop_logs:logs"]) as captured:
        logweir.get_logger().info("x")
        assert [(event.name, event.fields) for event in captured.events] == [
            ("from inside", {"a": 1}),
            ("x", {"logged": True}),
        ]


def test_a_slow_enricher_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    times = iter([0.0, 0.5])
    enrichers = Enrichers({"shop_logs:add_tenant": add_tenant}, clock=lambda: next(times))
    with caplog.at_level(logging.WARNING, "logweir"):
        assert enrichers("x", {"a": 1}, "info") == {"a": 1, "tenant": "acme"}
    assert "shop_logs:add_tenant takes longer than a millisecond" in caplog.text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"enrich": ["shop_logs:nothing"]}, "names no function"),
        ({"enrich": ["shop_logs:number"]}, "names no function but int"),
        ({"fields": {"trace_id": "x"}}, "trace_id"),
        ({"fields": {"persist_db": True}}, "persist_db"),
    ],
)
def test_what_cannot_be_is_refused_by_a_clear_message(settings: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message), logging_under(**settings):
        pass


def test_values_of_the_context_do_not_hide_what_the_call_says_to_an_enricher() -> None:
    with logging_under(enrich=["shop_logs:add_tenant"]) as captured, bind(user="bob"):
        logweir.get_logger().info("x", a=1)
        assert captured.events[0].fields == {"a": 1, "tenant": "acme", "user": "bob"}


def test_an_enriched_call_of_a_named_logger_is_looked_at_once_and_not_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rule = {"kind": "audit", "match": {"logger": "shop*"}}
    with logging_under(enrich=["shop_logs:add_tenant"], classify=[rule]) as captured:
        log = logweir.get_logger("shop.orders")
        for _ in range(5):
            log.info("x", a=1)
        in_general = Capture._in_general
        monkeypatch.setattr(Capture, "_in_general", None)  # nothing ordinary comes here
        log.info("x", a=1)
        monkeypatch.setattr(Capture, "_in_general", in_general)
        assert [event.fields for event in captured.audit] == [
            {"logger": "shop.orders", "a": 1, "tenant": "acme"}
        ] * 6
        log.info("x", a=1, logger="mine")
        assert captured.events[-1].fields == {"logger": "mine", "a": 1, "tenant": "acme"}
