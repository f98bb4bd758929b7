"""What was logged never commands a terminal, in whatever field it stands."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec import structs
from rich.console import Console

from logweir.cli import archive, check, dead_letter_tables, events, migrate, verify_report
from logweir.cli import top_table as top
from logweir.cli.metrics_client import Picture
from logweir.delivery.dead_letters import DeadLetter
from logweir.encoding.one_line import on_one_line
from logweir.event import Event
from logweir.sinks.results import Health, HealthStatus
from logweir.sinks.tamper_evidence import Chained, Epoch, Finding, Trouble
from logweir.stores.migration import Moved
from logweir.stores.saved_heads import SavedHeads
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


def shown_lines(*printed: Any) -> list[str]:
    console = Console(width=500, color_system=None)
    with console.capture() as captured:
        for one in printed:
            console.print(one)
    return captured.get().splitlines()


def test_a_row_writes_no_line_into_the_report_that_finds_it() -> None:
    found = Finding(Trouble.INSERTED, EVIL, writer=EVIL, seq=EVIL, event_id=EVIL)  # type: ignore[arg-type]
    (shown,) = shown_lines(verify_report.line("audit_db", found))
    assert not HARMFUL & set(shown)
    assert shown.count(on_one_line(EVIL)) == 4


def test_nor_do_a_file_of_heads_and_what_an_operator_accepted(tmp_path: Path) -> None:
    (shown,) = shown_lines(verify_report.about_saved(SavedHeads(tmp_path / EVIL, EVIL, EVIL, 3, True)))
    assert not HARMFUL & set(shown)

    class Accepting:
        def epochs(self) -> list[Epoch]:
            return [Epoch("id", 1, "accepted", EVIL)]

    (shown,) = shown_lines(*verify_report.about_epochs(cast("Chained", Accepting())))
    assert not HARMFUL & set(shown)


def test_nor_does_an_event_that_an_archive_could_not_be_rid_of(capsys: pytest.CaptureFixture[str]) -> None:
    archive._report_problem(f"the sink refused event {EVIL}: {EVIL}")
    (shown,) = capsys.readouterr().err.split("\n")[:-1]
    assert not HARMFUL & set(shown)


def test_nor_does_an_event_that_was_not_moved(capsys: pytest.CaptureFixture[str]) -> None:
    migrate._report_refused(Moved(rejected={EVIL: EVIL}, missing=[EVIL]))
    shown = capsys.readouterr().err.split("\n")[:-1]
    assert len(shown) == 2
    assert not HARMFUL & set("".join(shown))


def test_a_letter_is_two_lines_in_the_list_whatever_it_holds() -> None:
    letter = DeadLetter.of_event("sink", EVIL, evil({"name": EVIL}))
    assert len(shown_lines(dead_letter_tables.listed([letter]))) == 2


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
