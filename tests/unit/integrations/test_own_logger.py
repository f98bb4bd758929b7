"""Our logger beside structlog's own: the same calls make the same events, whichever way they go."""

from __future__ import annotations

import copy
import datetime as dt
import decimal
import enum
import logging
import pickle
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import logweir
from logweir.context import bind
from logweir.event import Kind
from logweir.testing import Captured, capture

RULES = [
    {"kind": "audit", "match": {"event": "fund.*"}},
    {"kind": "audit", "match": {"field": {"name": "user_role", "in": ["admin"]}}},
    {"kind": "audit", "match": {"field": {"name": "order.state", "equals": "paid"}}},
    {"kind": "audit", "match": {"logger": "billing", "level": ">=error"}},
    {"kind": "audit", "match": {"field": {"name": "trace_id", "glob": "audit*"}}},
]
LIMITS = {
    "usual": {},
    "short texts": {"max_string": 16},
    "few fields": {"max_items": 3},
    "small events": {"max_event_bytes": 1024},
}


class Colour(enum.Enum):
    RED = "red"


class Text(str):
    """A text of a class of the caller's."""

    __slots__ = ()


def structlogs(name: str | None) -> Any:
    """structlog's own logger over our processor."""

    class Named:
        def __init__(self) -> None:
            self.name = name

        def __getattr__(self, _method: str) -> Callable[[], None]:
            return lambda: None

    return structlog.wrap_logger(
        Named(),
        processors=[logweir.RoutingProcessor()],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        cache_logger_on_first_use=True,
    )


@contextmanager
def logging_under(**config: Any) -> Iterator[Captured]:
    with capture(**config) as captured:
        logweir.configure_structlog()
        yield captured


def seen(captured: Captured, call: Callable[[], object]) -> Any:
    """What the last of three calls stored: the first meets all for the first time, the third knows it."""
    for _ in range(3):
        call()
    events = captured.events[-3:]
    made = [
        (event.kind, event.level, event.name, event.trace_id, event.span_id, _stable(event.fields))
        for event in events
    ]
    assert made[0] == made[1] == made[2]
    assert all(type(name) is str for event in events for name in event.fields)
    return made[0]


def _stable(fields: dict[str, Any]) -> Any:
    # A stack names the lines that lead to the call, which differ; as text, for 1 is not True. A text may be cut
    # twice, and is cut first by what is known of the names: its mark counts from there.
    text = repr({name: "stack" if name == "stack" else fields[name] for name in sorted(fields)})
    return re.sub(r"\[truncated \d+ characters\]", "[truncated]", text)


texts = st.one_of(
    st.sampled_from(
        [
            "",
            "EUR",
            "paid",
            "admin",
            "req-8f14e45f",
            "password=hunter2",
            "4111 1111 1111 1111",
            "Bearer abcdefghijklmnop",
            "100 % of it",
            "Zürich",
            "lone \ud800 surrogate",
            "x" * 70,
            "y" * 3000,
        ]
    ),
    st.text(max_size=12),
)
plain = st.one_of(
    texts, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=True), st.just(4111111111111111)
)
values = st.one_of(
    plain,
    plain,
    plain,
    st.lists(plain, max_size=3),
    st.dictionaries(st.sampled_from(["state", "password", "a", "value"]), plain, max_size=3),
    st.sampled_from(
        [
            Colour.RED,
            Text("of a class"),
            decimal.Decimal("1.50"),
            dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
            b"bytes",
            ("a", 1),
            {"a"},
            2**70,
        ]
    ),
)
ORDINARY = "order_id user_id user_role order amount note naïve"
SECRET = "password api_key token name value key"
OURS = "exception stack message service id time"
names = st.sampled_from(f"{ORDINARY} {SECRET} {OURS}".split())
fields = st.dictionaries(names, values, max_size=5)
ids = st.fixed_dictionaries(
    {},
    optional={
        "trace_id": st.sampled_from(["4bf92f3577b34da6a3ce929d0e0e4736", "audit1", "a-b", "", 17, "z" * 70]),
        "span_id": st.sampled_from(["00f067aa0ba902b7", None, "x y"]),
    },
)
said = st.sampled_from(
    [{}, {}, {}, {"persist_db": True}, {"kind": "audit"}, {"kind": "gift"}, {"logger": "x"}]
)
described = st.sampled_from([{}, {}, {}, {"exc_info": True}, {"exc_info": False}])
messages = st.sampled_from(
    [
        ("order.placed",),
        ("fund.moved",),
        ("a %s of %d", "b", 2),
        ("100 %",),
        (Colour.RED,),
        (7,),
        ("%s", {"a": 1}),
        ("token=abcdefghijkl",),
        ("é",),
        (Text("of a class"),),
    ]
)


@pytest.fixture(params=LIMITS)
def limited(request: pytest.FixtureRequest) -> Iterator[tuple[Captured, list[str | None]]]:
    # What is cut depends on the order of the fields, and by structlog's the logger's name is elsewhere.
    loggers = [None] if request.param in {"few fields", "small events"} else [None, "shop", "billing"]
    with logging_under(classify=RULES, limits=LIMITS[request.param]) as captured:
        yield captured, loggers


METHODS = ["debug", "info", "warning", "warn", "error", "critical", "msg"]
if int(version("structlog").split(".")[0]) >= 25:  # before, its own fatal() was an error
    METHODS.append("fatal")


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_call_makes_the_event_that_structlogs_own_logger_makes(
    limited: tuple[Captured, list[str | None]], data: Any
) -> None:
    captured, loggers = limited
    draw = data.draw
    method = draw(st.sampled_from(METHODS))
    message = draw(messages)
    call = draw(fields) | draw(ids) | draw(said) | draw(described)
    bound = draw(fields) | draw(ids)
    around = draw(fields) | draw(ids)
    name = draw(st.sampled_from(loggers))
    with bind(**around):
        ours = logweir.get_logger(name).bind(**bound)
        theirs = structlogs(name).bind(**bound)
        lazy = logweir.get_logger(name, **{key: value for key, value in bound.items() if key != "name"})
        try:
            raise ValueError("what is handled")
        except ValueError:
            expected = seen(captured, lambda: getattr(theirs, method)(*message, **call))
            assert seen(captured, lambda: getattr(ours, method)(*message, **call)) == expected
            if "name" not in bound:
                assert seen(captured, lambda: getattr(lazy, method)(*message, **call)) == expected


TABLE: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("info", ("a",), {}),
    ("info", ("a %s", 1), {"b": 2}),
    ("warn", ("a",), {"event_name": "x"}),
    ("exception", ("a",), {}),
    ("exception", ("a",), {"exc_info": False}),
    ("error", ("a",), {"exc_info": True, "stack_info": True}),
    ("log", (logging.WARNING, "a"), {"b": 2}),
    ("log", (logging.CRITICAL, "a %s", 1), {}),
    ("info", ("a",), {"timestamp": "2026-01-01", "logger": "mine"}),
    ("info", ("a",), {"service": "s", "env": "e", "id": 1, "time": 2, "fields": 3, "size": 4}),
]


@pytest.mark.parametrize(("method", "arguments", "call"), TABLE)
def test_a_call_of_each_kind_makes_the_event_that_structlogs_own_logger_makes(
    method: str, arguments: tuple[Any, ...], call: dict[str, Any]
) -> None:
    with logging_under() as captured:
        try:
            raise ValueError("what is handled")
        except ValueError:
            expected = seen(captured, lambda: getattr(structlogs("shop"), method)(*arguments, **call))
            for log in (logweir.get_logger("shop"), logweir.get_logger("shop").bind()):
                assert seen(captured, lambda log=log: getattr(log, method)(*arguments, **call)) == expected


# -- what is bound ---------------------------------------------------------------------------------------


def test_what_is_bound_is_stored_as_it_is_at_the_call() -> None:
    with logging_under() as captured:
        basket: list[Any] = ["book"]
        log = logweir.get_logger().bind(basket=basket)
        log.info("one")
        log.info("one")
        basket.append("pen")
        log.info("two")
        basket.append("ink")
        assert [event.fields["basket"] for event in captured.events] == [
            ["book"],
            ["book"],
            ["book", "pen"],
        ]


def test_who_gets_the_context_of_a_logger_may_change_it() -> None:
    with logging_under() as captured:
        log = logweir.get_logger().bind(a=1)
        for _ in range(3):
            log.info("known")
        context = structlog.get_context(log)
        context["a"] = 2
        log.info("changed")
        context["b"] = 3
        log.info("again")
        assert [event.fields for event in captured.events[-2:]] == [{"a": 2}, {"a": 2, "b": 3}]


def test_loggers_that_are_made_of_another_leave_it_as_it_is() -> None:
    with logging_under() as captured:
        log = logweir.get_logger(a=1, b=2)
        bound = log.bind()
        bound.info("x")
        made = [
            bound.unbind("a"),
            bound.try_unbind("a", "c"),
            log.unbind("a"),
            log.new(c=3),
            copy.copy(bound),
        ]
        with pytest.raises(KeyError):
            bound.unbind("c")
        for logger in (*made, bound, log):
            logger.info("x")
        events = [event.fields for event in captured.events[1:]]
        assert events == [
            {"b": 2},
            {"b": 2},
            {"b": 2},
            {"c": 3},
            {"a": 1, "b": 2},
            {"a": 1, "b": 2},
            {"a": 1, "b": 2},
        ]


def test_names_of_a_class_of_the_callers_are_stored_as_text() -> None:
    with logging_under() as captured:
        log = logweir.get_logger()
        for _ in range(3):
            log.info("x", order_id=1)
        log.info("x", **{Text("order_id"): 2})
        log.bind(**{Text("order_id"): 3}).info("x")
        assert [event.fields for event in captured.events[3:]] == [{"order_id": 2}, {"order_id": 3}]
        assert all(type(name) is str for event in captured.events for name in event.fields)


def test_a_reload_that_masks_more_is_obeyed_by_loggers_that_were_used_before(tmp_path: Any) -> None:
    config = {
        "data_dir": str(tmp_path),
        "sinks": {"kept": {"type": "memory", "queue": {"type": "memory"}}},
        "routes": [{"name": "all", "to": ["kept"]}],
    }
    from logweir.sinks.memory import MemorySink

    with logweir.running(config):
        logweir.configure_structlog()
        log = logweir.get_logger().bind(nickname="ann")
        with bind(street="Main Street"):
            for _ in range(3):
                log.info("x", colour="blue")
            logweir.reload(config | {"redact": {"keys": ["nickname", "street", "colour"]}})
            log.info("x", colour="blue")
        logweir.flush()
        *_, last = MemorySink.of("kept").events.values()
        assert last.fields == {"nickname": "***", "street": "***", "colour": "***"}


@pytest.mark.parametrize("where", ["call", "bound", "context"])
def test_a_field_whose_name_is_empty_is_a_field(where: str) -> None:
    with logging_under() as captured:
        for _ in range(3):
            _log_with({"": "a"}, where)
        assert [event.fields for event in captured.events] == [{"": "a"}] * 3


@pytest.mark.parametrize("where", ["call", "bound", "context"])
def test_a_rule_about_the_id_of_a_trace_is_asked_wherever_that_is_from(where: str) -> None:
    with logging_under(classify=RULES) as captured:
        for _ in range(2):
            _log_with({"trace_id": "audit1"}, where)
            _log_with({"trace_id": "other"}, where)
        assert [event.kind for event in captured.events] == [Kind.AUDIT, Kind.TRACING] * 2


def _log_with(values: dict[str, Any], where: str) -> None:
    log = logweir.get_logger()
    if where == "call":
        log.info("x", **values)
    elif where == "bound":
        log.bind(**values).info("x")
    else:
        with bind(**values):
            log.info("x")


@pytest.mark.parametrize("where", ["call", "bound", "context"])
def test_a_function_of_the_users_sees_all_fields_wherever_they_are_from(where: str) -> None:
    rule = {"kind": "audit", "match": {"call": "tests.unit.integrations.test_own_logger:is_marked"}}
    given = {"mark": "yes", "trace_id": "abc"}
    with logging_under(classify=[rule]) as captured:
        for _ in range(2):
            _log_with(given, where)
            _log_with({"mark": "no"}, where)
        assert [event.kind for event in captured.events] == [Kind.AUDIT, Kind.TRACING] * 2


def is_marked(fields: Any) -> bool:
    return fields.get("mark") == "yes" and fields.get("trace_id") == "abc"


def test_a_call_inside_a_call_is_an_event_too() -> None:
    class Logging:
        def __str__(self) -> str:
            log.info("inside", a=1)
            return "outside"

        __repr__ = __str__

    with logging_under() as captured:
        log = logweir.get_logger().bind(b=2)
        log.info("x", value=Logging())
        assert [event.name for event in captured.events] == ["inside", "x"]
        assert captured.events[0].fields == {"a": 1, "b": 2}


# -- structlog's configuration ---------------------------------------------------------------------------


def test_a_processor_of_the_users_runs_from_the_next_call_on() -> None:
    ran: list[str] = []

    def mine(_logger: Any, _method: str, event: Any) -> Any:
        ran.append(event["event"])
        event["mine"] = True
        return event

    with logging_under() as captured:
        log = logweir.get_logger("shop", a=1)
        log.info("before")
        structlog.configure(processors=[mine, logweir.RoutingProcessor()])
        log.info("between")
        logweir.configure_structlog()
        log.info("after")
        assert ran == ["between"]
        assert [event.fields for event in captured.events] == [
            {"a": 1, "logger": "shop"},
            {"a": 1, "logger": "shop", "mine": True},
            {"a": 1, "logger": "shop"},
        ]


def test_another_lowest_level_takes_effect_at_the_next_call() -> None:
    with logging_under() as captured:
        log = logweir.get_logger()
        log.debug("one")
        logweir.configure_structlog(min_level="warning")
        log.info("two")
        log.warning("three")
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
        log.warning("four")
        log.error("five")
        logweir.configure_structlog()
        log.debug("six")
        assert captured.names() == ["one", "three", "five", "six"]


def test_another_logger_factory_takes_effect_at_the_next_call() -> None:
    class Named:
        name = "of the factory"

        def info(self) -> None: ...

    with logging_under() as captured:
        log = logweir.get_logger("shop")
        log.info("one")
        structlog.configure(logger_factory=lambda *_names: Named())
        log.info("two")
        assert [event.fields["logger"] for event in captured.events] == ["shop", "of the factory"]


@pytest.mark.parametrize("made", ["lazy", "bound"])
def test_structlogs_capturing_sees_a_logger_that_was_used_before(made: str) -> None:
    with logging_under() as captured:
        log = logweir.get_logger("shop", a=1)
        log = log.bind() if made == "bound" else log
        log.info("before")
        with structlog.testing.capture_logs() as entries:
            log.info("inside", b=2)
        log.info("after")
        assert entries == [{"a": 1, "b": 2, "event": "inside", "log_level": "info"}]
        assert captured.names() == ["before", "after"]


def test_a_logger_that_was_used_can_be_sent_to_another_process() -> None:
    with logging_under() as captured:
        log = logweir.get_logger("shop", a=1)
        log.info("x")
        bound = log.bind(b=2)
        bound.info("x")
        for logger in (log, bound):
            pickle.loads(pickle.dumps(logger)).info("y")
        assert [event.fields for event in captured.events[2:]] == [
            {"a": 1, "logger": "shop"},
            {"a": 1, "b": 2, "logger": "shop"},
        ]
