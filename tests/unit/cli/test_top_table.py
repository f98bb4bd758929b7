"""``logweir top`` on terminals of any width."""

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
