"""The loggers of the recommended chain: no call raises, and everything that a call has is stored."""

import asyncio
import copy
import logging
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
import structlog

import logweir
from logweir.context import bind, scope
from logweir.event import Event, Kind
from logweir.testing import Captured, capture


class Silent:
    """An object without a text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class Odd(str):
    """A text that can only be looked at."""

    __slots__ = ()

    def __str__(self) -> str:
        return self

    def _refuse(self, *_args: Any) -> Any:
        raise RuntimeError("no")

    __hash__ = __eq__ = __mod__ = __len__ = __contains__ = _refuse  # type: ignore[assignment]


class Exiting:
    """An object whose text ends the program."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __str__(self) -> str:
        raise self.error


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capture() as events:
        logweir.configure_structlog()
        yield events


@pytest.fixture
def log(captured: Captured) -> Any:
    return logweir.get_logger()


def only(captured: Captured) -> Event:
    (event,) = captured.events
    return event


# -- messages with arguments -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "args"),
    [
        ("user logged in", ("bob",)),
        ("a %s %s", (1,)),
        ("id %d", ("x",)),
        ("100 %", (5,)),
        ("%(name)s", ({"other": 1},)),
        ("%(name)s", (1, 2)),
        ("hello", ({"who": "bob"},)),
        ("hello", ([1, 2],)),
        ("%q", (1,)),
        ("%", ("a", "b")),
    ],
)
@pytest.mark.parametrize("method", ["debug", "info", "warning", "warn", "msg", "error", "critical", "fatal"])
def test_c3_arguments_that_do_not_fit_the_message_are_kept_beside_it(
    method: str, message: str, args: Any, captured: Captured, log: Any
) -> None:
    getattr(log, method)(message, *args, user="ann")
    event = only(captured)
    assert event.name == message
    assert event.fields["user"] == "ann"
    assert event.fields["message_args"] == list(args)
    assert event.fields["message_error"] in {"TypeError", "ValueError", "KeyError"}


@pytest.mark.parametrize(
    ("message", "args", "name"),
    [
        ("a %s %r", ("b", "c"), "a b 'c'"),
        ("%(who)s has %(n)03d", ({"who": "bob", "n": 7, "more": 1},), "bob has 007"),
        ("got %s", ({"a": 1},), "got {'a': 1}"),
        ("got %s", ({},), "got {}"),
        ("100 %", (), "100 %"),
        (5, (), "5"),
    ],
)
def test_c3_arguments_that_fit_are_filled_in(
    message: Any, args: Any, name: str, captured: Captured, log: Any
) -> None:
    log.info(message, *args)
    event = only(captured)
    assert (event.name, event.fields) == (name, {})


def test_c3_an_argument_without_a_text_keeps_the_message_and_the_other_arguments(
    captured: Captured, log: Any
) -> None:
    log.info("user %s of %s", Silent(), "shop")
    event = only(captured)
    assert event.name == "user %s of %s"
    assert event.fields == {
        "message_args": ["<unprintable Silent>", "shop"],
        "message_error": "RuntimeError",
    }


def test_c3_a_message_without_a_text_is_an_event_all_the_same(captured: Captured, log: Any) -> None:
    log.info(Silent(), a=1)
    event = only(captured)
    assert (event.name, event.fields) == ("<unprintable Silent>", {"a": 1})


def test_c3_a_text_of_another_class_is_its_characters(captured: Captured, log: Any) -> None:
    log.info(Odd("a"), b=Odd("c"))
    log.info(Odd("a %s"), Odd("b"))
    log.info("a %s")
    log.info(SimpleNamespace(a=Odd("x")))
    assert captured.names() == ["a", "a b", "a %s", "namespace(a='x')"]


def test_c3_arguments_that_do_not_fit_do_not_hide_the_error_that_is_logged(
    captured: Captured, log: Any
) -> None:
    try:
        raise ValueError("the real one")
    except ValueError:
        log.exception("failed %s %s", "x")  # noqa: PLE1206 - the fault that is tested
    event = only(captured)
    assert (event.name, event.level, event.fields["message_args"]) == ("failed %s %s", "error", ["x"])
    assert event.fields["error_type"] == "ValueError"
    assert event.fields["exception"].endswith("ValueError: the real one")


def test_c3_what_did_not_fit_is_reported_once_with_the_place_of_the_call(
    captured: Captured, log: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "logweir"):
        for _ in range(3):
            log.info("user logged in", "bob's secret")  # noqa: PLE1205 - the fault that is tested
    (message,) = [record.getMessage() for record in caplog.records]
    assert f"{__file__}:" in message
    assert "message_args" in message
    assert "bob" not in message


def test_c3_fields_that_have_the_names_of_ours_keep_them(captured: Captured, log: Any) -> None:
    log.info("a %s %s", 1, message_args="mine", message_error="mine too")
    assert only(captured).fields == {
        "message_args": "mine",
        "message_error": "mine too",
        "message_args#2": [1],
        "message_error#2": "TypeError",
    }


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), asyncio.CancelledError()])
def test_c3_what_asks_the_program_to_stop_is_no_error_and_passes(
    error: BaseException, captured: Captured, log: Any
) -> None:
    with pytest.raises(type(error)):
        log.info("user %s", Exiting(error))
    with pytest.raises(type(error)):
        log.info("user", user=Exiting(error))


@pytest.mark.parametrize("args", [("user logged in", "bob"), ("a %s %s", 1)])
async def test_c3_coroutines_log_in_the_same_way(args: Any, captured: Captured, log: Any) -> None:
    for method in ("adebug", "ainfo", "awarning", "awarn", "amsg", "aerror", "acritical", "afatal"):
        await getattr(log, method)(*args, event="mine", self="mine too", persist_db=True)
    await logweir.aflush()
    assert len(captured.arrived) == 8
    for event in captured.arrived:
        assert (event.name, event.kind) == (args[0], Kind.AUDIT)
        assert event.fields == {
            "event": "mine",
            "self": "mine too",
            "message_args": [args[1]],
            "message_error": "TypeError",
        }


async def test_c3_what_a_coroutine_logs_is_filled_in_where_it_logs(
    captured: Captured, log: Any, caplog: pytest.LogCaptureFixture
) -> None:
    order = ["book"]
    with caplog.at_level(logging.WARNING, "logweir"):
        waiting = [log.ainfo("ordered %s", order), log.alog(20, "ordered", order)]
        first, second = (asyncio.ensure_future(call) for call in waiting)
        await asyncio.sleep(0)
        order.append("changed")
        await asyncio.gather(first, second)
    await logweir.aflush()
    assert sorted(event.name for event in captured.arrived) == ["ordered", "ordered ['book']"]
    (message,) = [record.getMessage() for record in caplog.records]
    assert "concurrent" not in message


async def test_c3_a_coroutine_logs_its_own_exception_and_stack(captured: Captured, log: Any) -> None:
    try:
        raise ValueError("real")
    except ValueError:
        await log.aexception("failed %s %s", "x", stack_info=True)
    await logweir.aflush()
    (event,) = captured.arrived
    assert event.fields["exception"].endswith("ValueError: real")
    assert "test_c3_a_coroutine_logs_its_own_exception_and_stack" in event.fields["stack"]


async def test_c3_a_coroutine_logs_when_its_loop_has_no_threads_left(captured: Captured, log: Any) -> None:
    loop = asyncio.get_running_loop()
    gone = ThreadPoolExecutor(1)
    gone.shutdown()
    loop.set_default_executor(gone)
    await log.ainfo("late", a=1)
    loop.set_default_executor(ThreadPoolExecutor(1))
    await logweir.aflush()
    (event,) = captured.arrived
    assert (event.name, event.fields) == ("late", {"a": 1})


# -- levels ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("info", 20),
        ("INFO", 20),
        (20, 20),
        ("20", 20),
        (25, 25),
        ("warn", 30),
        (" Warning ", 30),
        ("FATAL", 50),
        ("err", 40),
        ("NotSet", 0),
        (0, 0),
        (logging.ERROR, 40),
    ],
)
def test_c3_the_lowest_level_may_be_written_in_any_usual_way(written: Any, number: int) -> None:
    with capture() as captured:
        logweir.configure_structlog(min_level=written)
        log = logweir.get_logger()
        for name in ("debug", "info", "warning", "error", "critical"):
            getattr(log, name)(name)
        levels = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
        assert captured.names() == [name for name, level in levels.items() if level >= number]
        assert log.get_effective_level() == number


@pytest.mark.parametrize("written", ["loud", "", None, [], "info,debug", float("inf")])
def test_c3_an_unknown_lowest_level_is_answered_by_what_could_be_written(written: Any) -> None:
    with pytest.raises(ValueError, match=r"min_level=.* is no level; write debug, info, warning"):
        logweir.configure_structlog(min_level=written)


async def test_c3_calls_below_the_lowest_level_take_any_arguments(captured: Captured) -> None:
    logweir.configure_structlog(min_level="critical")
    log = logweir.get_logger()
    log.info()
    log.info("a", 1, event=2, self=3)  # noqa: PLE1205 - the fault that is tested
    log.exception("x", self=1)  # noqa: LOG004 - nothing is logged
    log.log(10, "x", event=1)
    await log.ainfo(self=1)
    await log.aexception("a", 1, event=2)
    assert captured.arrived == []


@pytest.mark.parametrize(
    ("level", "stored"),
    [
        (30, "warning"),
        (25, "info"),
        (35, "warning"),
        (logging.CRITICAL + 5, "critical"),
        ("WARN", "warning"),
        ("error", "error"),
    ],
)
def test_c3_a_level_may_be_given_by_number_or_name(
    level: Any, stored: str, captured: Captured, log: Any
) -> None:
    log.log(level, "x", a=1)
    event = only(captured)
    assert (event.name, event.level, event.fields) == ("x", stored, {"a": 1})


def test_c3_a_level_that_is_none_is_a_field(captured: Captured, log: Any) -> None:
    log.log("gold", "x")
    log.log("forgotten level")
    log.log()
    assert [(event.name, event.level, event.fields) for event in captured.events] == [
        ("x", "info", {"level": "gold"}),
        ("forgotten level", "info", {}),
        ("", "info", {}),
    ]


# -- names of ours ---------------------------------------------------------------------------------------

OURS = {
    "level": "gold",
    "event": "mine",
    "kind": "gift",
    "self": 1,
    "method_name": "POST",
    "event_kw": 2,
    "name": "bob",
    "fields": {"a": 1},
    "args": [1],
    "id": "x",
    "time": "now",
    "service": "s",
    "env": "e",
    "message": "m",
    "logger": "mine",
    "exception": "text",
    "stack": "text",
    "processors": [],
    "context": 3,
}

#: ``get_logger`` has one name of its own.
INITIAL = {name: value for name, value in OURS.items() if name != "name"}


@pytest.mark.parametrize("audited", [{}, {"persist_db": True}], ids=["tracing", "audit"])
def test_c4_no_name_of_ours_makes_a_field_vanish(audited: Any, captured: Captured) -> None:
    logweir.get_logger("shop").info("x", **OURS, **audited)
    event = only(captured)
    assert (event.name, event.level, event.kind) == ("x", "info", "audit" if audited else "tracing")
    assert event.fields == OURS


def test_c4_no_name_of_ours_makes_a_bound_field_vanish(captured: Captured) -> None:
    logweir.get_logger("shop", **INITIAL).bind(**OURS).bind(x=1).info("x")
    assert only(captured).fields == {**OURS, "x": 1}


@pytest.mark.parametrize("level", ["info", "error", "ERROR", [1], {}, Silent()])
def test_c4_a_field_named_level_leaves_the_level_to_the_method(
    level: Any, captured: Captured, log: Any
) -> None:
    log.warning("x", level=level)
    event = only(captured)
    assert event.level == "warning"
    assert event.fields == {"level": "<unprintable Silent>" if isinstance(level, Silent) else level}


def test_c4_the_name_may_be_given_by_keyword_or_bound(captured: Captured, log: Any) -> None:
    log.info(event="by keyword", a=1)
    log.bind(event="bound").info(status="x")
    with bind(event="in context"):
        log.info(status="y")
    log.bind(event="bound").info("given")
    log.info(status="none")
    assert [(event.name, event.fields) for event in captured.events] == [
        ("by keyword", {"a": 1}),
        ("bound", {"status": "x"}),
        ("in context", {"status": "y", "event": "in context"}),
        ("given", {"event": "bound"}),
        ("", {"status": "none"}),
    ]


@pytest.mark.parametrize(
    ("bound", "said", "kind"),
    [
        ({"kind": "tracing"}, {"persist_db": True}, Kind.AUDIT),
        ({"kind": "audit"}, {"persist_db": False}, Kind.TRACING),
        ({"persist_db": True}, {"kind": "tracing"}, Kind.TRACING),
        ({"persist_db": True}, {"persist_db": False}, Kind.TRACING),
        ({"persist_db": True}, {"kind": "gift"}, Kind.AUDIT),
        ({"kind": "audit"}, {}, Kind.AUDIT),
        ({}, {"kind": "tracing", "persist_db": True}, Kind.AUDIT),
    ],
)
def test_c4_what_the_call_says_beats_what_is_bound(
    bound: Any, said: Any, kind: Kind, captured: Captured, log: Any
) -> None:
    log.bind(**bound).info("logger", **said)
    with bind(**bound):
        log.info("context", **said)
    left = {"kind": "gift"} if said.get("kind") == "gift" else {}
    assert [(event.kind, event.fields) for event in captured.events] == [(kind, left), (kind, left)]


def test_c4_a_chain_of_ones_own_keeps_the_fields_too(captured: Captured) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            logweir.ClassificationProcessor(),
            logweir.RoutingProcessor(),
        ]
    )
    log = logweir.get_logger()
    log.bind(event="bound", kind="tracing").info(
        "x", level="gold", self=1, method_name="POST", persist_db=True
    )
    log.bind(event="bound").warning("y", event="mine", kind="gift", level="ERROR")
    first, second = captured.events
    assert (first.name, first.kind, first.level) == ("x", Kind.AUDIT, "info")
    assert first.fields == {"event#2": "bound", "level": "gold", "self": 1, "method_name": "POST"}
    assert (second.name, second.kind, second.level) == ("y", Kind.TRACING, "error")
    assert second.fields == {"event#2": "mine", "kind#2": "gift"}


def test_c4_a_context_that_was_bound_by_structlog_has_any_name_too(captured: Captured, log: Any) -> None:
    with bind(self=1, level="gold", kind="gift"), scope(method_name=2):
        log.info("x")
    assert only(captured).fields == {"self": 1, "level": "gold", "kind": "gift", "method_name": 2}


# -- what describes an exception, a stack, a trace -------------------------------------------------------


@pytest.mark.parametrize("value", ["text of an exception", {"a": 1}, ["x"], Silent(), 2.5, ValueError])
def test_c4_what_is_no_exception_and_no_stack_stays_a_field(value: Any, captured: Captured, log: Any) -> None:
    log.info("x", exc_info=value, stack_info=value)
    fields = only(captured).fields
    kept = {Silent: "<unprintable Silent>"}.get(type(value), "ValueError" if value is ValueError else value)
    assert fields == {"exc_info": kept, "stack" if isinstance(value, str) else "stack_info": kept}


def test_c4_what_is_no_exception_leaves_the_one_that_is_being_handled(captured: Captured, log: Any) -> None:
    try:
        raise ValueError("real")
    except ValueError:
        log.warning("x", exc_info="mine", error_type="mine", exception="mine")
    fields = only(captured).fields
    assert fields.pop("exception#2").endswith("ValueError: real")
    assert fields == {
        "exc_info": "mine",
        "error_type": "mine",
        "exception": "mine",
        "error_type#2": "ValueError",
    }


class Hostile(ValueError):
    """An error that shows nothing of itself."""

    @property
    def __traceback__(self) -> Any:
        raise RuntimeError("no")

    __cause__ = __context__ = __traceback__  # type: ignore[assignment]

    def __str__(self) -> str:
        raise RuntimeError("no")


def test_c3_an_error_that_shows_nothing_is_named(captured: Captured, log: Any) -> None:
    log.warning("x", exc_info=Hostile(), a=1)
    assert only(captured).fields == {"error_type": "Hostile", "exception": "Hostile", "a": 1}


def test_c5_the_reason_is_kept_where_its_cause_is_long(captured: Captured, log: Any) -> None:
    try:
        try:
            raise ValueError("cause " * 12_000)
        except ValueError as cause:
            raise KeyError("the reason") from cause
    except KeyError:
        log.exception("x")
    text = only(captured).fields["exception"]
    assert text.startswith("Traceback")
    assert text.endswith("KeyError: 'the reason'")


@pytest.mark.parametrize("module", ["logweir_shop", "structlog_extras.jobs", "shop", None])
def test_the_stack_ends_at_the_call_whatever_the_calling_module_is_named(
    module: str | None, captured: Captured, log: Any
) -> None:
    code = compile("def place_order(log): log.info('x', stack_info=True)", "shop.py", "exec")
    namespace: dict[str, Any] = {"__name__": module}
    exec(code, namespace)
    namespace["place_order"](log)
    *_, last = only(captured).fields["stack"].splitlines()
    assert last.strip() == 'File "shop.py", line 1, in place_order'


@pytest.mark.parametrize("nothing", [None, False, 0, (None, None, None)])
def test_nothing_to_describe_leaves_nothing(nothing: Any, captured: Captured, log: Any) -> None:
    log.info("x", exc_info=nothing)
    log.info("x", stack_info=None if nothing else False)
    assert [event.fields for event in captured.events] == [{}, {}]


@pytest.mark.parametrize(
    ("value", "trace_id", "field"),
    [
        ("4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e4736", None),
        ("0193-7", "0193-7", None),
        (17, "17", None),
        (UUID(int=1), str(UUID(int=1)), None),
        ("x" * 65, None, "x" * 65),
        ("", None, ""),
        ({"a": 1}, None, {"a": 1}),
        (True, None, True),
    ],
)
@pytest.mark.parametrize("name", ["trace_id", "span_id"])
def test_c4_what_is_no_id_of_a_trace_stays_a_field(
    name: str, value: Any, trace_id: Any, field: Any, captured: Captured, log: Any
) -> None:
    log.info("x", **{name: value})
    event = only(captured)
    assert getattr(event, name) == trace_id
    assert event.fields == ({} if field is None else {name: field})


# -- copies ----------------------------------------------------------------------------------------------


def pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
@pytest.mark.parametrize("made", ["lazy", "used", "bound", "structlog's", "quiet"])
def test_c8_loggers_can_be_copied_and_pickled(made: str, copied: Any, captured: Captured) -> None:
    if made == "quiet":
        logweir.configure_structlog(min_level=15)
    log = logweir.get_logger("shop", a=1)
    log = {"bound": log.bind(b=2), "structlog's": structlog.get_logger("shop").bind(a=1)}.get(made, log)
    if made == "used":
        log.debug("before")
    copied(log).debug("x")
    copied(log).info("y")
    copied(log).bind(c=3).info("z %s", 1)
    names = ["x", "y", "z 1"][made == "quiet" :]
    events = [event for event in captured.events if event.name != "before"]
    assert [event.name for event in events] == names
    fields = {"logger": "shop", "a": 1, **({"b": 2} if made == "bound" else {})}
    assert [event.fields for event in events][-2:] == [fields, {**fields, "c": 3}]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
def test_c8_a_copy_is_seen_by_structlogs_own_capturing(copied: Any, captured: Captured, log: Any) -> None:
    loggers = [copied(log), copied(log.bind(a=1))]
    with structlog.testing.capture_logs() as entries:
        for logger in loggers:
            logger.info("x")
    assert [entry["event"] for entry in entries] == ["x", "x"]
    assert captured.events == []


def test_c8_what_is_bound_need_not_be_copyable(captured: Captured, log: Any) -> None:
    lock = threading.Lock()
    service = {"log": log.bind(lock=lock, a=1), "lazy": logweir.get_logger("shop", lock=lock)}
    for logger in copy.deepcopy(service).values():
        logger.info("x")
    assert captured.names() == ["x", "x"]


def test_c8_a_copy_is_a_logger_of_its_own(log: Any) -> None:
    bound = log.bind(a=1)
    other = copy.deepcopy(bound)
    other.new(b=2)
    assert structlog.get_context(bound) == {"a": 1}


@pytest.mark.parametrize("configured", [True, False])
def test_a_forgotten_configure_structlog_is_reported(
    *,
    configured: bool,
    captured: Captured,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = logweir.get_logger("shop")
    if not configured:
        structlog.reset_defaults()
    log.info("order.placed")
    assert captured.names() == (["order.placed"] if configured else [])
    assert ("order.placed" in capsys.readouterr().out) is not configured
    said = "structlog is not configured: it prints what the loggers of logweir.get_logger() log, and nothing of it"
    assert (said in caplog.text) is not configured
