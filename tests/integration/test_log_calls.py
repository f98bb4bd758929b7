"""The promise of a log call: it never raises, and what was logged is what is stored."""

import asyncio
import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import logweir
from logweir.context import bind
from logweir.redaction.redactor import Redactor
from logweir.sinks.contract import Query
from logweir.sinks.memory import MemorySink
from logweir.sinks.sql.config import SqliteConfig
from logweir.sinks.sql.sink import SqlSink


class Hostile:
    """Raises whatever is asked of it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __repr__(self) -> str:
        raise RuntimeError("repr")

    __str__ = __eq__ = __hash__ = __iter__ = __len__ = __bool__ = __repr__  # type: ignore[assignment]


class Lying(dict[str, Any]):
    """A dict whose iteration grows it and then raises."""

    def items(self) -> Any:
        yield "a", self
        self["b"] = 1
        raise KeyError("no more")


json_values = st.recursive(
    st.none()
    | st.booleans()
    # Longer numbers may be those of cards, which are masked.
    | st.integers(-(10**12) + 1, 10**12 - 1)
    | st.sampled_from([-(2**63), 2**53 + 1, 2**63 - 1])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("ab\u00e9\u4f60 \U0001f389\x00\n\"'", max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz", max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
anything = st.recursive(
    json_values
    | st.floats()
    | st.integers()
    | st.text()
    | st.binary(max_size=20)
    | st.builds(Hostile)
    | st.builds(Lying)
    | st.just(datetime.now(UTC))
    | st.just(Decimal("NaN"))
    | st.just(uuid.uuid4())
    | st.builds(lambda: ValueError(Hostile())),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(st.text(max_size=5) | st.integers() | st.none(), inner, max_size=3)
    ),
    max_leaves=8,
)
names = (
    st.text("abcdefghijklmnop", min_size=1, max_size=8)
    .map("f_".__add__)
    .filter(lambda name: not Redactor().secrecy(name))
)


@pytest.fixture(scope="module")
def running() -> Iterator[logweir.Runtime]:
    logweir.stop()
    config = {
        "sinks": {"out": {"type": "memory", "batch": {"linger": 0}}},
        "classify": [{"kind": "audit", "match": {"field": {"name": "a", "regex": "x"}}}],
        "routes": [{"name": "all", "to": ["out"]}],
    }
    runtime = logweir.Runtime(logweir.config.loading.load_config(config))
    runtime.start()
    yield runtime
    runtime.stop()


@contextmanager
def current(runtime: logweir.Runtime) -> Iterator[None]:
    """Let log calls find the runtime."""
    from logweir.runtime import current as module

    before, module._runtime = module._runtime, runtime
    try:
        yield
    finally:
        module._runtime = before


def emit(runtime: logweir.Runtime, name: Any, fields: dict[str, Any]) -> None:
    """What the last processor of a chain does."""
    with current(runtime):
        logweir.RoutingProcessor()(None, "info", {"event": name, **fields})


def stored_by(runtime: logweir.Runtime, call: Any) -> logweir.Event:
    """The one event of a call."""
    assert runtime.flush(60)  # what an earlier test logged may still be on its way
    stored = MemorySink.of("out").events
    stored.clear()
    with current(runtime):
        call()
    assert runtime.flush(60)
    assert len(stored) == 1, [(event.name, event.fields) for event in stored.values()]
    return next(iter(stored.values()))


@given(fields=st.dictionaries(names | st.just("a"), anything, max_size=4), name=anything)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_logged_value_makes_a_log_call_raise(
    fields: dict[str, Any], name: Any, running: logweir.Runtime
) -> None:
    before = running.metrics().sinks["out"].accepted
    emit(running, name, fields)
    assert running.metrics().sinks["out"].accepted == before + 1


@given(fields=st.dictionaries(names, json_values, max_size=4))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_logged_is_what_is_stored(fields: dict[str, Any], running: logweir.Runtime) -> None:
    event = stored_by(running, lambda: emit(running, "event", dict(fields)))
    assert event.fields == fields


def test_what_was_logged_is_stored_whatever_the_caller_changes_later(running: logweir.Runtime) -> None:
    order = {"items": [1, 2], "customer": {"name": "ann"}}

    def log_and_change() -> None:
        emit(running, "order", {"order": order})
        order["items"].append(3)  # type: ignore[attr-defined]
        order["customer"]["name"] = "bob"  # type: ignore[index]

    event = stored_by(running, log_and_change)
    assert event.fields == {"order": {"items": [1, 2], "customer": {"name": "ann"}}}


#: Names of the table's own columns, and of an event's parts.
COLUMNS = [
    *("user_id", "status", "duration_ms", "action", "resource", "extra_info", "id", "time", "level", "event"),
    *("service", "env", "fields", "hash", "seq"),
]


@given(
    batch=st.lists(
        st.dictionaries(names | st.sampled_from(COLUMNS), json_values, max_size=4),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_logged_is_what_the_audit_table_gives_back(
    batch: list[dict[str, Any]], running: logweir.Runtime, tmp_path: Path
) -> None:
    captured = [running._pipeline.capture("event", dict(fields), "info") for fields in batch]

    async def through_the_table() -> list[Any]:
        url: Any = f"sqlite+aiosqlite:///{tmp_path}/{uuid.uuid4()}.db"
        sink = SqlSink(SqliteConfig(url=url, provision=True))
        await sink.open()
        try:
            await sink.write(captured)
            ids = frozenset(event.id for event in captured)
            return [event async for event in sink.search(Query(ids=ids))]
        finally:
            await sink.close()

    found = asyncio.run(through_the_table())
    assert [(event.id, event.time, event.fields) for event in found] == [
        (event.id, event.time, event.fields) for event in captured
    ]


def test_a_message_that_cannot_be_formatted_does_not_raise(running: logweir.Runtime) -> None:
    handler = logweir.Handler()
    logger = logging.Logger("log_calls")  # noqa: LOG001 - one without the handlers of pytest, which raise
    logger.addHandler(handler)
    logger.info("%d of %s", "not a number", Hostile())


OURS = [
    *("self", "event", "level", "name", "method_name", "args", "kwargs", "fields", "processors", "context"),
    *("message_args", "message_error", "exception", "error_type", "stack", "logger", "id", "time", "service"),
    *("_logger", "_name", "_record", "color_message", "taskName", "logweir_error", "a\udcff", "\ud800", ""),
]
#: Those say something about the call, see docs/reference/values.md.
SAYING = {"persist_db", "kind", "trace_id", "span_id", "exc_info", "stack_info"}
METHODS = ["debug", "info", "warning", "warn", "error", "exception", "critical", "fatal", "msg"]
messages = (
    st.sampled_from(["%s", "a %s %s", "id %d", "%(a)s", "100 %", "%", "%%", "%5$s %q", "plain", "\udcff %r"])
    | anything
)
arguments = st.lists(anything | st.dictionaries(st.sampled_from("ab"), anything), max_size=3)
any_fields = st.dictionaries(st.sampled_from([*OURS, *SAYING]) | st.text(max_size=6), anything, max_size=5)


def assert_all_is_found(
    event: logweir.Event, fields: dict[str, Any], args: list[Any], runtime: logweir.Runtime
) -> None:
    snapshot = runtime._pipeline.capture.snapshot
    given = {name: value for name, value in fields.items() if name not in SAYING}
    expected = snapshot(given)[0]
    assert {name: event.fields.get(name, "missing") for name in expected} == expected
    if "message_error" in event.fields and "message_error" not in given:
        kept = next(event.fields[name] for name in ("message_args#2", "message_args") if name in event.fields)
        # As the tuple that they are: two of them may be a secret's name and the secret.
        assert kept in (snapshot({"x": tuple(args)})[0]["x"], snapshot({"x": args[:1]})[0]["x"][0])


@given(
    message=messages,
    args=arguments,
    bound=any_fields,
    fields=any_fields,
    in_context=st.booleans(),
    method=st.sampled_from(METHODS),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_c3_no_log_call_raises_and_every_field_of_it_can_be_found_again(
    message: Any,
    args: list[Any],
    bound: dict[str, Any],
    fields: dict[str, Any],
    in_context: bool,
    method: str,
    running: logweir.Runtime,
) -> None:
    logweir.configure_structlog()
    log, context = logweir.get_logger(), {}
    if in_context:
        context = bound
    else:
        log = log.bind(**bound)
    with bind(**context):
        event = stored_by(running, lambda: getattr(log, method)(message, *args, **fields))
    assert_all_is_found(event, {**bound, **fields}, args, running)


@given(
    message=messages,
    args=arguments,
    fields=any_fields,
    method=st.sampled_from(["debug", "info", "warning", "error", "exception", "critical"]),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_c3_no_record_of_logging_raises_and_every_extra_of_it_can_be_found_again(
    message: Any, args: list[Any], fields: dict[str, Any], method: str, running: logweir.Runtime
) -> None:
    refused = {*vars(logging.makeLogRecord({})), "message", "asctime"}  # by logging itself
    extra = {name: value for name, value in fields.items() if name not in refused}
    logger = logging.Logger("shop", logging.DEBUG)  # noqa: LOG001 - one without the handlers of pytest
    logger.addHandler(logweir.Handler())
    if [type(arg) for arg in args] == [Hostile]:  # logging itself asks a single argument for its class
        args = [*args, "more"]
    event = stored_by(running, lambda: getattr(logger, method)(message, *args, extra=extra))
    assert_all_is_found(event, extra, args, running)
