"""From a refusal to a replay, through the running engine, real sinks and the command line."""

import asyncio
import json
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import logweir
from logweir.cli.app import app
from logweir.config.loading import load_config
from logweir.delivery.dead_letters import DeadLetter, DeadLetters, Selection
from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event
from logweir.sinks.memory import MemorySink
from logweir.sinks.results import WriteResult
from logweir.stores.replay import replay
from logweir.testing.contract import make_event
from support.programs import start_program


class Picky(MemorySink):
    """Does what each event's field ``do`` says until it takes everything."""

    kind = True
    calls: list[list[str]] = []
    kept: dict[str, Event] = {}

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        self.calls.append([event.name for event in batch])
        self.events = self.kept
        if self.kind:
            result = await super().write(batch)
            self.kept.update(self.events)
            return result
        what = {index: event.fields.get("do") for index, event in enumerate(batch)}
        if "unavailable" in what.values():
            raise SinkUnavailable("connection refused")
        if "poison" in what.values():
            raise SinkRejected("cannot encode")
        rejected = {index: "too long: no [room]" for index, do in what.items() if do == "reject"}
        again = frozenset(index for index, do in what.items() if do == "again")
        self.kept.update({e.id: e for i, e in enumerate(batch) if i not in rejected and i not in again})
        return WriteResult(rejected=rejected, retry=again)


@pytest.fixture(autouse=True)
def _picky() -> None:
    Picky.kind, Picky.calls, Picky.kept = False, [], {}


CONFIG: dict[str, Any] = {
    "data_dir": "data",
    "sinks": {
        "picky": {
            "type": f"{__name__}:Picky",
            "batch": {"linger": "1ms", "max_events": 10},
            "retry": {"initial": "1ms", "max": "2ms"},
        },
        "other": {"type": "file", "path": "other.jsonl"},
    },
    "routes": [{"name": "all", "to": ["picky"]}],
}


@pytest.fixture
def routing() -> Path:
    sys.modules.setdefault(__name__, sys.modules[Picky.__module__])
    path = Path("routing.yaml")
    path.write_text(json.dumps(CONFIG))
    return path


def dlq(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(app, ["dlq", *arguments], input=text, env={"COLUMNS": "200"})


def letters() -> list[DeadLetter]:
    return DeadLetters(Path("data")).read()


def reject(*does: str, sink: str = "picky") -> list[Event]:
    events = [make_event(f"event-{number}", do=do) for number, do in enumerate(does)]
    DeadLetters(Path("data")).add([DeadLetter.of_event(sink, "first reason", event) for event in events])
    return events


@pytest.mark.wound("vector #12145")
def test_a_rejected_event_is_a_dead_letter_with_its_reason_and_can_be_replayed(routing: Path) -> None:
    with logweir.running(str(routing)) as runtime:
        for number in range(20):
            runtime.emit(
                "paid", {"n": number, "do": "reject" if number % 5 == 0 else "", "password": "hunter2"}
            )
        assert runtime.flush()
        counts = runtime.metrics().sinks["picky"]
        assert (counts.accepted, counts.stored, counts.dead) == (20, 16, 4)  # not counted as delivered
        assert runtime.metrics().dead_letters.waiting == {"picky": 4}
    assert sorted(event.fields["n"] for event in Picky.kept.values()) == [n for n in range(20) if n % 5]
    listed = [json.loads(line) for line in dlq("list", "--json").stdout.splitlines()]
    assert [(found["reason"], found["event"]["fields"]["n"]) for found in listed] == [
        ("too long: no [room]", n) for n in (0, 5, 10, 15)
    ]
    assert b"hunter2" not in b"".join(letter.body for letter in letters())
    Picky.kind = True  # somebody fixed the cause
    result = dlq("replay")
    assert result.exit_code == 0, result.output
    assert sorted(event.fields["n"] for event in Picky.kept.values()) == list(range(20))
    assert letters() == []


def test_what_is_refused_again_stays_with_the_new_reason_and_its_attempts(routing: Path) -> None:
    events = reject("reject", "", "poison", "")
    result = dlq("replay", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["stored"] == {"picky": 2}
    assert [(found.id, found.reason, found.attempts) for found in letters()] == [
        (f"{events[0].id}:picky", "too long: no [room]", 2),
        (f"{events[2].id}:picky", "cannot encode", 2),
    ]
    assert set(Picky.kept) == {events[1].id, events[3].id}


def test_replaying_twice_stores_once(routing: Path) -> None:
    """A crash between the store's answer and the removal leaves the letter: the next replay is harmless."""
    events = reject("", "")
    before = letters()
    assert dlq("replay").exit_code == 0
    DeadLetters(Path("data")).add(before)
    Picky.kind = True
    assert dlq("replay").exit_code == 0
    assert list(Picky.kept) == [event.id for event in events]
    assert letters() == []


def test_letters_of_one_event_sent_to_one_sink_are_settled_together(routing: Path) -> None:
    event = make_event("one")
    DeadLetters(Path("data")).add(
        [DeadLetter.of_event(sink, "no", event) for sink in ("picky", "gone", "older")]
    )
    assert dlq("replay", "--to", "other").exit_code == 0
    assert len(Path("other.jsonl").read_text().splitlines()) == 1
    assert letters() == []


def test_a_refusal_by_another_sink_names_that_sink(routing: Path) -> None:
    reject("reject", sink="gone")
    assert dlq("replay", "--to", "picky").exit_code == 1
    (letter,) = letters()
    assert (letter.sink, letter.reason) == ("gone", "sink 'picky': too long: no [room]")


def test_letters_of_a_sink_that_is_not_declared_stay_and_say_so(routing: Path) -> None:
    reject("", "", sink="gone")
    reject("")
    result = dlq("replay")
    assert result.exit_code == 1
    assert "sink 'gone' is not declared, letters left: 2; --to sends them to another one" in result.stdout
    assert [letter.reason for letter in letters()] == ["first reason"] * 2


@pytest.mark.busy
async def test_a_sink_that_is_away_leaves_its_letters_as_they_were_and_does_not_hold_up_others(
    routing: Path,
) -> None:
    await asyncio.to_thread(reject, *["unavailable"] * 30)
    await asyncio.to_thread(reject, "", "", sink="other")
    dead = DeadLetters(Path("data"))
    config = await asyncio.to_thread(load_config, "routing.yaml")
    outcome = await replay(config, dead, Selection(), timeout=0.2)
    assert outcome.stored == {"other": 2}
    assert outcome.waiting == {"picky": 30}
    assert outcome.unanswered == {"picky": "connection refused"}
    assert {(letter.reason, letter.attempts) for letter in await asyncio.to_thread(letters)} == {
        ("first reason", 1)
    }


@pytest.mark.busy
async def test_one_event_that_is_put_off_again_and_again_does_not_hold_up_the_rest(routing: Path) -> None:
    events = await asyncio.to_thread(reject, *["again", *[""] * 24])
    config = await asyncio.to_thread(load_config, "routing.yaml")
    outcome = await replay(config, DeadLetters(Path("data")), Selection(), timeout=0.2)
    assert (outcome.stored, outcome.waiting) == ({"picky": 24}, {"picky": 1})
    assert [letter.id for letter in await asyncio.to_thread(letters)] == [f"{events[0].id}:picky"]


@pytest.mark.busy
async def test_a_replay_that_is_cancelled_keeps_what_the_store_has_answered(routing: Path) -> None:
    events = await asyncio.to_thread(reject, "", "again")
    config = await asyncio.to_thread(load_config, "routing.yaml")
    work = asyncio.create_task(replay(config, DeadLetters(Path("data")), Selection()))
    async with asyncio.timeout(10):
        while len(Picky.calls) < 3:
            await asyncio.sleep(0.001)
    work.cancel()
    await asyncio.wait((work,))
    assert [letter.id for letter in await asyncio.to_thread(letters)] == [f"{events[1].id}:picky"]


def test_a_letter_that_cannot_be_read_does_not_hold_up_the_others(routing: Path) -> None:
    reject("")
    DeadLetters(Path("data")).add([DeadLetter("picky", "no", b"\xff{", "", "broken", 1)])
    result = dlq("replay")
    assert result.exit_code == 1
    assert "broken: the event cannot be read" in result.stdout
    assert [letter.id for letter in letters()] == ["broken"]
    assert len(Picky.kept) == 1


def test_lines_are_shown_and_dropped_and_not_replayed(routing: Path) -> None:
    reject("")
    line = DeadLetter.of_line("a.log:3", "not JSON: [x]", b'{"a": \x1b[2J')
    DeadLetters(Path("data")).add([line])
    result = dlq("replay")
    assert result.exit_code == 0
    assert "unreadable lines that wait: 1" in result.stdout
    assert dlq("replay", line.id).exit_code == 1
    shown = dlq("show", line.id).stdout
    assert "this line never became an event; fix it and give it to `logweir run`" in shown
    assert "a.log:3" in shown
    assert "\x1b[2J" not in shown
    assert dlq("drop", "--sink", "-", "--yes").stdout == "letters dropped: 1\n"
    assert letters() == []


def test_a_limit_is_kept(routing: Path) -> None:
    reject(*[""] * 25)
    assert dlq("replay", "--limit", "13").exit_code == 0
    assert (len(Picky.kept), len(letters())) == (13, 12)


@pytest.mark.busy
def test_a_replay_that_is_killed_in_the_middle_is_simply_repeated(tmp_path: Path) -> None:
    """The store has every event once, whatever the killed replay had come to."""
    config = {
        "data_dir": "data",
        "sinks": {
            "db": {
                "type": "sqlite",
                "url": "sqlite+aiosqlite:///audit.db",
                "table": "audit_log",
                "provision": True,
                "batch": {"max_events": 5},
            }
        },
        "routes": [{"name": "all", "to": ["db"]}],
    }
    events = reject(*[""] * 400, sink="db")
    program = start_program(
        tmp_path,
        """
        from logweir.cli.app import main
        sys.argv = ["logweir", "dlq", "replay"]
        main()
        """,
        config=json.dumps(config),
    )
    dead = DeadLetters(Path("data"))
    while program.poll() is None and not dead.count() < 300:
        time.sleep(0.002)
    program.kill()
    program.communicate()
    assert dlq("replay").exit_code == 0
    with closing(sqlite3.connect("audit.db")) as connection:
        rows = connection.execute("SELECT count(*), count(DISTINCT id) FROM audit_log").fetchone()
    assert rows == (len(events), len(events))
    assert dead.count() == 0


# -- wrong input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "nowhere"], "there is no dead letter 'nowhere'"),
        (["replay", "nowhere"], "there is no dead letter 'nowhere'"),
        (["replay", "--to", "lost"], "there is no sink 'lost'; there are picky, other"),
        (["list", "--since", "yesterday"], "--since 'yesterday' is not understood"),
        (["list", "--older-than", "7 apples"], "--older-than '7 apples' is not understood"),
        (["list", "--until", "1h", "--older-than", "1h"], "give one of them"),
        (["list", "--limit", "0"], "--limit"),
        (["drop"], "or --all"),
        (["drop", "--all", "--sink", "picky"], "or --all"),
        (["drop", "--all"], "confirm with --yes"),
        (["list", "-c", "absent.yaml"], "absent.yaml"),
    ],
)
def test_wrong_input_is_one_message_and_exit_code_2(
    arguments: list[str], message: str, routing: Path
) -> None:
    reject("")
    result = dlq(*arguments)
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.output
    assert len(letters()) == 1


def test_a_file_that_cannot_be_read_is_a_failed_run(routing: Path) -> None:
    Path("data/dead_letters.db").mkdir(parents=True)
    result = dlq("list")
    assert result.exit_code == 1
    assert result.stderr.startswith("logweir: ")
    assert "data/dead_letters.db: unable to open" in result.stderr


def test_times_are_taken_as_utc_and_as_durations(routing: Path) -> None:
    DeadLetters(Path("data")).add(
        [DeadLetter("picky", "r", b"{}", "", f"l{hour}:picky", hour * 3600 * 10**9) for hour in range(5)]
    )
    listed = dlq("list", "--json", "--since", "1970-01-01T01:00", "--until", "1970-01-01T05:00+02:00")
    assert [json.loads(line)["id"] for line in listed.stdout.splitlines()] == ["l1:picky", "l2:picky"]
    assert len(dlq("list", "--json", "--older-than", "1h").stdout.splitlines()) == 5
    assert dlq("list", "--json", "--since", "1h").stdout == ""


def test_a_list_says_what_is_there_and_how_long_it_is_kept(routing: Path) -> None:
    assert dlq("list").stdout == "dead letters: none (kept until they are replayed or dropped)\n"
    events = reject("", "")
    Path("routing.yaml").write_text(
        json.dumps({**CONFIG, "dead_letters": {"keep": "90d", "max_bytes": "1GiB"}})
    )
    shown = dlq("list", "--limit", "1").stdout
    assert events[0].id in shown
    assert "event-0: first reason" in shown
    assert "1 of 2; --limit shows more" in shown
    assert "(kept for 90 d and up to 1.0 GiB in all)" in shown
    checked = CliRunner().invoke(app, ["check", "--no-probe"]).stdout
    assert "dead letters: 2 (" in checked
    assert "first reason" in dlq("show", events[0].id).stdout


def test_dropping_asks_and_takes_no_for_an_answer(routing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logweir.cli.dlq._is_terminal", lambda: True)
    reject("", "")
    assert dlq("drop", "--all", text="n\n").exit_code == 1
    assert len(letters()) == 2
    assert dlq("drop", "--reason", "FIRST", "--limit", "1", text="y\n").exit_code == 0
    assert len(letters()) == 1


@pytest.mark.usefixtures("routing")
def test_x2_a_sink_that_nobody_knows_is_refused_with_those_that_are_known() -> None:
    reject("x", sink="declared_no_more")
    refused = dlq("list", "--sink", "nosuch")
    assert refused.exit_code == 2
    assert "there is no sink" in " ".join(refused.output.replace("│", "").split())
    assert "declared_no_more" in refused.output
    assert dlq("list", "--sink", "declared_no_more").exit_code == 0
    assert dlq("drop", "--sink", "nosuch", "--yes").exit_code == 2
