"""The SQLite sink: provisioning, what goes wrong, and what it reports."""

import asyncio
import re
import sqlite3
import subprocess
import sys
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from pydantic import ValidationError

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event, Kind
from logweir.sinks.contract import Query, SinkContext
from logweir.sinks.results import HealthStatus
from logweir.sinks.sql.config import MysqlConfig, SqliteConfig
from logweir.sinks.sql.sink import SqlSink
from logweir.sinks.tamper_evidence import Chaining
from logweir.testing.contract import make_event


def make_sink(path: Path, **options: Any) -> SqlSink:
    settings: dict[str, Any] = {"url": f"sqlite+aiosqlite:///{path}", "provision": True, **options}
    return SqlSink(SqliteConfig(**settings), SinkContext(workers=2))


@asynccontextmanager
async def opened(path: Path, **options: Any) -> Any:
    sink = make_sink(path, **options)
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


async def names(sink: SqlSink, query: Query | None = None) -> list[str]:
    return [event.name async for event in sink.search(query or Query())]


def run(path: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement).fetchall()


# -- opening --------------------------------------------------------------------------------------------


async def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    async with opened(tmp_path / "a" / "b" / "audit.db") as sink:
        await sink.write([make_event("kept")])
    assert run(tmp_path / "a" / "b" / "audit.db", "SELECT action FROM audit_log") == [("kept",)]


async def test_a_relative_path_is_taken_from_the_working_directory(tmp_path: Path) -> None:
    async with opened(Path("data/audit.db")) as sink:
        await sink.write([make_event()])
    assert (tmp_path / "data" / "audit.db").exists()


async def test_a_missing_table_is_reported_unless_it_may_be_made(tmp_path: Path) -> None:
    sink = make_sink(tmp_path / "x.db", provision=False, table="events")
    with pytest.raises(SinkRejected, match=r"the table events is missing; .* set provision: true"):
        await sink.open()
    assert (await sink.check()).status is HealthStatus.DOWN


async def test_a_table_of_another_shape_is_reported_with_the_columns_it_lacks(tmp_path: Path) -> None:
    run(tmp_path / "x.db", "CREATE TABLE audit_log (id TEXT PRIMARY KEY, time_us INTEGER, trace_id, user_id)")
    sink = make_sink(tmp_path / "x.db")
    with pytest.raises(SinkRejected, match=r"the table audit_log lacks the columns action, duration_ms, env"):
        await sink.open()


async def test_a_provisioning_that_was_cut_short_is_completed(tmp_path: Path) -> None:
    async with opened(tmp_path / "x.db"):
        pass
    run(tmp_path / "x.db", "DROP INDEX ix_audit_log_trace")
    async with opened(tmp_path / "x.db"):
        pass
    indexes = run(
        tmp_path / "x.db", "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    )
    assert {name for (name,) in indexes} == {
        "ix_audit_log_time",
        "ix_audit_log_trace",
        "ix_audit_log_user_time",
    }


async def test_the_printed_script_makes_the_table_that_provisioning_makes(tmp_path: Path) -> None:
    sink = make_sink(tmp_path / "made.db")
    with closing(sqlite3.connect(tmp_path / "printed.db")) as connection:
        connection.executescript(sink.provision_script())
    async with opened(tmp_path / "made.db"):
        pass
    schema = "SELECT type, name, sql FROM sqlite_master ORDER BY name"
    assert run(tmp_path / "printed.db", schema) == run(tmp_path / "made.db", schema)


async def test_several_sinks_provision_one_file_at_once(tmp_path: Path) -> None:
    sinks = [make_sink(tmp_path / "x.db") for _ in range(4)]
    await asyncio.gather(*(sink.open() for sink in sinks))
    for number, sink in enumerate(sinks):
        await sink.write([make_event(str(number))])
    assert await names(sinks[0]) == ["0", "1", "2", "3"]
    for sink in sinks:
        await sink.close()


async def test_a_file_that_is_no_database_is_reported_as_unavailable(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"no database at all, but long enough to be looked at" * 40)
    with pytest.raises(SinkUnavailable, match="file is not a database"):
        await make_sink(tmp_path / "x.db").open()


async def test_a_folder_that_cannot_be_made_is_reported_as_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkUnavailable, match="cannot be made"):
        await make_sink(tmp_path / "file" / "folder" / "x.db").open()


async def test_every_connection_writes_ahead_and_syncs_in_full(tmp_path: Path) -> None:
    async with opened(tmp_path / "x.db", busy_timeout="250ms") as sink:
        for _ in range(2):
            async with sink._require_open().connect() as connection:
                found = [
                    (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
                    for name in ("journal_mode", "synchronous", "busy_timeout")
                ]
            assert found == ["wal", 2, 250]


async def test_the_log_is_brought_into_the_database_every_sixteen_megabytes(tmp_path: Path) -> None:
    log, database = tmp_path / "x.db-wal", tmp_path / "x.db"
    async with opened(database) as sink:
        await sink.write([make_event(text="x" * 8_000_000)])
        assert (log.stat().st_size > 8_000_000, database.stat().st_size < 1_000_000) == (True, True)
        for _ in range(4):
            await sink.write([make_event(text="x" * 8_000_000)])
        assert (log.stat().st_size < 26_000_000, database.stat().st_size > 16_000_000) == (True, True)


# -- writing --------------------------------------------------------------------------------------------


async def test_a_row_that_cannot_be_stored_is_rejected_and_the_others_are_stored(tmp_path: Path) -> None:
    batch = [make_event(f"event {number:02}") for number in range(20)]
    batch[3] = make_event("not JSON", value=object())
    batch[11] = make_event("no UTF-8: \ud800")
    async with opened(tmp_path / "x.db") as sink:
        result = await sink.write(batch)
        assert set(result.rejected) == {3, 11}
        assert not result.duplicate
        assert all(reason.startswith("a value cannot be stored: ") for reason in result.rejected.values())
        assert await names(sink) == [event.name for index, event in enumerate(batch) if index not in {3, 11}]


async def test_a_row_that_the_database_refuses_is_rejected_by_its_own_words(tmp_path: Path) -> None:
    async with opened(tmp_path / "x.db") as sink:
        run(
            tmp_path / "x.db",
            "CREATE TRIGGER no BEFORE INSERT ON audit_log WHEN NEW.action = 'poison'"
            " BEGIN SELECT RAISE(ABORT, 'poison is not allowed'); END",
        )
        result = await sink.write([make_event("fine"), make_event("poison"), make_event("fine too")])
        assert result.rejected == {1: "poison is not allowed"}
        assert await names(sink) == ["fine", "fine too"]


@pytest.mark.wound("vector #20118")
async def test_a_batch_sent_again_after_a_lost_answer_is_stored_once(tmp_path: Path) -> None:
    batch = [make_event(str(number)) for number in range(10)]
    async with opened(tmp_path / "x.db") as sink:
        await sink.write(batch[:6])
    async with opened(tmp_path / "x.db") as sink:
        result = await sink.write([*batch, batch[9]])
        assert result.duplicate == {0, 1, 2, 3, 4, 5, 10}
        assert len(await names(sink)) == 10


async def test_a_locked_database_is_unavailable_for_now(tmp_path: Path) -> None:
    async with opened(tmp_path / "x.db", busy_timeout="1ms") as sink:
        with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(SinkUnavailable, match="database is locked"):
                await sink.write([make_event()])
            assert (await sink.check()).status is HealthStatus.DOWN
            other.execute("ROLLBACK")
        await sink.write([make_event("later")])
        assert await names(sink) == ["later"]


@pytest.mark.wound("vector #18820")
async def test_what_was_answered_as_stored_survives_a_kill(tmp_path: Path) -> None:
    program = f"""
import asyncio, os, signal
from logweir.sinks.sql.config import MysqlConfig, SqliteConfig
from logweir.sinks.sql.sink import SqlSink
from logweir.testing.contract import make_event
async def main():
    sink = SqlSink(SqliteConfig(url="sqlite+aiosqlite:///{tmp_path}/x.db", provision=True))
    await sink.open()
    await sink.write([make_event(str(number)) for number in range(100)])
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    done = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program], check=False)
    assert done.returncode == -9
    async with opened(tmp_path / "x.db") as sink:
        assert len(await names(sink)) == 100


@pytest.mark.busy
async def test_a_search_that_is_read_slowly_keeps_no_writer_waiting(tmp_path: Path) -> None:
    sink = SqlSink(make_sink(tmp_path / "x.db").config, SinkContext(workers=1))
    await sink.open()
    await sink.write([make_event(str(number)) for number in range(5)])
    found = sink.search(Query())
    await anext(found)
    async with asyncio.timeout(5):
        await sink.write([make_event("meanwhile")])
    await found.aclose()  # type: ignore[attr-defined]
    await sink.close()


async def test_what_is_not_open_cannot_serve(tmp_path: Path) -> None:
    sink = make_sink(tmp_path / "x.db")
    with pytest.raises(SinkUnavailable, match="not open"):
        await sink.write([make_event()])
    assert (await sink.check()).status is HealthStatus.DOWN


# -- reading --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(text="Grüße"), ["greeting"]),
        (Query(text="fund."), ["fund.transfer"]),
        (Query(text="50%"), ["discount"]),
        (Query(text="5_%"), []),
        (Query(text="ann"), ["fund.transfer"]),
        (Query(fields={"tags": ["a", {"ü": None}]}), ["greeting"]),
        (Query(fields={"order": {"currency": "EUR"}}), ["discount"]),
        (Query(fields={"order.currency": "EUR"}), ["discount"]),
        (Query(fields={"user_id": "ann"}), ["fund.transfer"]),
        (Query(fields={"user_id": None}), ["greeting"]),
        (Query(fields={"absent": None}), []),
        (Query(fields={"duration_ms": 2.5}), ["fund.transfer"]),
        (Query(fields={"duration_ms": 3}), ["discount"]),
        (Query(fields={'quo"te': 1}), ["discount"]),
        (Query(fields={"back\\slash": "x"}), ["discount"]),
        (Query(fields={"resource": "r" * 300}), ["discount"]),
        (Query(fields={"resource": "r" * 255}), []),
        (Query(fields={"status": "7"}), []),
        (Query(fields={"status": 7}), ["fund.transfer"]),
        (Query(ids=frozenset()), []),
        (Query(ids=frozenset(f"no such id {number}" for number in range(40_000))), []),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a_search_finds_what_was_asked_for(tmp_path: Path, query: Query, expected: list[str]) -> None:
    batch = [
        make_event("greeting", text="Grüße", tags=["a", {"ü": None}], user_id=None),
        make_event("fund.transfer", user_id="ann", duration_ms=2.5, status=7),
        make_event(
            "discount",
            {'quo"te': 1, "back\\slash": "x", "resource": "r" * 300},
            note="50%",
            order={"currency": "EUR"},
            duration_ms=3,
        ),
    ]
    async with opened(tmp_path / "x.db") as sink:
        await sink.write(batch)
        assert await names(sink, query) == expected


async def test_events_of_one_microsecond_come_in_order_of_their_nanoseconds(tmp_path: Path) -> None:
    batch = [make_event(str(digit), time_ns=1_700_000_000_000_000_000 + digit) for digit in (9, 1, 5)]
    async with opened(tmp_path / "x.db") as sink:
        await sink.write(batch)
        assert await names(sink) == ["1", "5", "9"]
        assert await names(sink, Query(newest_first=True)) == ["9", "5", "1"]


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (Query(fields={"user_id": "ann"}, start=datetime(2026, 1, 1, tzinfo=UTC)), "ix_audit_log_user_time"),
        (Query(fields={"user_id": 7}), "ix_audit_log_user_time"),
        (Query(trace_id="0" * 32), "ix_audit_log_trace"),
        (Query(start=datetime(2026, 1, 1, tzinfo=UTC)), "ix_audit_log_time"),
        (Query(ids=frozenset({"a", "b"})), "sqlite_autoindex_audit_log_1"),
    ],
    ids=["user and time", "user with a number", "trace", "time", "ids"],
)
async def test_each_index_serves_the_question_it_is_there_for(
    tmp_path: Path, query: Query, index: str
) -> None:
    from sqlalchemy import select

    from logweir.sinks.sql.dialects.sqlite import Sqlite
    from logweir.sinks.sql.query import conditions_of

    async with opened(tmp_path / "x.db") as sink:
        statement = select(sink._table).where(*conditions_of(query, sink._table, Sqlite()))
        sql = str(
            statement.compile(dialect=sink._require_open().dialect, compile_kwargs={"literal_binds": True})
        )
    plan = run(tmp_path / "x.db", f"EXPLAIN QUERY PLAN {sql}")
    assert index in str(plan)


async def test_pruning_takes_the_oldest_first(tmp_path: Path) -> None:
    batch = [make_event(str(day), time_ns=day * 86_400 * 10**9, kind=Kind.AUDIT) for day in (3, 1, 2)]
    async with opened(tmp_path / "x.db") as sink:
        await sink.write(batch)
        assert await sink.prune(datetime(1980, 1, 1, tzinfo=UTC), limit=2) == 2
        assert await names(sink) == ["3"]


# -- configuration --------------------------------------------------------------------------------------


#: What somebody may do to a row beside us, after which it is no event.
NO_EVENTS = {
    "kind": "kind = 'metric'",
    "broken fields": "extra_info = '{'",
    "a list of fields": "extra_info = '[1]'",
    "a time that is text": "time_us = 'yesterday'",
    "an id of bytes": "id = x'00ff'",
    "an action of bytes": "action = x'00ff'",
    "a service of bytes": "service = x'00ff'",
}


@pytest.mark.parametrize("change", NO_EVENTS.values(), ids=NO_EVENTS)
async def test_a_row_that_is_no_event_is_named_and_passed_over_by_who_asks_for_that(
    tmp_path: Path, change: str
) -> None:
    async with opened(tmp_path / "a.db") as sink:
        await sink.write([make_event(f"e{number}", time_ns=1_000_000 * number) for number in range(5)])
        run(tmp_path / "a.db", f"UPDATE audit_log SET {change} WHERE action = 'e2'")
        ((row_id,),) = run(tmp_path / "a.db", "SELECT id FROM audit_log ORDER BY rowid LIMIT 1 OFFSET 2")
        named = re.escape(f"row {row_id!r} of table audit_log is no event: ")
        with pytest.raises(SinkRejected, match=named):
            await names(sink)
        faults = list[str]()
        assert await names(sink, Query(limit=5, on_unreadable=faults.append)) == ["e0", "e1", "e3", "e4"]
        (fault,) = faults
        assert re.match(named, fault)


async def test_an_event_is_found_and_deleted_by_an_id_with_a_nul(tmp_path: Path) -> None:
    odd = structs.replace(make_event("odd"), id="ab\0cd")
    async with opened(tmp_path / "a.db") as sink:
        await sink.write([odd, make_event("other")])
        assert await names(sink, Query(ids=frozenset({odd.id}))) == ["odd"]
        assert await sink.delete([odd.id, "ab"]) == 1
        assert await names(sink) == ["other"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "no url"}, "not a database URL"),
        ({"url": "sqlite:///x.db"}, "begins with sqlite+aiosqlite:///"),
        ({"url": "mysql+aiomysql://u:hunter22@h/d"}, "begins with sqlite+aiosqlite:///"),
        ({"url": "sqlite+aiosqlite://"}, "a database in memory keeps nothing"),
        ({"url": "sqlite+aiosqlite:///:memory:"}, "a database in memory keeps nothing"),
        ({"table": "audit; DROP TABLE users"}, "is no table name"),
        ({"colour": "red"}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_option_is_refused_and_no_secret_is_shown(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SqliteConfig(**options)
    (problem,) = caught.value.errors()
    assert message in problem["msg"]
    assert "hunter22" not in str(problem["msg"])


def test_the_url_stands_in_no_repr(tmp_path: Path) -> None:
    sink = make_sink(tmp_path / "hunter22.db")
    assert "hunter22" not in f"{sink!r} {sink.config!r} {sink.config.model_dump_json()}"


async def test_the_unit_of_a_write_is_a_transaction(tmp_path: Path) -> None:
    """Nothing of a batch is seen before all of it is."""
    async with opened(tmp_path / "x.db") as sink:
        seen: list[int] = []
        writing = asyncio.ensure_future(sink.write([make_event(str(number)) for number in range(5000)]))
        while not writing.done():
            seen.append(len(await _ids(sink)))
        assert set(seen) <= {0, 5000}
        await writing


async def _ids(sink: SqlSink) -> list[Event]:
    return [event async for event in sink.search(Query(limit=None))]


async def test_writes_that_are_given_up_at_any_moment_leave_the_file_unlocked(tmp_path: Path) -> None:
    sink = make_sink(tmp_path / "x.db", busy_timeout="1s")
    await sink.open()
    given_up = []
    for number in range(30):
        batch = [make_event(str(index)) for index in range(200)]
        writing = asyncio.ensure_future(sink.write(batch))
        await asyncio.wait((writing,), timeout=number / 3000)  # another moment each time
        writing.cancel()
        await asyncio.wait((writing,))
        given_up.append(writing)  # keeps what its frames hold, as a caller's traceback would
        again = await sink.write(batch)
        assert not again.rejected
        assert not again.retry
    assert len(await names(sink, Query(limit=None))) == 30 * 200
    await sink.close()


# -- the same event again -------------------------------------------------------------------------------


@pytest.mark.parametrize("chaining", [None, Chaining(None)])
async def test_f6_an_event_that_comes_again_with_another_time_is_a_duplicate(
    tmp_path: Path, chaining: Chaining | None
) -> None:
    """As a line of a log file does that has no time of its own and is read again after a kill."""
    first = make_event("first", time_ns=10**18)
    again = structs.replace(first, time=2 * 10**18)
    batch = [make_event("new", time_ns=2 * 10**18 + number) for number in range(3)]
    settings = SqliteConfig(url=f"sqlite+aiosqlite:///{tmp_path}/x.db", provision=True)
    sink = SqlSink(settings, SinkContext(workers=2, chaining=chaining))
    await sink.open()
    try:
        await sink.write([first])
        result = await sink.write([batch[0], again, *batch[1:]])
        assert (result.duplicate, result.rejected) == ({1}, {})
        assert await names(sink) == ["first", "new", "new", "new"]
    finally:
        await sink.close()


def test_a_url_without_its_driver_names_those_there_are() -> None:
    with pytest.raises(ValidationError) as caught:
        MysqlConfig(type="mysql", url="mysql://root:hunter22@h/d")
    message = "begins with mysql+aiomysql:// or mariadb+aiomysql://, not mysql://"
    assert caught.value.errors()[0]["msg"].endswith(message)
