"""Capturing events in users' tests."""

import logging

import pytest
import structlog

import logweir
from logweir.errors import LogweirError
from logweir.event import Kind
from logweir.testing import Captured, capture


def test_the_fixture_captures_what_is_logged(logweir_capture: Captured) -> None:
    logweir.configure_structlog()
    log = logweir.get_logger()
    log.info("tracing.event", amount=5, password="hunter22")
    log.info("audit.event", persist_db=True)
    assert logweir_capture.names() == ["tracing.event", "audit.event"]
    (tracing,) = logweir_capture.tracing
    (audit,) = logweir_capture.audit
    assert (tracing.name, tracing.fields["amount"], tracing.fields["password"]) == ("tracing.event", 5, "***")
    assert (audit.name, audit.kind) == ("audit.event", Kind.AUDIT)


async def test_asynchronous_tests_wait_without_blocking(logweir_capture: Captured) -> None:
    await logweir.audit("fund.transfer", user_id=7, amount=100)
    await logweir.aflush()
    (event,) = logweir_capture.arrived
    assert (event.name, event.fields["user_id"]) == ("fund.transfer", 7)


def test_rules_and_settings_are_those_of_routing_yaml() -> None:
    rule = {"kind": "audit", "match": {"event": "fund.*"}}
    with capture(classify=[rule], service="shop", redact={"keys": ["iban"]}) as captured:
        logweir.configure_structlog()
        logweir.get_logger().info("fund.transfer", iban="DE00")
        (event,) = captured.audit
    assert (event.service, event.fields["iban"]) == ("shop", "***")


def test_each_capture_begins_empty_and_can_be_read_afterwards() -> None:
    logweir.configure_structlog()
    for name in ("first", "second"):
        with capture() as captured:
            structlog.get_logger().info(name)
        assert [event.name for event in captured.arrived] == [name]


def test_the_runtime_is_stopped_even_if_the_test_fails() -> None:
    with pytest.raises(ZeroDivisionError), capture():
        raise ZeroDivisionError
    with capture():
        pass


def test_a_runtime_that_is_running_is_not_replaced(logweir_capture: Captured) -> None:
    with pytest.raises(LogweirError, match="a runtime is running; stop it before capturing"), capture():
        logging.getLogger(__name__).error("never reached")
