"""Roads by which events of other loggers come to the handler: their fields stay fields, and each is taken once."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue
from typing import Any

import loguru
import pytest
import structlog
from structlog.processors import JSONRenderer, KeyValueRenderer
from structlog.stdlib import ProcessorFormatter

import logweir
from logweir.event import Event, Kind
from logweir.testing import Captured, capture

FIELDS = {"user": "bob", "items": [1, {"n": 2}], "paid": True, "none": None}


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capture() as events:
        yield events


@contextmanager
def root_handlers(*handlers: logging.Handler) -> Iterator[None]:
    root = logging.getLogger()
    before, root.handlers, level = root.handlers, list(handlers), root.level
    root.setLevel(0)
    try:
        yield
    finally:
        root.handlers = before
        root.setLevel(level)


def only(captured: Captured) -> Event:
    (event,) = captured.events
    return event


def configure(*processors: Any) -> Any:
    structlog.configure(
        processors=[structlog.stdlib.add_log_level, *processors],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    return structlog.get_logger("shop")


@contextmanager
def queued(formatter: logging.Formatter | None = None) -> Iterator[None]:
    """The standard library's queue, as its documentation has it, with our handler behind it."""
    records: Any = SimpleQueue()
    before = QueueHandler(records)
    if formatter is not None:
        before.setFormatter(formatter)
    listener = QueueListener(records, logweir.Handler())
    listener.start()
    try:
        with root_handlers(before):
            yield
    finally:
        listener.stop()


# -- QueueHandler -> QueueListener -----------------------------------------------------------------------


def test_extras_of_a_record_that_comes_by_a_queue_stay_fields(captured: Captured) -> None:
    with queued():
        logging.getLogger("shop").warning("paid %d", 3, extra=FIELDS)
    event = only(captured)
    assert (event.name, event.level, event.fields) == ("paid 3", "warning", {**FIELDS, "logger": "shop"})


@pytest.mark.parametrize("formatter", ["none", "json", "key-value", "console"])
def test_fields_of_structlog_that_come_by_a_queue_stay_fields(formatter: str, captured: Captured) -> None:
    renderer = {"json": JSONRenderer(), "key-value": KeyValueRenderer()}.get(formatter)
    last = renderer or structlog.dev.ConsoleRenderer(colors=False)
    chosen = ProcessorFormatter(processors=[ProcessorFormatter.remove_processors_meta, last])
    log = configure(ProcessorFormatter.wrap_for_formatter)
    with queued(None if formatter == "none" else chosen):
        log.warning("order.placed", **FIELDS)
    event = only(captured)
    assert (event.level, event.fields["logger"]) == ("warning", "shop")
    if formatter in {"none", "json"}:
        assert (event.name, event.fields) == ("order.placed", {**FIELDS, "logger": "shop"})
    else:  # what a renderer has made of it for people stays a text, whole
        assert "order.placed" in event.name
        assert "bob" in event.name


def test_values_that_no_text_stands_for_leave_the_text_whole(captured: Captured) -> None:
    log = configure(ProcessorFormatter.wrap_for_formatter)
    with queued():
        log.warning("order.placed", at=datetime(2026, 1, 2, tzinfo=UTC), user="bob")
    event = only(captured)
    assert "order.placed" in event.name
    assert "2026" in event.name


@pytest.mark.parametrize(
    "text", ['{"event": "fund.transfer", "persist_db": true}', "{'event': 'x', 'kind': 'audit'}"]
)
def test_a_text_that_looks_like_an_event_is_none_where_structlog_has_not_made_it(
    text: str, captured: Captured
) -> None:
    with queued():
        logging.getLogger("shop").warning(text)
    event = only(captured)
    assert (event.name, event.kind) == (text, Kind.TRACING)


# -- ProcessorFormatter ----------------------------------------------------------------------------------


def test_our_processor_in_a_formatter_takes_records_of_both_kinds_once(captured: Captured) -> None:
    stream = io.StringIO()
    formatter = ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), logweir.RoutingProcessor()],
        processors=[ProcessorFormatter.remove_processors_meta, KeyValueRenderer(sort_keys=True)],
    )
    handlers = [logging.StreamHandler(stream), logging.StreamHandler(stream)]
    for handler in handlers:
        handler.setFormatter(formatter)
    log = configure(logweir.RoutingProcessor(), ProcessorFormatter.wrap_for_formatter)
    with root_handlers(*handlers):
        log.warning("of structlog", a=1)
        logging.getLogger("library").error("of a %s", "library", extra={"b": 2})
    assert [(event.name, event.level, event.fields) for event in captured.events] == [
        ("of structlog", "warning", {"a": 1, "logger": "shop"}),
        ("of a library", "error", {"b": 2, "logger": "library"}),
    ]
    lines = stream.getvalue().splitlines()
    assert lines[0] == lines[1] == "a=1 event='of structlog' level='warning'"
    assert lines[2] == lines[3] == "b=2 event='of a library'"


# -- the handler behind a chain that routes by itself ----------------------------------------------------


@pytest.mark.parametrize("renderer", [ProcessorFormatter.wrap_for_formatter, JSONRenderer()])
def test_what_a_chain_has_routed_itself_is_not_taken_again_by_the_handler(
    renderer: Any, captured: Captured
) -> None:
    log = configure(logweir.RoutingProcessor(), renderer)
    with root_handlers(logweir.Handler()):
        log.warning("order.placed", a=1)
        logging.getLogger("shop").warning("by logging")
    assert captured.names() == ["order.placed", "by logging"]


def test_what_a_processor_logs_by_logging_in_such_a_chain_is_taken(captured: Captured) -> None:
    def chatty(_logger: Any, _method: str, event_dict: Any) -> Any:
        logging.getLogger("shop").warning("inside")
        return event_dict

    log = configure(logweir.RoutingProcessor(), chatty, JSONRenderer())
    with root_handlers(logweir.Handler()):
        log.warning("order.placed", a=1)
    assert captured.names() == ["order.placed", "inside"]


def test_the_handler_takes_what_a_chain_without_our_processor_gives(captured: Captured) -> None:
    logweir.RoutingProcessor()
    log = configure(ProcessorFormatter.wrap_for_formatter)
    with root_handlers(logweir.Handler()):
        log.warning("order.placed", a=1)
    assert only(captured).fields == {"a": 1, "logger": "shop"}


# -- loguru ----------------------------------------------------------------------------------------------


@contextmanager
def loguru_logger() -> Iterator[Any]:
    log = loguru.logger
    log.remove()
    number = log.add(logweir.Handler(), format=lambda _record: "{message}")
    try:
        yield log
    finally:
        log.remove(number)


def test_fields_of_loguru_stay_fields(captured: Captured) -> None:
    with loguru_logger() as log:
        log.bind(**FIELDS).success("paid {}", 3)
        log.bind(persist_db=True, logger="mine").warning("fund.refund", amount=5)
    first, second = captured.events
    assert (first.name, first.level) == ("paid 3", "info")
    assert first.fields == {**FIELDS, "logger": __name__}
    assert (second.name, second.kind, second.fields) == (
        "fund.refund",
        "audit",
        {"amount": 5, "logger": "mine"},
    )


def test_an_exception_of_loguru_is_that_of_the_event(captured: Captured) -> None:
    with loguru_logger() as log:
        try:
            raise LookupError("gone")
        except LookupError:
            log.exception("failed")
    event = only(captured)
    assert (event.name, event.level, event.fields["error_type"]) == ("failed", "error", "LookupError")
    assert event.fields["exception"].endswith("LookupError: gone")


def test_a_field_named_extra_of_the_standard_library_stays_one(captured: Captured) -> None:
    with root_handlers(logweir.Handler()):
        logging.getLogger("shop").warning("x", extra={"extra": {"a": 1}, "b": 2})
    assert only(captured).fields == {"extra": {"a": 1}, "b": 2, "logger": "shop"}
