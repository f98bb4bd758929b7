"""Events on standard output: the same lines by the short way and by rich's, and in time."""

import asyncio
import io
import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logweir.cli.event_printer import EventPrinter
from logweir.cli.events import as_line
from logweir.cli.screen import Screen
from logweir.testing.contract import make_event

NAMES = st.text(min_size=1, max_size=20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NAMES, st.dictionaries(NAMES, st.text(max_size=30), max_size=3))
def test_a_file_is_given_the_lines_that_rich_would_write(
    monkeypatch: pytest.MonkeyPatch, name: str, fields: dict[str, str]
) -> None:
    event = make_event(name, **{f"{key}_": value for key, value in fields.items()})
    by_rich = io.StringIO()
    Screen(file=by_rich, soft_wrap=True, highlight=False).print(as_line(event, ["out"]))
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", output := io.StringIO())
        with EventPrinter(json=False) as printer:
            printer.show(event, ["out"])
    assert output.getvalue() == by_rich.getvalue()
    assert output.getvalue().count("\n") == 1


def piped(monkeypatch: pytest.MonkeyPatch) -> tuple[int, io.TextIOWrapper]:
    """Standard output as a pipe: where it is read, and the stream."""
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "w")
    monkeypatch.setattr(sys, "stdout", stream)
    return reading, stream


def test_a_pipe_is_given_a_line_in_a_moment_though_no_other_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, stream = piped(monkeypatch)

    async def show_one() -> str:
        with os.fdopen(reading) as lines, EventPrinter(json=True) as printer:
            printer.show(make_event("first"), ["out"])
            printer.soon()
            arrived = asyncio.Event()
            asyncio.get_running_loop().add_reader(reading, arrived.set)
            await asyncio.wait_for(arrived.wait(), 10)
            asyncio.get_running_loop().remove_reader(reading)
            return lines.readline()

    with stream:
        assert json.loads(asyncio.run(show_one()))["event"] == "first"


def test_a_reader_that_has_seen_enough_ends_what_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, stream = piped(monkeypatch)
    os.close(reading)

    async def show() -> None:
        with EventPrinter(json=True) as printer:
            while True:
                printer.show(make_event(), ["out"])
                printer.soon()
                await asyncio.sleep(0.01)

    with pytest.raises(BrokenPipeError):
        asyncio.run(asyncio.wait_for(show(), 10))
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())
    stream.close()


def test_at_the_end_all_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, stream = piped(monkeypatch)
    with os.fdopen(reading) as lines, stream:
        with EventPrinter(json=True) as printer:
            printer.show(make_event("last"), ["out"])
        assert json.loads(lines.readline())["event"] == "last"
