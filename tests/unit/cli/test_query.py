"""``logweir query`` and ``logweir trace``: filters, one timeline, and sinks that are down."""

import asyncio
import json
import sqlite3
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from logweir.cli.app import app
from logweir.config.loading import load_config
from logweir.encoding.events import decode_event
from logweir.errors import SinkUnavailable
from logweir.event import Event, Kind
from logweir.sinks.contract import Query, Sink, SinkConfig
from logweir.sinks.results import WriteResult
from logweir.stores.reading import opened
from logweir.testing.contract import make_event

TRACE = "0af7651916cd43dd8448eb211c80319c"
SECOND = 10**9
START = 1_790_000_000 * SECOND


class Down(Sink[SinkConfig]):
    async def open(self) -> None:
        raise SinkUnavailable("nobody listens at [db]:3306")

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        return WriteResult.all_stored()

    async def search(self, query: Query) -> AsyncIterator[Event]:
        yield make_event()


class Raising(Down):
    async def open(self) -> None:
        raise RuntimeError("the password is hunter2")


@pytest.fixture(autouse=True)
def _sinks(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("sinks_to_read")
    for sink_class in (Down, Raising):
        setattr(module, sink_class.__name__, sink_class)
    monkeypatch.setitem(sys.modules, "sinks_to_read", module)


def routing(**more: Any) -> None:
    sinks = {
        "audit_db": {"type": "sqlite", "url": "sqlite+aiosqlite:///audit.db", "provision": True},
        "local": {"type": "file", "path": "tracing.jsonl"},
        "console": {"type": "stdout"},
        **more,
    }
    routes = [{"name": "all", "to": ["audit_db", "local"]}]
    Path("routing.yaml").write_text(json.dumps({"sinks": sinks, "routes": routes}))


def store(sink: str, *events: Event) -> None:
    config = load_config("routing.yaml")

    async def work() -> None:
        async with opened(sink, config) as target:
            await target.writer.write(events)

    asyncio.run(work())


def event(name: str, at: int, *, trace_id: str | None = None, **fields: Any) -> Event:
    made = make_event(name, fields, kind=Kind.AUDIT, time_ns=START + at * SECOND)
    return msgspec.structs.replace(made, trace_id=trace_id, size=0)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def names(result: Result) -> list[str]:
    return [json.loads(line)["event"] for line in result.stdout.splitlines()]


@pytest.fixture
def stored() -> list[Event]:
    routing()
    events = [
        event("fund.transfer", 1, user_id=7, status="success"),
        event("fund.transfer", 2, user_id="7", status="failed"),
        event("permission.change", 3, user_id=8, note="for the Ärzte"),
        event("user.login", 4, user={"country": "DE"}, tags=["new", {"id": 7}], note='says "hi"'),
    ]
    events[2] = msgspec.structs.replace(events[2], level="error")
    events[3] = msgspec.structs.replace(events[3], level="warning", service="shop")
    store("audit_db", *events[:2])
    store("local", *events[2:])
    return events


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["fund.transfer", "fund.transfer", "permission.change", "user.login"]),
        (["--newest-first", "--limit", "2"], ["user.login", "permission.change"]),
        (["--sink", "audit_db"], ["fund.transfer", "fund.transfer"]),
        (["--name", "user.login"], ["user.login"]),
        (["--kind", "tracing"], []),
        (["--field", "user_id=7"], ["fund.transfer"]),
        (["--field", "status=failed", "--field", 'user_id="7"'], ["fund.transfer"]),
        (["--field", "user.country=DE"], ["user.login"]),
        (["--text", "Ärzte"], ["permission.change"]),
        (["--text", 'says "hi"'], ["user.login"]),
        (["--text", "contract-service"], []),
        (["--level", "error"], ["permission.change"]),
        (["--level", "WARN+"], ["permission.change", "user.login"]),
        (["--level", "error", "--level", "info", "--limit", "1"], ["fund.transfer"]),
        (["--service", "shop"], ["user.login"]),
        (["--field", "tags=new"], ["user.login"]),
        (["--field", "tags.1.id=7"], ["user.login"]),
        (["--since", "2026-09-21T14:13:23", "--until", "2026-09-21T14:13:24"], ["permission.change"]),
        (["--limit", "1"], ["fund.transfer"]),
        (["--limit", "0"], ["fund.transfer", "fund.transfer", "permission.change", "user.login"]),
    ],
    ids=" ".join,
)
def test_each_filter_finds_what_it_says(
    stored: list[Event], arguments: list[str], expected: list[str]
) -> None:
    result = run("query", "--json", *arguments)
    assert result.exit_code == 0, result.output
    assert names(result) == expected


def test_a_json_line_is_the_event(stored: list[Event]) -> None:
    result = run("query", "--json", "--name", "permission.change")
    assert msgspec.structs.replace(decode_event(result.stdout.encode()), size=0) == stored[2]
    assert json.loads(result.stdout)["sinks"] == ["local"]


def test_a_person_reads_one_line_for_each_event(stored: list[Event]) -> None:
    result = run("query", "--sink", "local")
    first, second = result.stdout.splitlines()
    assert first.startswith("2026-09-21T14:13:23.000000000Z error    permission.change [local] user_id=8 ")
    assert 'note="for the Ärzte"' in first
    assert 'user={"country":"DE"}' in second


def test_what_was_logged_does_not_command_the_terminal() -> None:
    routing()
    store("local", event("evil \x1b[2J", 1, text="a\x1b]0;title\x07\nb", **{"na\rme": [1, "\x9b"]}))
    output = run("query").stdout
    assert output.count("\n") == 1
    assert output.rstrip("\n").isprintable()
    assert "evil \\x1b[2J" in output


def test_the_last_lines_say_that_there_is_more(stored: list[Event]) -> None:
    assert "the first 2 events are shown; --limit shows more" in run("query", "--limit", "2").stderr
    assert "the first event is shown; --limit shows more" in run("query", "--limit", "1").stderr
    assert "shown" not in run("query", "--limit", "4").stderr  # there are four


def test_f8_a_level_that_was_asked_for_as_a_field_is_explained(stored: list[Event]) -> None:
    assert "--level is the event's own level" in run("query", "--field", "level=error").stderr


# -- one trace --------------------------------------------------------------------------------------


def test_a_trace_is_one_timeline_and_an_event_of_several_sinks_is_shown_once() -> None:
    routing()
    both, first, last = (
        event(name, at, trace_id=TRACE) for name, at in (("both", 2), ("first", 1), ("last", 3))
    )
    store("audit_db", both, last)
    store("local", first, both, event("another trace", 2, trace_id="f" * 32))
    result = run("trace", TRACE)
    assert result.exit_code == 0
    words = [line.split()[2:5] for line in result.stdout.splitlines()]
    assert [line[0] for line in words] == ["first", "both", "last"]
    assert "[audit_db, local]" in result.stdout.splitlines()[1]


def test_a_trace_is_narrowed_to_levels_and_a_service() -> None:
    routing()
    loud = msgspec.structs.replace(event("loud", 2, trace_id=TRACE), level="error", service="shop")
    store("local", event("quiet", 1, trace_id=TRACE), loud)
    assert names(run("trace", TRACE, "--json", "--level", "warning+")) == ["loud"]
    assert names(run("trace", TRACE, "--json", "--service", "shop")) == ["loud"]


@pytest.mark.parametrize("limit", ["100", "0"])
def test_rows_that_are_no_events_are_named_and_all_others_are_shown(limit: str) -> None:
    routing()
    store("audit_db", *(event(f"e{number}", number) for number in range(12)))
    with closing(sqlite3.connect("audit.db")) as database, database:
        database.execute("UPDATE audit_log SET kind = 'metric' WHERE action = 'e3'")
        database.execute("UPDATE audit_log SET extra_info = '[1]' WHERE action = 'e5'")
        ids = database.execute("SELECT id FROM audit_log WHERE action IN ('e3', 'e5')").fetchall()
    result = run("query", "--json", "--limit", limit)
    assert result.exit_code == 1
    assert names(result) == [f"e{number}" for number in range(12) if number not in {3, 5}]
    assert "not read: sink 'audit_db': 2 rows: row '" in result.stderr
    for (row_id,) in ids:
        assert result.stderr.count(f"row '{row_id}' of table audit_log is no event") == 1


def test_a_sink_that_is_down_is_reported_and_the_others_are_shown() -> None:
    routing(broken={"type": "sinks_to_read:Down"}, defect={"type": "sinks_to_read:Raising"})
    store("local", event("there", 1, trace_id=TRACE))
    result = run("trace", TRACE)
    assert result.exit_code == 1
    assert " there " in result.stdout
    assert "sink 'broken': nobody listens at [db]:3306" in result.stderr
    assert "sink 'defect': it raised RuntimeError" in result.stderr
    assert "hunter2" not in result.output


def test_a_trace_that_nobody_has_is_said() -> None:
    routing()
    for sink in ("audit_db", "local"):
        store(sink, event("other", 1))
    result = run("trace", TRACE)
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"no event of trace {TRACE} in audit_db, local" in result.stderr


# -- wrong input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sink", "audit-db"], "did you mean 'audit_db'?"),
        (["--sink", "console"], "cannot be read back"),
        (["--since", "yesterday"], "not a time: 'yesterday'"),
        (["--level", "loud+"], "--level 'loud+': write one of debug, info"),
        (["--field", "user_id"], "write NAME=VALUE"),
        (["--kind", "audits"], "'audits' is not one of"),
        (["--limit", "-1"], "--limit"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_ends_with_2_and_says_what_is_right(arguments: list[str], message: str) -> None:
    routing()
    result = CliRunner().invoke(app, ["query", *arguments], env={"COLUMNS": "300"})
    assert result.exit_code == 2
    assert message in result.stderr
