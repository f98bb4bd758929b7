"""``logweir top`` on terminals of any width."""

import re
from collections.abc import Mapping

import pytest
from rich.console import Console

from logweir.cli.metrics_client import Picture
from logweir.cli.top_table import shown

SINKS = ("audit_db", "logs", "documents", "search")
STATES = ("healthy", "opening", "degraded", "down")
VALUES = {("sink_state", sink, state): 1.0 for sink, state in zip(SINKS, STATES, strict=True)}
BUSY = {(name, sink, ""): 1_234_567.0 for name in ("queue_events", "queue_bytes") for sink in SINKS}


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_x3_names_and_states_are_shown_at_any_width(width: int) -> None:
    picture = Picture(0.0, {**VALUES, **BUSY}, {}, SINKS)
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(shown(picture, picture, width))
    lines = captured.get().splitlines()
    assert max(map(len, lines)) <= width
    for word in (*SINKS, *STATES, "1,234,567", "dropped", "dead"):
        assert word in captured.get()
    assert ("p50" in lines[0]) == (width >= 100)


BROKER = {
    ("broker_lag_events", "logs", "0"): 1_000.0,
    ("broker_lag_events", "logs", "1"): 234.0,
    ("broker_pending_events", "logs", "1"): 56.0,
    ("broker_consumers", "logs", "0"): 3.0,
    ("broker_consumers", "logs", "1"): 2.0,
    ("broker_dead_letters", "logs", ""): 78.0,
    ("broker_read_age_seconds", "logs", ""): 2.0,
}


@pytest.mark.parametrize("width", [60, 100, 160])
def test_what_a_worker_knows_of_its_broker_is_shown_where_there_is_one(width: int) -> None:
    picture = Picture(0.0, {**VALUES, **BUSY, **BROKER}, {}, SINKS)
    text = _printed(picture, width)
    assert max(map(len, text.splitlines())) <= width
    for word in ("lag", "1,234", "78", *SINKS):
        assert word in text
    assert ("workers" in text) == (width > 60)
    assert "s since the broker" not in text


def test_a_broker_that_is_silent_is_noted() -> None:
    age = {("broker_read_age_seconds", "logs", ""): 95.0}
    text = _printed(Picture(0.0, {**VALUES, **BROKER, **age}, {}, SINKS), 160)
    assert "95 s since the broker of logs was read" in text


@pytest.mark.parametrize("width", [60, 160])
def test_each_process_has_a_row_below_that_of_all(width: int) -> None:
    def stored(number: float, at: float) -> Picture:
        return Picture(at, {**VALUES, ("events_stored_total", "logs", ""): number}, {}, ("logs",))

    each = {"4711": (stored(0, 0.0), stored(30, 1.0)), "4712": (stored(0, 0.0), stored(70, 1.0))}
    text = _printed(stored(0, 0.0), width, stored(100, 1.0), each)
    assert max(map(len, text.splitlines())) <= width
    head, *rows = [re.split("  +", line.strip()) for line in text.splitlines()]
    assert head[:3] == ["process", "sink", "state"]
    assert [row[:2] for row in rows] == [["all", "logs"], ["4711", "logs"], ["4712", "logs"]]
    if width > 60:
        assert [row[head.index("out/s")] for row in rows] == ["100", "30", "70"]


FALLBACK = {("sink_circuit", "logs", "open"): 1.0, ("fallback_events", "logs", ""): 1_234.0}


@pytest.mark.parametrize("width", [60, 160])
def test_the_circuit_is_shown_where_a_sink_has_a_fallback(width: int) -> None:
    text = _printed(Picture(0.0, {**VALUES, **BUSY, **FALLBACK}, {}, SINKS), width)
    assert max(map(len, text.splitlines())) <= width
    for word in ("circuit", "open", *SINKS):
        assert word in text
    assert "1,234 events of logs in its fallback" in text
    assert "circuit" not in _printed(Picture(0.0, VALUES, {}, SINKS), width)


def _printed(
    picture: Picture,
    width: int,
    now: Picture | None = None,
    each: Mapping[str, tuple[Picture, Picture]] | None = None,
) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(shown(picture, now or picture, width, each))
    return captured.get()
