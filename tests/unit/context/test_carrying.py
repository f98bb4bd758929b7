"""What inject writes, extract reads: a trace and a request id go along with a message."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from structlog.contextvars import get_contextvars

from logweir.context import current_trace_id, current_traceparent, extract, inject

TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADERS = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "x-request-id": "r-17"}


def test_what_is_injected_is_extracted_elsewhere():
    with extract(HEADERS):
        headers = inject({"other": "kept"})
        sent = current_traceparent()
    assert headers == {"other": "kept", "traceparent": sent, "x-request-id": "r-17"}
    with extract(headers, topic="orders"):
        assert current_trace_id() == TRACE
        assert current_traceparent() != sent, "the consumer's work is a span of its own"
        assert (get_contextvars()["request_id"], get_contextvars()["topic"]) == ("r-17", "orders")
    assert get_contextvars() == {}


def test_outside_of_a_trace_nothing_is_injected():
    assert inject() == {}
    assert inject([]) == []


@pytest.mark.parametrize(
    "headers",
    [
        [(name, value.encode()) for name, value in HEADERS.items()],
        [(name.title().encode(), value.encode()) for name, value in HEADERS.items()],
        {name.upper(): value for name, value in HEADERS.items()},
        {**HEADERS, "n": 1, "none": None},
    ],
)
def test_headers_are_read_as_clients_have_them(headers: Any):
    with extract(headers):
        assert (current_trace_id(), get_contextvars()["request_id"]) == (TRACE, "r-17")


def test_a_message_that_is_sent_again_gets_the_trace_of_its_sender_once():
    with extract(HEADERS):
        listed = inject([("Traceparent", b"old"), ("k", b"v")])
        mapped = inject({"Traceparent": "old"})
    assert [name for name, _ in listed] == ["k", "traceparent", "x-request-id"]
    assert mapped.keys() == {"traceparent", "x-request-id"}
    assert mapped["traceparent"].encode() == listed[1][1]


@pytest.mark.parametrize(
    "headers",
    [
        None,
        {},
        {"traceparent": "nonsense", "x-request-id": "a\nb"},
        {"traceparent": 7},
        {"traceparent": b"\xff"},
    ],
)
def test_headers_that_say_nothing_begin_a_trace(headers: Any):
    with extract(headers):
        assert current_trace_id() not in (None, TRACE)
        assert "\n" not in get_contextvars()["request_id"]


def test_a_stranger_is_not_trusted():
    with extract(HEADERS, trust=False):
        assert current_trace_id() != TRACE


def test_the_header_of_the_request_id_may_have_another_name():
    with extract({"correlation-id": "c-1"}, request_id_header="Correlation-Id"):
        assert inject(request_id_header="correlation-id")["correlation-id"] == "c-1"


def test_what_was_cleared_is_injected_all_the_same():
    with extract(HEADERS):
        structlog.contextvars.clear_contextvars()
        assert inject()["traceparent"].split("-")[1] == TRACE


def test_a_unit_of_work_inside_another_ends_with_its_block():
    with extract(HEADERS):
        with extract({}):
            structlog.contextvars.clear_contextvars()
            assert current_trace_id() != TRACE
        assert (current_trace_id(), inject()["x-request-id"]) == (TRACE, "r-17")
    assert inject() == {}
