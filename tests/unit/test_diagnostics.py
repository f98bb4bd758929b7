"""logweir's own voice: whoever reports is not broken by who listens."""

import logging
from collections.abc import Iterator

import pytest

import logweir
from logweir import diagnostics


class Broken(logging.Handler):
    """A handler of an application that raises."""

    def emit(self, record: logging.LogRecord) -> None:
        raise ZeroDivisionError


@pytest.fixture
def broken() -> Iterator[None]:
    handler = Broken()
    logging.getLogger("logweir").addHandler(handler)
    yield
    logging.getLogger("logweir").removeHandler(handler)


@pytest.mark.usefixtures("broken")
def test_c3_a_handler_that_raises_does_not_break_who_reports(capsys: pytest.CaptureFixture[str]) -> None:
    diagnostics.report("a", "all of %s", "it")
    assert "logweir: all of it" in capsys.readouterr().err


@pytest.mark.usefixtures("broken")
def test_c3_a_handler_that_raises_does_not_keep_a_stop_from_its_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    routes = [{"name": "audit", "match": {"kind": "audit"}, "to": ["out"]}]
    runtime = logweir.start({"sinks": {"out": {"type": "memory"}}, "routes": routes})
    runtime.emit("no route takes it", {})
    assert logweir.stop()
    assert logweir.current() is None
    assert "routes dropped 1 event: unrouted" in capsys.readouterr().err
