"""What somebody does to chained rows past logweir, and what operators do rightly: a list of each.

Every tampering is reported by verifying, whatever the database; every honest operation leaves it sound.
"""

import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import chdir
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import await_only

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event
from logweir.sinks.contract import Query
from logweir.sinks.sql.sink import SqlSink
from logweir.sinks.sql.table import CHAIN_COLUMNS
from logweir.sinks.tamper_evidence import Finding, Head, Trouble
from support.chains import KEY, Place, audit_event, findings, heads
from support.sql import table_name

#: Rows, heads and notes that the release before version 2 of the table has written, with KEY.
OLD = json.loads((Path(__file__).parents[1] / "support/chains_of_version_1.json").read_text())
SERVERS = ["sqlite", "mysql", "mariadb", "postgresql"]
#: For tests that look at rows that were written for all of them.
in_one_loop = pytest.mark.asyncio(loop_scope="module")


def place_on(server: str, request: pytest.FixtureRequest, folder: Path) -> Place:
    """A table for the tests of this module."""
    if server == "sqlite":
        return Place(server, f"sqlite+aiosqlite:///{folder / 'audit.db'}", table_name())
    return Place(server, request.getfixturevalue(server).url, table_name())


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=SERVERS)
async def accepted_once(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Place, SqlSink]]:
    folder = tmp_path_factory.mktemp("accepted")
    place = place_on(request.param, request, folder)
    with chdir(folder):  # where the sink notes what it knows of the table
        async with place.opened(key=KEY) as sink:
            await sink.write([audit_event(number) for number in range(3)])
        async with place.opened(key=KEY) as sink:
            await accept(place, sink)
            await sink.write([audit_event(4)])
            assert await findings(sink) == []
            await place.keep()
            yield place, sink
            assert await findings(sink) == []  # so all was put back, each time
    await place.drop()


@pytest_asyncio.fixture(loop_scope="module")
async def accepted(accepted_once: tuple[Place, SqlSink]) -> AsyncIterator[tuple[Place, SqlSink]]:
    """Four rows of a table that was accepted under another id; what is done to them is undone for the next test."""
    place, _ = accepted_once
    yield accepted_once
    await place.put_back()


async def accept(place: Place, sink: SqlSink) -> None:
    """Give the table a new id."""
    engine = create_async_engine(place.url)
    async with engine.begin() as connection:
        assert sink._chain is not None
        await connection.run_sync(sink._chain.accept, "a test")
    await engine.dispose()


@pytest.fixture(params=SERVERS)
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Makes places that are dropped in the end."""
    made: list[Place] = []

    def make(table: str = "") -> Place:
        if request.param == "sqlite":
            url, name = f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}", table or f"t{len(made)}"
        else:
            url, name = request.getfixturevalue(request.param).url, table or table_name()
        made.append(Place(request.param, url, name))
        return made[-1]

    yield make
    for place in made:
        await place.drop()


@pytest.fixture
async def place(server: Any) -> Place:
    made: Place = server()
    return made


async def put(place: Place, suffix: str, rows: Iterable[dict[str, Any]]) -> None:
    """Insert rows as they are."""
    engine = create_async_engine(place.url)
    async with engine.begin() as connection:
        for row in rows:
            values = [
                f"CAST(:{name} AS JSON)"
                if name == "extra_info" and place.name == "postgresql"
                else f":{name}"
                for name in row
            ]
            statement = f"INSERT INTO {place.table}{suffix} ({', '.join(row)}) VALUES ({', '.join(values)})"
            await connection.execute(text(statement), row)
    await engine.dispose()


async def rows_of(place: Place, suffix: str = "") -> list[dict[str, Any]]:
    engine = create_async_engine(place.url)
    async with engine.connect() as connection:
        found = await connection.execute(text(f"SELECT * FROM {place.table}{suffix}"))
        rows = [dict(row) for row in found.mappings()]
    await engine.dispose()
    for row in rows:
        if "extra_info" in row and not isinstance(row["extra_info"], str):
            row["extra_info"] = json.dumps(row["extra_info"], separators=(",", ":"), ensure_ascii=False)
    return rows


async def make_old(place: Place) -> None:
    """Make the tables as the release before has left them."""
    async with place.opened(key=KEY):
        pass
    await place.run(
        "DROP TABLE TABLE__chain_ids",
        "DROP TABLE TABLE__chain_closed",
        "DELETE FROM TABLE__chain",
        "UPDATE logweir_schema SET version = 1 WHERE table_name = 'TABLE_'",
    )
    shutil.rmtree(".logweir")  # which knows of the table that was made to be replaced
    for suffix in ("", "_chain", "_chain_gone"):
        await put(place, suffix, OLD[f"audit_log{suffix}"])


async def set_extra(place: Place, value: str, where: str) -> None:
    engine = create_async_engine(place.url)
    async with engine.begin() as connection:
        new = "CAST(:value AS JSON)" if place.name == "postgresql" else ":value"
        if place.name == "mysql":  # which would leave 50 where 50.0 is put
            await connection.execute(text(f"UPDATE {place.table} SET extra_info = '{{}}' WHERE {where}"))
        await connection.execute(
            text(f"UPDATE {place.table} SET extra_info = {new} WHERE {where}"), {"value": value}
        )
    await engine.dispose()


# -- A1: the text ---------------------------------------------------------------------------------------

TEXTS = {
    "a duplicate in front": '{"amount":999999,"amount":50,"deep":{"amount":50}}',
    "a nested duplicate": '{"amount":50,"deep":{"amount":999999,"amount":50}}',
    "a duplicate that is spelled otherwise": '{"\\u0061mount":999999,"amount":50,"deep":{"amount":50}}',
    "a name that SQL does not find": '{"\\u0061mount":50,"deep":{"amount":50}}',
    "a space": '{"amount": 50,"deep":{"amount":50}}',
    "another order": '{"deep":{"amount":50},"amount":50}',
    "another number": '{"amount":50.0,"deep":{"amount":50}}',
    "another spelling of the number": '{"amount":5e1,"deep":{"amount":50}}',
}
#: MySQL keeps values: these are what was there before, once they are stored.
SAME_TO_MYSQL = {*TEXTS} - {"another number", "another spelling of the number"}


@dataclass(frozen=True)
class Rewritten:
    """Rows of which each got another text of :data:`TEXTS`.

    Attributes:
        server: Where they are.
        ids: The row of each text.
        found: What verifying says of all of them.
        values: What SQL reads in them, as far as it was asked.
    """

    server: str
    ids: dict[str, str]
    found: list[Finding]
    values: dict[str, tuple[str, str]]

    def stays_the_same(self, name: str) -> bool:
        return self.server == "mysql" and name in SAME_TO_MYSQL


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=[(server, is_service) for server in SERVERS for is_service in (False, True)],
    ids=[f"{server}-{how}" for server in SERVERS for how in ("batch", "service")],
)
async def rewritten(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Rewritten:
    server, is_service = request.param
    folder = tmp_path_factory.mktemp("rewritten")
    place = place_on(server, request, folder)
    events = {name: _bare(amount=50, deep={"amount": 50}) for name in TEXTS}
    with chdir(folder):
        async with place.opened(key=KEY) as sink:
            for event in events.values():
                await (sink.record(event) if is_service else sink.write([event]))
            saved = await heads(sink)
            assert await findings(sink) == []
            for name, event in events.items():
                await set_extra(place, TEXTS[name], f"id = '{event.id}'")
            found = await findings(sink)
            assert [item async for item in sink.compare(saved)] == []
    values = dict[str, tuple[str, str]]()
    if server == "mysql":
        asked = "SELECT id, extra_info->>'$.amount', extra_info->>'$.deep.amount' FROM TABLE_"
        values = {row_id: (amount, deep) for row_id, amount, deep in await place.run(asked)}
    await place.drop()
    return Rewritten(server, {name: event.id for name, event in events.items()}, found, values)


@pytest.mark.parametrize("name", TEXTS)
def test_a1_extra_info_with_another_text_is_found(rewritten: Rewritten, name: str) -> None:
    row_id = rewritten.ids[name]
    found = [item.trouble for item in rewritten.found if item.event_id == row_id]
    if rewritten.stays_the_same(name):
        assert found == []
        assert rewritten.values[row_id] == ("50", "50")
    else:
        assert found == [Trouble.CHANGED]


def test_a1_nothing_but_the_rows_with_another_text_is_found(rewritten: Rewritten) -> None:
    changed = [row_id for name, row_id in rewritten.ids.items() if not rewritten.stays_the_same(name)]
    assert sorted(item.event_id or "" for item in rewritten.found) == sorted(changed)


async def test_a1_a_duplicate_in_front_of_rows_of_the_release_before_is_found(place: Place) -> None:
    await make_old(place)
    async with place.opened(key=KEY) as sink:
        assert await findings(sink) == []
        await set_extra(place, '{"n":9,"n":3}', "action = 'action 3'")
        await set_extra(place, '{"\\u006e":2}', "action = 'action 2'")
        found = sorted(item.seq or 0 for item in await findings(sink))
        assert found == ([] if place.name == "mysql" else [2, 3])


def _bare(**fields: Any) -> Event:
    from logweir.event import Kind
    from logweir.testing.contract import make_event

    return make_event("fund.transfer", fields, kind=Kind.AUDIT)


# -- A2: the table ---------------------------------------------------------------------------------------


async def _transplant(source: Place, target: Place, *suffixes: str) -> None:
    for suffix in suffixes:
        await put(
            target, suffix, [row for row in await rows_of(source, suffix) if row.get("writer") != "beginning"]
        )


async def test_a2_a_chain_of_another_table_with_the_same_key_is_found(server: Any) -> None:
    one, other = server(), server()
    async with one.opened(key=KEY) as sink, other.opened(key=KEY) as target:
        await target.write([audit_event(0)])
        await sink.write([audit_event(number) for number in (1, 2)])
        await sink.record(audit_event(3))
        await _transplant(one, other, "", "_chain")
        found = await findings(target)
        assert {item.trouble for item in found} == {Trouble.CHANGED}
        assert len(found) == 3
        await put(
            other,
            "_chain_closed",
            [
                {
                    **{name: row[name] for name in ("writer", "seq", "hash")},
                    "table_id": sink.epochs()[-1].table_id,
                    "closed_by": target.epochs()[-1].table_id,
                    "mac": row["hash"],
                }
                for row in await rows_of(one, "_chain")
                if row["writer"] != "beginning"
            ],
        )  # a note of who does not have the key
        assert len(await findings(target)) == 3


async def test_a2_all_tables_of_another_name_are_refused(server: Any) -> None:
    one, other = server(), server()
    async with one.opened(key=KEY) as sink:
        await sink.write([audit_event(1)])
    async with other.opened(key=KEY):
        pass
    await other.run(
        *(f"DELETE FROM TABLE_{suffix}" for suffix in ("", "_chain", "_chain_ids", "_chain_closed"))
    )
    for suffix in ("", "_chain", "_chain_ids"):
        await put(other, suffix, await rows_of(one, suffix))
    with pytest.raises(SinkRejected, match="or are those of another table"):
        await other.sink(key=KEY).open()


async def test_a2_a_chain_of_the_release_before_fits_only_where_it_was_closed(server: Any) -> None:
    old, new = server(), server()
    await make_old(old)
    async with new.opened(key=KEY) as target:
        await target.write([audit_event(1)])
        await _transplant(old, new, "", "_chain")
        async with old.opened(key=KEY) as sink:
            assert await findings(sink) == []
            closed = await rows_of(old, "_chain_closed")
        await new.run("DELETE FROM TABLE_ WHERE chain_writer IS NULL")
        assert len(await findings(target)) >= len(OLD["audit_log"]) - 2
        await new.run("DELETE FROM TABLE__chain WHERE writer <> 'beginning'")
        await put(new, "_chain_closed", closed)
        assert len(await findings(target)) >= len(OLD["audit_log"]) - 2


async def test_a2_a_note_of_deletion_of_another_table_excuses_nothing(server: Any) -> None:
    """As of a copy that was restored, given an id of its own, and pruned there."""
    one, other = server(), server()
    async with one.opened(key=KEY) as sink:
        events = [audit_event(number) for number in range(5)]
        await sink.write(events)
        await sink.delete([events[2].id])
        notes = await rows_of(one, "_chain_gone")
        await one.run("DELETE FROM TABLE__chain_gone")
        async with other.opened(key=KEY):
            pass
        engine = create_async_engine(one.url)
        async with engine.begin() as connection:
            chain = sink._chain
            assert chain is not None
            await connection.run_sync(chain.accept, "a copy")
        await engine.dispose()
        await put(one, "_chain_gone", notes)
        assert [(item.trouble, item.seq) for item in await findings(sink)] == [(Trouble.MISSING, 3)]


# -- the notes ------------------------------------------------------------------------------------------

NOTES = {
    "an id changed": "UPDATE TABLE__chain_ids SET table_id = 'mine'",
    "an id predated": "UPDATE TABLE__chain_ids SET started_us = 1 WHERE number = 2",
    "a detail changed": "UPDATE TABLE__chain_ids SET detail = 'nothing'",
    "the last id deleted": "DELETE FROM TABLE__chain_ids WHERE number = 2",
    "all ids deleted": "DELETE FROM TABLE__chain_ids",
    "closed ends deleted": "DELETE FROM TABLE__chain_closed",
    "a closed end moved back": "UPDATE TABLE__chain_closed SET seq = 1",
    "a closed end of another rule": "UPDATE TABLE__chain_closed SET table_id = ''",
    "the beginning deleted": "DELETE FROM TABLE__chain WHERE writer = 'beginning'",
    "the beginning moved": "UPDATE TABLE__chain SET started_us = started_us + 1 WHERE writer = 'beginning'",
    "more rows from before": "UPDATE TABLE__chain SET seq = 100 WHERE writer = 'beginning'",
}


@in_one_loop
@pytest.mark.parametrize("name", NOTES)
async def test_a_change_of_any_note_is_reported(accepted: tuple[Place, SqlSink], name: str) -> None:
    place, sink = accepted
    await place.run(NOTES[name])
    assert await findings(sink)


# -- rows that no part of a verification would read -------------------------------------------------------

HIDDEN = {
    "under the name of the beginning": {"chain_writer": "beginning", "chain_seq": 1},
    "under that name, far behind": {"chain_writer": "beginning", "chain_seq": 2**62},
    "under a name behind all others": {"chain_writer": "~", "chain_seq": 1},
    "without an id and a link": {"id": "", "time_us": 9 * 10**15, **dict.fromkeys(CHAIN_COLUMNS)},
    "before that": {"id": "\x01", "time_us": 9 * 10**15, **dict.fromkeys(CHAIN_COLUMNS)},
}


@in_one_loop
@pytest.mark.parametrize("name", HIDDEN)
async def test_a_forged_row_is_found_wherever_it_hides(accepted: tuple[Place, SqlSink], name: str) -> None:
    place, sink = accepted
    (row, *_) = await rows_of(place)
    forged: dict[str, Any] = {"id": "forged", "chain_prev": "x", "chain_hash": "y", **HIDDEN[name]}
    await put(place, "", [{**row, **forged}])
    assert [(item.trouble, item.event_id) for item in await findings(sink)] == [
        (Trouble.INSERTED, forged["id"])
    ]


# -- rows that retention is made to delete ---------------------------------------------------------------

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


async def test_retention_signs_nothing_for_a_row_whose_time_was_set_back(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    async with place.opened(key=KEY) as sink:
        events = [audit_event(number) for number in range(5)]
        await sink.write([*events, audit_event(5, time_ns=1_000_000)])
        await place.run("UPDATE TABLE_ SET time_us = 1000 WHERE chain_seq = 3")
        assert await sink.prune(LONG_AGO) == 1  # the one that is as old as it says
        assert "1 row was not deleted" in caplog.text
        assert events[2].id in caplog.text
        assert await sink.delete([events[1].id, events[2].id]) == 1
        assert [(item.trouble, item.seq) for item in await findings(sink)] == [(Trouble.CHANGED, 3)]


async def test_retention_signs_nothing_for_a_row_that_was_made_to_fit_a_gap(place: Place) -> None:
    async with place.opened(key=KEY) as sink:
        await sink.write([audit_event(number) for number in range(5)])
        (row,) = [row for row in await rows_of(place) if row["chain_seq"] == 3]
        await place.run("DELETE FROM TABLE_ WHERE chain_seq = 3")
        await put(place, "", [{**row, "id": "forged", "time_us": 1000}])
        assert await sink.prune(LONG_AGO) == 0
        assert [(item.trouble, item.event_id) for item in await findings(sink)] == [
            (Trouble.CHANGED, "forged")
        ]
        await place.run("UPDATE TABLE_ SET chain_hash = NULL WHERE chain_seq = 3")
        assert await sink.prune(LONG_AGO) == 0
        assert await findings(sink)


# -- two who delete at the same time ---------------------------------------------------------------------


async def test_of_two_who_delete_at_once_neither_loses_the_note_of_the_other(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.opened(key=KEY) as sink, place.opened(key=KEY) as other:
        events = [audit_event(number) for number in range(9)]
        await sink.write(events)
        await sink.delete([events[4].id])
        assert sink._chain is not None
        read = sink._chain.gone_of

        def overtaken(*arguments: Any) -> Any:
            noted = read(*arguments)
            monkeypatch.undo()
            await_only(other.delete([events[5].id]))
            return noted

        monkeypatch.setattr(sink._chain, "gone_of", overtaken)
        with pytest.raises(SinkUnavailable, match="noted deletions"):
            await sink.delete([events[3].id])
        assert await sink.delete([events[3].id]) == 1
        assert await findings(sink) == []
        ((first, last),) = await place.run("SELECT first_seq, last_seq FROM TABLE__chain_gone")
        assert (first, last) == (4, 6)


# -- honest operations ----------------------------------------------------------------------------------

Operation = Callable[[Place, SqlSink], Awaitable[None]]


async def _nothing(place: Place, sink: SqlSink) -> None:
    pass


async def _written_on(place: Place, sink: SqlSink) -> None:
    await sink.write(
        [audit_event(number, z=[1e16, 1e-7, -0.0], a={"b": "ä\n", "a": 1}) for number in range(9)]
    )
    await sink.record(audit_event(50, extra_info={"amount": 1}))


async def _reopened(place: Place, sink: SqlSink) -> None:
    async with place.opened(key=KEY) as other:
        await other.write([audit_event(60)])


async def _sent_again(place: Place, sink: SqlSink) -> None:
    batch = [audit_event(number) for number in range(4)]
    await sink.write(batch)
    await sink.write(batch)


async def _accepted(place: Place, sink: SqlSink) -> None:
    await accept(place, sink)


async def _accepted_by_another_process(place: Place, sink: SqlSink) -> None:
    async with place.opened(key=KEY) as other:
        await _accepted(place, other)
    await sink.write([audit_event(61)])
    await sink.record(audit_event(62))


async def _half_deleted(place: Place, sink: SqlSink) -> None:
    events = [event async for event in sink.search(Query())]
    await sink.delete([event.id for event in events[::2]])


async def _all_deleted(place: Place, sink: SqlSink) -> None:
    await sink.delete([event.id async for event in sink.search(Query())])


async def _copied_elsewhere(place: Place, sink: SqlSink) -> None:
    """As ``migrate`` and ``restore`` do: what is read is chained anew where it is written."""
    other = Place(place.name, place.url, f"{place.table}x")
    async with other.opened(key=KEY) as target:
        await target.write([event async for event in sink.search(Query())])
        assert await findings(target) == []
    await other.drop()


OPERATIONS: dict[str, Operation] = {
    function.__name__[1:]: function
    for function in (
        _nothing, _written_on, _reopened, _sent_again, _accepted, _accepted_by_another_process,
        _half_deleted, _all_deleted, _copied_elsewhere,
    )
}  # fmt: skip


@pytest.mark.parametrize("is_old", [False, True], ids=["new", "migrated"])
async def test_honest_operations_leave_it_sound(place: Place, is_old: bool) -> None:
    """One after the other, each on what those before it have left."""
    if is_old:
        await make_old(place)
    async with place.opened(key=KEY) as sink:
        await sink.write([audit_event(number) for number in range(3)])
        saved = await heads(sink)
        for name, operation in OPERATIONS.items():
            await operation(place, sink)
            await expect_sound(sink, saved, name)
            await sink.write([audit_event(70)])
            await sink.delete([event.id async for event in sink.search(Query(limit=2))])
            await expect_sound(sink, saved, name)


async def expect_sound(sink: SqlSink, saved: list[Head], name: str) -> None:
    """Expect that nothing is found after an operation."""
    assert await findings(sink) == [], name
    assert [item async for item in sink.compare(saved)] == [], name


# -- from the release before ----------------------------------------------------------------------------


async def test_a_migration_rewrites_no_row_and_is_done_once(place: Place) -> None:
    await make_old(place)
    before = await rows_of(place)
    async with place.opened(key=KEY) as sink, place.opened(key=KEY) as other:
        assert [epoch.reason for epoch in sink.epochs()] == ["migrated"]
        assert sink.epochs() == other.epochs()
        await sink.write([audit_event(1)])
        await other.write([audit_event(2)])
        assert await findings(sink) == await findings(other) == []
        assert len(await heads(sink)) == 5
        found = {event.name: event async for event in sink.search(Query())}
        assert found["action 4"].fields["extra_info"] == {"amount": 100}
    ids = {row["id"] for row in before}
    assert [
        row for row in sorted(await rows_of(place), key=lambda row: row["id"]) if row["id"] in ids
    ] == sorted(before, key=lambda row: row["id"])
    ((version,),) = await place.run("SELECT version FROM logweir_schema WHERE table_name = 'TABLE_'")
    assert version == 2


async def test_tables_of_the_release_before_are_verified_by_who_may_only_read(place: Place) -> None:
    await make_old(place)
    sink = place.sink(key=KEY, read_only=True)
    await sink.open()
    try:
        assert await findings(sink) == []
        assert sink.epochs() == []
        await place.run("UPDATE TABLE_ SET status = 'failed' WHERE action = 'action 11'")
        assert len(await findings(sink)) == 1
    finally:
        await sink.close()


async def test_what_the_release_before_writes_after_the_migration_is_a_finding(place: Place) -> None:
    await make_old(place)
    async with place.opened(key=KEY) as sink:
        await place.run(
            "DELETE FROM TABLE_ WHERE action = 'action 11'", "DELETE FROM TABLE__chain_closed WHERE seq = 1"
        )
        (last,) = [row for row in OLD["audit_log"] if row["action"] == "action 11"]
        (head,) = [row for row in OLD["audit_log_chain"] if row["writer"] == last["chain_writer"]]
        await put(place, "", [last])
        await put(place, "_chain", [head])
        found = await findings(sink)
        assert [(item.trouble, item.event_id) for item in found if item.event_id == last["id"]] == [
            (Trouble.CHANGED, last["id"])
        ]
