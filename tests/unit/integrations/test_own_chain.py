"""A structlog chain of the user's own: each logger factory, each renderer, and our processor among them."""

import io
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import structlog
from structlog.processors import JSONRenderer, KeyValueRenderer, LogfmtRenderer
from structlog.stdlib import ProcessorFormatter

import logweir
from logweir.testing import Captured, capture

RENDERERS: dict[str, Any] = {
    "console": structlog.dev.ConsoleRenderer(colors=False),
    "json": JSONRenderer(),
    "key-value": KeyValueRenderer(),
    "logfmt": LogfmtRenderer(),
    "wrap_for_formatter": ProcessorFormatter.wrap_for_formatter,
    "log_kwargs": structlog.stdlib.render_to_log_kwargs,
    "none": None,
}
WRAPPERS: dict[str, Any] = {
    "filtering": structlog.make_filtering_bound_logger(0),
    "generic": structlog.BoundLogger,
    "stdlib": structlog.stdlib.BoundLogger,
}


def encoded(_logger: Any, _method: str, rendered: Any) -> Any:
    """What those who write bytes put behind a renderer of text."""
    return rendered.encode() if isinstance(rendered, str) else rendered


class Out:
    """Where one logger factory writes, and what it answers."""

    def __init__(self, kind: str) -> None:
        self.returned: list[Any] = []
        self.written: Any = io.StringIO()
        match kind:
            case "print":
                self.factory: Any = structlog.PrintLoggerFactory(self.written)
            case "write":
                self.factory = structlog.WriteLoggerFactory(self.written)
            case "bytes":
                self.written = io.BytesIO()
                self.factory = structlog.BytesLoggerFactory(self.written)
            case "stdlib":
                self.factory = structlog.stdlib.LoggerFactory()
            case "return":
                self.factory = structlog.testing.ReturnLoggerFactory()

    def content(self) -> Any:
        return self.written.getvalue(), re.sub(" at 0x[0-9a-f]+", "", repr(self.returned))


@contextmanager
def stdlib_into(stream: Any) -> Iterator[None]:
    """The standard library's logging, with structlog's formatter, as its documentation has it."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        ProcessorFormatter(processors=[ProcessorFormatter.remove_processors_meta, KeyValueRenderer()])
    )
    root = logging.getLogger()
    before, root.handlers, level = root.handlers, [handler], root.level
    root.setLevel(0)
    try:
        yield
    finally:
        root.handlers = before
        root.setLevel(level)


def output(kind: str, processors: list[Any], wrapper: Any, call: Callable[[Any], Any]) -> Any:
    """All that is written and returned by a call under a chain; the name of the error it raises, if any."""
    out = Out(kind)
    structlog.configure(processors=processors, wrapper_class=wrapper, logger_factory=out.factory)
    with stdlib_into(out.written) if kind == "stdlib" else nullcontext():
        try:
            out.returned.append(call(structlog.get_logger()))
        except (TypeError, AttributeError, ValueError) as error:
            return type(error).__name__
        finally:
            structlog.reset_defaults()
    return out.content()


def rendering(renderer: str, kind: str) -> list[Any]:
    """The processors behind ours."""
    if RENDERERS[renderer] is None:
        return []
    return [RENDERERS[renderer], *([encoded] if kind == "bytes" else [])]


def placed(log: Any) -> Any:
    return log.bind(user="bob").warning("order.placed", items=[1, {"n": 2}], amount=3)


def failed(log: Any) -> Any:
    try:
        raise LookupError("gone")
    except LookupError:
        return log.critical("order.failed", exc_info=True)


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capture() as events:
        yield events


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("kind", ["print", "write", "bytes", "stdlib", "return"])
def test_a_chain_with_our_processor_routes_the_event_and_writes_what_it_wrote(
    kind: str, renderer: str, wrapper: str, captured: Captured
) -> None:
    behind = rendering(renderer, kind)
    before = [structlog.contextvars.merge_contextvars, structlog.processors.add_log_level]
    own = output(kind, before + behind, WRAPPERS[wrapper], placed)
    got = output(kind, [*before, logweir.RoutingProcessor(), *behind], WRAPPERS[wrapper], placed)
    if renderer == "none" and kind != "return":
        empty = b"" if kind == "bytes" else ""
        assert got == (empty, "[None]")  # the chain ended there, quietly
    else:
        assert got == own  # where the chain did not fit its logger, it does not now
    (event,) = captured.events
    assert (event.name, event.level) == ("order.placed", "warning")
    fields = {name: value for name, value in event.fields.items() if name != "logger"}
    assert fields == {"user": "bob", "items": [1, {"n": 2}], "amount": 3}


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("kind", ["print", "stdlib", "return"])
def test_an_exception_reaches_both_the_event_and_the_users_own_output(
    kind: str, renderer: str, captured: Captured
) -> None:
    behind = rendering(renderer, kind)
    got = output(kind, [logweir.RoutingProcessor(), *behind], WRAPPERS["filtering"], failed)
    (event,) = captured.events
    assert (event.name, event.level, event.fields["error_type"]) == (
        "order.failed",
        "critical",
        "LookupError",
    )
    assert event.fields["exception"].endswith("LookupError: gone")
    if renderer == "console" and kind == "print":
        assert "LookupError" in got[0]


def test_a_chain_that_ends_with_our_processor_is_silent_under_structlogs_defaults(
    captured: Captured, capsys: pytest.CaptureFixture[str]
) -> None:
    structlog.configure(processors=[structlog.processors.add_log_level, logweir.RoutingProcessor()])
    log = structlog.get_logger()
    for _ in range(3):
        log.info("quiet", a=1)
    assert capsys.readouterr() == ("", "")
    assert captured.names() == ["quiet"] * 3


@pytest.mark.parametrize("method", ["ainfo", "aerror", "acritical"])
async def test_a_coroutine_may_log_by_a_chain_that_ends_with_our_processor(
    method: str, captured: Captured
) -> None:
    structlog.configure(processors=[logweir.RoutingProcessor()])
    await getattr(structlog.get_logger(), method)("later", a=1)
    await logweir.aflush()
    assert [(event.name, event.fields) for event in captured.arrived] == [("later", {"a": 1})]


def test_final_ends_the_chain_wherever_it_stands(captured: Captured) -> None:
    reached: list[Any] = []

    def behind(_logger: Any, _method: str, event_dict: Any) -> Any:
        reached.append(event_dict)
        return event_dict

    structlog.configure(processors=[logweir.RoutingProcessor(final=True), behind, JSONRenderer()])
    assert structlog.get_logger().info("only routed") is None
    structlog.configure(processors=[logweir.RoutingProcessor(final=False), behind, JSONRenderer()])
    structlog.get_logger().info("goes on")
    assert captured.names() == ["only routed", "goes on"]
    assert reached == [{"event": "goes on"}]


def test_what_goes_on_is_the_dictionary_that_came(captured: Captured) -> None:
    seen: list[Any] = []

    def look(_logger: Any, _method: str, event_dict: Any) -> Any:
        seen.append((event_dict, dict(event_dict)))
        return event_dict

    structlog.configure(
        processors=[look, logweir.RoutingProcessor(), look],
        logger_factory=structlog.testing.ReturnLoggerFactory(),
    )
    said = {"event": "x", "level": "error", "exc_info": False, "persist_db": True, "password": "p"}
    answer = structlog.get_logger().info(said.pop("event"), **said)
    (first, one), (second, two) = seen
    assert first is second
    assert one == two == answer[1] == {"event": "x", **said}
    (event,) = captured.audit
    assert (event.level, event.fields) == ("error", {"password": "***"})


def test_arguments_that_a_chain_has_not_filled_in_yet_are_filled_in(captured: Captured) -> None:
    stream = io.StringIO()
    structlog.configure(
        processors=[
            logweir.RoutingProcessor(),
            structlog.stdlib.PositionalArgumentsFormatter(),
            KeyValueRenderer(),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.PrintLoggerFactory(stream),
    )
    structlog.get_logger().info("user %s has %d", "bob", 3, a=1)
    assert stream.getvalue() == "a=1 event='user bob has 3'\n"
    (event,) = captured.events
    assert (event.name, event.fields) == ("user bob has 3", {"a": 1})


@pytest.mark.parametrize("renderer", ["console", "json", "wrap_for_formatter", "log_kwargs"])
def test_behind_a_renderer_the_event_is_routed_with_what_is_left_of_it(
    renderer: str, captured: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    kind = "return"
    chain = [structlog.processors.add_log_level, RENDERERS[renderer]]
    own = output(kind, chain, WRAPPERS["filtering"], placed)
    with caplog.at_level(logging.WARNING, "logweir"):
        got = output(kind, [*chain, logweir.RoutingProcessor()], WRAPPERS["filtering"], placed)
    assert got == own
    (event,) = captured.events
    if renderer in {"console", "json"}:
        assert "order.placed" in event.name
        assert "renderer" in caplog.text
    else:
        assert (event.name, event.fields["amount"]) == ("order.placed", 3)
    assert event.level == "warning"
