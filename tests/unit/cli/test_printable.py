"""What was logged never commands a terminal, in whatever field it stands."""

import json
from typing import Any

import pytest
from msgspec import structs
from rich.console import Console

from logweir.cli import check, dead_letter_tables, events
from logweir.cli import top_table as top
from logweir.cli.metrics_client import Picture
from logweir.delivery.dead_letters import DeadLetter
from logweir.event import Event
from logweir.sinks.results import Health, HealthStatus
from logweir.testing.contract import make_event

EVIL = "a\x1b[2J\x9b31m\u202e\x7f\nb\u2028"
HARMFUL = set("\x1b\x9b\u202e\x7f\u2028")
PLACES: list[dict[str, Any]] = [
    {"name": EVIL},
    {"trace_id": EVIL},
    {"span_id": EVIL},
    {"level": EVIL},
    {"service": EVIL},
    {"env": EVIL},
    {"fields": {EVIL: 1}},
    {"fields": {"a": EVIL}},
    {"fields": {"a": {EVIL: [EVIL]}}},
]


def evil(place: dict[str, Any]) -> Event:
    return structs.replace(make_event("x"), **place)


@pytest.mark.parametrize("place", PLACES)
def test_f9_no_field_of_an_event_reaches_the_terminal_as_it_is(place: dict[str, Any]) -> None:
    line = events.as_line(evil(place), ["out", EVIL]).plain
    assert not HARMFUL & set(line)
    assert "\n" not in line


@pytest.mark.parametrize("place", PLACES)
def test_f9_json_has_it_escaped_and_means_the_same(place: dict[str, Any]) -> None:
    text = events.as_json(evil(place), ["out"])
    assert not HARMFUL & set(text)
    found = json.loads(text)
    (key,) = place
    assert found["event" if key == "name" else key] == place[key]


@pytest.mark.parametrize("place", PLACES)
def test_f9_nor_does_a_dead_letter(place: dict[str, Any]) -> None:
    letter = DeadLetter.of_event("sink", EVIL, evil(place))
    console = Console(width=200, color_system=None)
    with console.capture() as shown:
        console.print(dead_letter_tables.listed([letter]))
        console.print(dead_letter_tables.described(letter))
    assert not HARMFUL & set(shown.get())
    assert not HARMFUL & set(dead_letter_tables.as_json(letter))


def test_f9_nor_does_what_a_server_says_of_its_health() -> None:
    console = Console(width=200, color_system=None)
    answers = {"out": Health(HealthStatus.DOWN, server=EVIL, detail=EVIL)}
    with console.capture() as shown:
        console.print(check.table_of_health(answers, console))
    assert not HARMFUL & set(shown.get())


def test_f9_nor_do_the_names_in_metrics() -> None:
    values = {("sink_state", EVIL, EVIL): 1.0}
    picture = Picture(0.0, values, {}, (EVIL,))
    console = Console(width=200, color_system=None)
    with console.capture() as shown:
        console.print(top.shown(picture, picture, 200))
    assert not HARMFUL & set(shown.get())
