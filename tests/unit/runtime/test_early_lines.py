"""Early lines: what is logged before a start is handed to it as it was logged, within bounds."""

import time
from typing import Any

import pytest
import structlog

from logweir.event import Event, Kind, new_event_id
from logweir.runtime import early_lines as module
from logweir.runtime.early_lines import EarlyLines


class Taker:
    """A runtime that remembers what it was given."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
        self.contexts: list[dict[str, Any]] = []

    def emit(self, name: str, fields: dict[str, Any], **rest: Any) -> Event | None:
        self.lines.append((name, fields, rest))
        self.contexts.append(structlog.contextvars.get_contextvars())
        return None

    def snapshot(self, fields: dict[str, Any]) -> dict[str, Any]:
        return fields


@pytest.fixture
def early() -> EarlyLines:
    return EarlyLines(lambda: None)


def test_a_line_is_handed_over_as_it_was_logged(early: EarlyLines) -> None:
    given, at = new_event_id(), time.time_ns() - 5_000_000_000
    first = early.emit("a", {"n": 1, "password": "x"}, level="warning", time_ns=at, event_id=given)
    second = early.emit("b", {"persist_db": True}, kind=None)
    third = early.emit("c", {}, kind=Kind.AUDIT)
    assert first is not None
    assert second is not None
    assert third is not None
    assert len(early) == 3
    taker = Taker()
    early.hand_over(taker)
    assert taker.lines == [
        # No rule has decided yet: the kind is the runtime's to find.
        (
            "a",
            {"n": 1, "password": "***"},
            {"level": "warning", "kind": None, "time_ns": at, "event_id": given},
        ),
        ("b", {}, {"level": "info", "kind": Kind.AUDIT, "time_ns": second.time, "event_id": second.id}),
        ("c", {}, {"level": "info", "kind": Kind.AUDIT, "time_ns": third.time, "event_id": third.id}),
    ]
    assert len(early) == 0
    early.hand_over(taker)
    assert len(taker.lines) == 3


def test_a_line_keeps_the_trace_of_its_call_and_gets_nothing_of_the_starts(early: EarlyLines) -> None:
    trace = {"trace_id": "0" * 31 + "1", "span_id": "0" * 15 + "2"}
    early.emit("a", {**trace})
    early.emit("b", {})
    structlog.contextvars.bind_contextvars(request="of the start")
    taker = Taker()
    early.hand_over(taker)
    assert [fields for _, fields, _ in taker.lines] == [trace, {}]
    assert taker.contexts == [{}, {}]


def test_a_line_that_meets_a_start_is_handed_over_at_once() -> None:
    taker = Taker()
    early = EarlyLines(lambda: taker)
    early.emit("a", {})
    assert [name for name, _, _ in taker.lines] == ["a"]
    assert len(early) == 0


@pytest.mark.parametrize("bound", ["lines", "bytes"])
def test_what_is_beyond_the_bounds_is_counted_and_reported_by_the_start(
    early: EarlyLines, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    if bound == "lines":
        monkeypatch.setattr(module, "MOST_LINES", 3)
    else:
        size = EarlyLines(lambda: None).emit("a", {}).size  # type: ignore[union-attr]
        monkeypatch.setattr(module, "MOST_BYTES", 3 * size)
    taken = [early.emit("a", {}) for _ in range(4)] + [early.emit("a", {}, kind=Kind.AUDIT)]
    assert [event is not None for event in taken] == [True] * 3 + [False] * 2
    assert "lines are lost that are logged without a start: no runtime is running" in caplog.text
    taker = Taker()
    early.hand_over(taker)
    assert len(taker.lines) == 3
    assert "2 events (1 audit) are lost: logged before the start, more than are kept for it" in caplog.text
    # There is room again, and what was reported is not reported again.
    caplog.clear()
    assert all(early.emit("a", {}) for _ in range(3))
    early.hand_over(taker)
    assert "are lost" not in caplog.text


def test_what_waits_long_for_a_start_is_reported(
    early: EarlyLines, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    early.emit("a", {})
    now[0] += 10.0
    early.emit("b", {})
    assert caplog.text == ""
    now[0] += 0.5
    early.emit("c", {})
    assert "3 events wait in memory: no runtime is running; call logweir.start(...)" in caplog.text


def test_the_clock_of_the_waiting_begins_anew_with_a_start(
    early: EarlyLines, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    early.emit("a", {})
    early.hand_over(Taker())
    now[0] += 3600.0
    early.emit("b", {})
    assert caplog.text == ""


def test_what_no_runtime_took_is_reported_at_the_end_and_nothing_is_kept_from_then_on(
    early: EarlyLines, caplog: pytest.LogCaptureFixture
) -> None:
    early.emit("a", {})
    early.emit("b", {}, kind=Kind.AUDIT)
    early.give_up()
    assert "2 events (1 audit) are lost: logged and no runtime is running" in caplog.text
    assert len(early) == 0
    assert early.emit("c", {}) is None
    caplog.clear()
    early.give_up()
    assert "1 event (0 audit) is lost" in caplog.text
    # A start all the same, as a later hook at the end of the process may try, takes lines again.
    early.hand_over(Taker())
    assert early.emit("d", {}) is not None


def test_a_line_that_cannot_be_captured_is_reported_and_breaks_nobody(
    early: EarlyLines, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise MemoryError

    monkeypatch.setattr(module, "_snapshotter", broken)
    assert early.emit("a", {}) is None
    assert "an event could not be captured: MemoryError()" in caplog.text


def test_a_snapshot_masks_by_the_built_in_rules(early: EarlyLines) -> None:
    assert early.snapshot({"password": "x", "n": 1}) == {"password": "***", "n": 1}
