"""The handler of the standard library's logging: no record raises, and all that a record has is stored."""

import copy
import gc
import logging
import logging.config
import pickle
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

import logweir
from logweir.event import Event, Kind
from logweir.integrations.stdlib import install_stdlib
from logweir.testing import Captured, capture


class Silent:
    """An object without a text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class Lying:
    """An object that has no class to show."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("no class")

    def __str__(self) -> str:
        return "lying"


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capture() as events:
        yield events


@pytest.fixture
def logger(captured: Captured) -> logging.Logger:
    """A logger that pytest does not know, whose own handlers raise for what does not fit."""
    logger = logging.Logger("shop.orders", logging.DEBUG)  # noqa: LOG001 - see above
    logger.addHandler(logweir.Handler())
    return logger


def only(captured: Captured) -> Event:
    (event,) = captured.events
    return event


# -- messages with arguments -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "args", "kept"),
    [
        ("user logged in", ("bob",), ["bob"]),
        ("a %s %s", (1,), [1]),
        ("id %d", ("x",), ["x"]),
        ("%(name)s", ({"other": 1},), {"other": 1}),
        ("hello", ({"who": "bob"},), {"who": "bob"}),
        ("%s and %s", (Silent(), "b"), ["<unprintable Silent>", "b"]),
        ("%q", (1,), [1]),
    ],
)
def test_c3_arguments_that_do_not_fit_the_message_are_kept_beside_it(
    message: str, args: Any, kept: Any, captured: Captured, logger: logging.Logger
) -> None:
    logger.info(message, *args, extra={"user": "ann"})
    event = only(captured)
    assert event.name == message
    assert event.fields.pop("message_error") in {"TypeError", "ValueError", "KeyError", "RuntimeError"}
    assert event.fields == {"user": "ann", "logger": "shop.orders", "message_args": kept}


def test_c3_what_does_not_fit_is_reported_once_and_hides_no_error(
    captured: Captured,
    logger: logging.Logger,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with caplog.at_level(logging.WARNING, "logweir"):
        try:
            raise ValueError("the real one")
        except ValueError:
            for _ in range(2):
                logger.exception("failed %s %s", "secret")  # noqa: PLE1206 - the fault that is tested
    first, second = captured.events
    assert first.fields["exception"] == second.fields["exception"]
    assert first.fields["exception"].endswith("ValueError: the real one")
    (message,) = [record.getMessage() for record in caplog.records if record.name == "logweir"]
    assert f"{__file__}:" in message
    assert "secret" not in message
    assert "secret" not in capsys.readouterr().err


class Braces(logging.LogRecord):
    """A record that formats its message in another way."""

    def getMessage(self) -> str:  # noqa: N802 - the name in logging
        return str(self.msg).format(*self.args or ())


@pytest.mark.parametrize(
    ("message", "args", "name", "kept"),
    [("a {}", ("b",), "a b", {}), ("a {}{}", ("b",), "a {}{}", {"message_args": ["b"]})],
)
def test_c3_records_that_format_in_another_way_do_so(
    message: str, args: Any, name: str, kept: Any, captured: Captured
) -> None:
    logweir.Handler().handle(Braces("x", 20, "file.py", 1, message, args, None))
    event = only(captured)
    event.fields.pop("message_error", None)
    assert (event.name, event.fields) == (name, {"logger": "x", **kept})


@pytest.mark.parametrize(
    "make", [Silent, Lying, lambda: None, lambda: {"a": 1}, lambda: {"event": Silent()}, lambda: b"x"]
)
def test_c3_any_object_may_be_the_message(make: Any, captured: Captured, logger: logging.Logger) -> None:
    logger.info(make())
    assert only(captured).fields == {"logger": "shop.orders"}


def test_c3_a_record_made_by_hand_may_hold_anything(captured: Captured) -> None:
    odd = {
        "levelno": "high",
        "threadName": 5,
        "args": Silent(),
        "created": "today",
        "exc_info": Silent(),
        "stack_info": Silent(),
        "a": 1,
    }
    logweir.Handler().handle(logging.makeLogRecord({"msg": "x", "name": Silent(), **odd}))
    event = only(captured)
    assert (event.name, event.level, event.fields["a"]) == ("x", "info", 1)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_c3_what_asks_the_program_to_stop_passes_and_the_next_record_is_stored(
    error: type[BaseException], captured: Captured, logger: logging.Logger
) -> None:
    class Exiting:
        def __str__(self) -> str:
            raise error

    with pytest.raises(error):
        logger.info("user %s", Exiting())
    with pytest.raises(error):
        logger.info("user", extra={"user": Exiting()})
    logger.info("next")
    assert captured.names() == ["next"]


def test_c3_a_filter_that_raises_loses_no_record(
    captured: Captured, logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_record: logging.LogRecord) -> bool:
        raise ZeroDivisionError

    logger.handlers[-1].addFilter(broken)
    with caplog.at_level(logging.WARNING, "logweir"):
        logger.info("x")
    assert captured.names() == ["x"]
    assert "a filter raised ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("written", ["info", "INFO", 20, "warn", "Fatal"])
def test_c3_levels_may_be_written_in_any_usual_way(written: Any, captured: Captured) -> None:
    number = {"info": 20, "INFO": 20, 20: 20, "warn": 30, "Fatal": 50}[written]
    handler = logweir.Handler(written)
    assert handler.level == number
    handler.setLevel(10)
    handler.setLevel(written)
    assert handler.level == number
    before = logging.getLogger().level
    root = install_stdlib(written)
    try:
        assert (root.level, logging.getLogger().level) == (number, number)
    finally:
        logging.getLogger().removeHandler(root)
        logging.getLogger().setLevel(before)


def test_c3_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="LOUD"):
        logweir.Handler("loud")


# -- names of ours ---------------------------------------------------------------------------------------


def test_c4_no_name_of_ours_makes_an_extra_vanish(captured: Captured, logger: logging.Logger) -> None:
    extra = {
        "level": "gold",
        "event": "mine",
        "kind": "gift",
        "self": 1,
        "exception": "text",
        "error_type": "mine",
        "stack": "text",
        "color_message": "red",
        "_name": "n",
        "_logger": "l",
        "_record": 1,
        "fields": {"a": 1},
        "persist_db": True,
    }
    try:
        raise ValueError("real")
    except ValueError:
        logger.exception("x", extra=extra, stack_info=True)
    event = only(captured)
    del extra["persist_db"]
    assert (event.name, event.kind, event.level) == ("x", Kind.AUDIT, "error")
    assert {name: event.fields[name] for name in extra} == extra
    assert event.fields["error_type#2"] == "ValueError"
    assert event.fields["exception#2"].endswith("ValueError: real")
    assert "test_stdlib.py" in event.fields["stack#2"]


def test_c4_an_event_dict_and_extras_of_the_same_names_are_both_stored(
    captured: Captured, logger: logging.Logger
) -> None:
    logger.warning({"event": "x", "a": 1, "level": "gold"}, extra={"a": 2, "b": 3})
    logger.warning({"event": "y", "level": "warning"})
    first, second = captured.events
    assert (first.name, first.level) == ("x", "warning")
    assert first.fields == {"a": 1, "level": "gold", "a#2": 2, "b": 3, "logger": "shop.orders"}
    assert (second.name, second.fields) == ("y", {"logger": "shop.orders"})


def test_c4_a_chain_into_the_standard_library_keeps_the_fields_too(
    captured: Captured,
) -> None:
    logger = logging.getLogger("shop.chained")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(logweir.Handler())
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    structlog.get_logger("shop.chained").info("x", kind="gift", _name="mine", color_message="red")
    event = only(captured)
    assert (event.name, event.level) == ("x", "info")
    assert event.fields == {"kind": "gift", "_name": "mine", "color_message": "red", "logger": "shop.chained"}


# -- copies ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda handler: pickle.loads(pickle.dumps(handler))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_c8_a_handler_can_be_copied(copied: Any, captured: Captured) -> None:
    handler = copied(logweir.Handler("info", ignore=["noise"]))
    handler.handle(logging.makeLogRecord({"msg": "x", "name": "a", "levelno": 20}))
    handler.handle(logging.makeLogRecord({"msg": "y", "name": "noise.b", "levelno": 20}))
    assert (captured.names(), handler.level) == (["x"], 20)


def test_c8_a_configuration_of_logging_may_hold_it_and_be_copied(captured: Captured) -> None:
    settings = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "declared": {"class": "logweir.Handler", "level": "INFO", "ignore": ["noise"]},
            "made": {"()": logweir.Handler, "level": "WARN"},
        },
        "loggers": {"configured": {"handlers": ["declared", "made"], "level": "DEBUG", "propagate": False}},
    }
    logging.config.dictConfig(copy.deepcopy(settings))
    logger = logging.getLogger("configured")
    copies = copy.deepcopy(logger.handlers)
    logger.info("x")
    for handler in logger.handlers[:]:
        logger.removeHandler(handler)
    logger.addHandler(copies[0])
    logger.info("y")
    logger.removeHandler(copies[0])
    assert captured.names() == ["x", "y"]


# -- records that meet us twice, or while we are busy ------------------------------------------------------


def test_c7_a_record_that_several_handlers_meet_becomes_one_event(captured: Captured) -> None:
    root = install_stdlib("INFO")
    child = logging.getLogger("billing.invoices")
    own = logweir.Handler()
    try:
        child.addHandler(own)
        child.addHandler(logweir.Handler("WARNING"))
        child.warning("cancelled", extra={"persist_db": True})
        child.info("sent")
    finally:
        child.handlers.clear()
        logging.getLogger().removeHandler(root)
    assert [event.name for event in captured.events] == ["cancelled", "sent"]
    assert set(captured.events[0].fields) == {"logger"}


def test_c7_a_record_that_one_handler_does_not_want_is_taken_by_the_next(captured: Captured) -> None:
    root = install_stdlib("INFO")
    child = logging.getLogger("billing.invoices")
    child.addHandler(logweir.Handler("ERROR"))
    child.addHandler(logweir.Handler(ignore=["billing"]))
    try:
        child.info("sent")
    finally:
        child.handlers.clear()
        logging.getLogger().removeHandler(root)
    assert only(captured).name == "sent"


def test_c7_a_filter_that_replaces_a_record_makes_no_second_event(captured: Captured) -> None:
    def replaced(record: logging.LogRecord) -> Any:
        return logging.makeLogRecord({**vars(record), "msg": "replaced"})

    root = install_stdlib("INFO")
    child = logging.getLogger("billing.invoices")
    first = logweir.Handler()
    first.addFilter(replaced)
    child.addHandler(first)
    try:
        child.info("sent")
    finally:
        child.handlers.clear()
        logging.getLogger().removeHandler(root)
    only(captured)


def test_c1_records_that_are_logged_while_others_are_captured_are_stored(
    captured: Captured, logger: logging.Logger
) -> None:
    class Session:
        def __str__(self) -> str:
            logger.warning("looked at")
            return "session"

    logger.info("used %s", Session())
    assert sorted(event.name for event in captured.events) == ["looked at", "used session"]


def test_c1_a_record_whose_text_logs_it_again_ends(captured: Captured, logger: logging.Logger) -> None:
    class Endless:
        def __str__(self) -> str:
            logger.warning("%s", self)
            return "endless"

    logger.info("%s", Endless())
    assert [event.name for event in captured.events] == ["endless"] * 4


def test_c1_every_record_of_finalisers_is_stored(captured: Captured, logger: logging.Logger) -> None:
    class Session:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            logger.warning("closed")

    threshold = gc.get_threshold()
    gc.set_threshold(20)
    try:
        for _ in range(1000):
            Session()
            logger.info("called %s", [[]])
        gc.collect()
    finally:
        gc.set_threshold(*threshold)
    counts = Counter(event.name for event in captured.events)
    # Finalisers may run inside each other, deeper than records are taken up; then they are counted.
    assert counts["closed"] + logweir.metrics().left_out == 1000
    assert counts["called [[]]"] == 1000
    assert counts["closed"] > 500
