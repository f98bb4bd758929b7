"""Chained audit rows on every relational database: each kind of tampering is found, and nothing else is."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import chdir
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from logweir.errors import SinkRejected
from logweir.sinks.sql.chain.hashing import GENESIS, Link, Seal
from logweir.sinks.sql.encode import to_parameters
from logweir.sinks.sql.sink import SqlSink
from logweir.sinks.tamper_evidence import Head, Trouble
from support.chains import KEY, Place, audit_event, findings, heads, summary
from support.sql import table_name

CHANGED, MISSING, INSERTED = Trouble.CHANGED, Trouble.MISSING, Trouble.INSERTED
EVENTS = 20
COLUMNS = {
    "id": "'00000000-0000-7000-8000-000000000000'",
    "time_us": "time_us + 1",
    "time_ns": "time_ns + 1",
    "kind": "'tracing'",
    "level": "'error'",
    "action": "'another'",
    "service": "'another'",
    "env": "'another'",
    "trace_id": "NULL",
    "span_id": "'0000000000000000'",
    "user_id": "'v'",
    "status": "'failed'",
    "resource": "NULL",
    "error_type": "'F'",
    "duration_ms": "duration_ms + 1",
    "extra_info": """'{"n": 99}'""",
    "chain_prev": f"'{'0' * 64}'",
    "chain_hash": f"'{'f' * 64}'",
}


SERVERS = ["sqlite", "mysql", "mariadb", "postgresql"]
#: For tests that only look at rows that were written for all of them.
in_one_loop = pytest.mark.asyncio(loop_scope="module")


def place_on(server: str, request: pytest.FixtureRequest, folder: Path) -> Place:
    if server == "sqlite":
        return Place("sqlite", f"sqlite+aiosqlite:///{folder / 'audit.db'}", "audit_log")
    return Place(server, request.getfixturevalue(server).url, table_name())


@pytest.fixture(params=SERVERS)
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    place = place_on(request.param, request, tmp_path)
    yield place
    if request.param != "sqlite":
        await place.drop()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=SERVERS)
async def written_once(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Place, SqlSink]]:
    folder = tmp_path_factory.mktemp("written")
    place = place_on(request.param, request, folder)
    with chdir(folder):  # where the sink notes what it knows of the table
        async with place.opened(key=KEY) as sink:
            await sink.write([audit_event(number) for number in range(1, EVENTS + 1)])
            await place.keep()
            yield place, sink
    await place.drop()


@pytest_asyncio.fixture(loop_scope="module")
async def written(written_once: tuple[Place, SqlSink]) -> AsyncIterator[tuple[Place, SqlSink]]:
    """A sink with one chain of rows, to which nothing is written: what is done to them is undone for the next test."""
    place, _ = written_once
    yield written_once
    await place.put_back()


@pytest.fixture
async def sink(place: Place) -> AsyncIterator[SqlSink]:
    """A sink with one chain of rows."""
    async with place.opened(key=KEY) as sink:
        await sink.write([audit_event(number) for number in range(1, EVENTS + 1)])
        yield sink


@in_one_loop
async def test_what_was_only_written_is_sound(written: tuple[Place, SqlSink]) -> None:
    _, sink = written
    assert await findings(sink) == []
    assert [head.seq for head in await heads(sink)] == [EVENTS]


@in_one_loop
@pytest.mark.parametrize("columns", [[*COLUMNS][:9], [*COLUMNS][9:]], ids=["first", "others"])
async def test_a_change_of_any_column_is_found(written: tuple[Place, SqlSink], columns: list[str]) -> None:
    place, sink = written
    for number, column in enumerate(columns):
        await place.run(f"UPDATE TABLE_ SET {column} = {COLUMNS[column]} WHERE chain_seq = {2 * number + 2}")
    assert summary(await findings(sink)) == [
        (CHANGED, 2 * number + 2, None) for number in range(len(columns))
    ]


async def test_a_column_that_only_doubles_a_field_is_compared_too(place: Place, sink: SqlSink) -> None:
    await sink.write(
        [audit_event(EVENTS + 1, user_id=7)]
    )  # a number: kept in extra_info, from where it is read
    await place.run(f"UPDATE TABLE_ SET user_id = '8' WHERE chain_seq = {EVENTS + 1}")
    (finding,) = await findings(sink)
    assert (finding.trouble, finding.seq) == (CHANGED, EVENTS + 1)


@in_one_loop
async def test_a_finding_names_writer_event_and_time(written: tuple[Place, SqlSink]) -> None:
    place, sink = written
    ((event_id, writer),) = await place.run("SELECT id, chain_writer FROM TABLE_ WHERE chain_seq = 3")
    await place.run("UPDATE TABLE_ SET status = 'failed' WHERE chain_seq = 3")
    (finding,) = await findings(sink)
    assert (finding.writer, finding.event_id) == (writer, event_id)
    assert finding.time == datetime(2023, 11, 14, 22, 13, 20, 3, UTC)


@in_one_loop
@pytest.mark.parametrize(
    ("condition", "first", "last"),
    [
        ("= 1", 1, 1),
        ("<= 3", 1, 3),
        ("= 7", 7, 7),
        ("BETWEEN 7 AND 9", 7, 9),
        ("= 20", 20, 20),
        ("> 0", 1, 20),
    ],
)
async def test_deleted_rows_are_missing(
    written: tuple[Place, SqlSink], condition: str, first: int, last: int
) -> None:
    place, sink = written
    await place.run(f"DELETE FROM TABLE_ WHERE chain_seq {condition}")
    assert summary(await findings(sink)) == [(MISSING, first, last)]


@in_one_loop
async def test_swapped_rows_are_reported_with_the_places_they_belong_to(
    written: tuple[Place, SqlSink],
) -> None:
    place, sink = written
    await place.run(
        "UPDATE TABLE_ SET chain_seq = 1000 WHERE chain_seq = 5",
        "UPDATE TABLE_ SET chain_seq = 5 WHERE chain_seq = 9",
        "UPDATE TABLE_ SET chain_seq = 9 WHERE chain_seq = 1000",
    )
    found = await findings(sink)
    assert summary(found) == [(Trouble.REORDERED, 5, None), (Trouble.REORDERED, 9, None)]
    assert {item.detail for item in found} == {"it belongs at 5", "it belongs at 9"}


@in_one_loop
async def test_rows_that_swapped_their_whole_links_are_reported_too(written: tuple[Place, SqlSink]) -> None:
    place, sink = written
    links = await place.run("SELECT chain_seq, chain_prev, chain_hash FROM TABLE_ WHERE chain_seq IN (5, 9)")
    one, other = sorted(links)
    await place.run(
        "UPDATE TABLE_ SET chain_seq = 1000 WHERE chain_seq = 5",
        f"UPDATE TABLE_ SET chain_seq = 5, chain_prev = '{one[1]}', chain_hash = '{one[2]}' WHERE chain_seq = 9",
        f"UPDATE TABLE_ SET chain_seq = 9, chain_prev = '{other[1]}', chain_hash = '{other[2]}' WHERE chain_seq = 1000",
    )
    assert summary(await findings(sink)) == [(Trouble.REORDERED, 5, None), (Trouble.REORDERED, 9, None)]


async def _insert_copy(place: Place, link: str) -> None:
    """Put in a row past logweir, with what is said as its link."""
    columns = [column for column in COLUMNS if column not in {"id", "chain_prev", "chain_hash"}]
    names = ", ".join(columns)
    await place.run(
        f"INSERT INTO TABLE_ (id, {names}, chain_writer, chain_seq, chain_prev, chain_hash)"
        f" SELECT 'inserted', {names}, {link} FROM TABLE_ WHERE chain_seq = 4"
    )


@in_one_loop
@pytest.mark.parametrize(
    "link",
    [
        "chain_writer, 21, chain_hash, chain_prev",
        "chain_writer, 1000, chain_prev, chain_hash",
        "'nobody', 1, chain_prev, chain_hash",
        "chain_writer, 0, chain_prev, chain_hash",
        "NULL, 4, chain_prev, chain_hash",
    ],
    ids=["after the end", "far after it", "of no writer", "before the first", "without a writer"],
)
async def test_an_inserted_row_is_found_whatever_its_link(written: tuple[Place, SqlSink], link: str) -> None:
    place, sink = written
    await _insert_copy(place, link)
    found = await findings(sink)
    assert [(item.trouble, item.event_id) for item in found] == [(INSERTED, "inserted")]


async def test_a_row_without_a_link_is_found_unless_it_was_there_before(place: Place) -> None:
    async with place.opened(chained=False) as sink:
        await sink.write([audit_event(0)])
    async with place.opened() as sink:
        await sink.write([audit_event(number) for number in range(1, 9)])
        assert await findings(sink) == []
        await place.run(
            "UPDATE TABLE_ SET time_us = 1 WHERE chain_seq IS NULL"
        )  # nobody said it was protected
        assert await findings(sink) == []
        await _insert_copy(place, "NULL, NULL, NULL, NULL")
        (finding,) = await findings(sink)
        assert (finding.trouble, finding.event_id) == (INSERTED, None)
        assert "2 rows have no link, and when the chains began there were only 1" in finding.detail
        await place.run("UPDATE TABLE_ SET time_us = 9000000000000000 WHERE id = 'inserted'")
        (finding,) = await findings(sink)
        assert (finding.trouble, finding.event_id) == (INSERTED, "inserted")


async def test_rows_from_before_whose_clock_was_ahead_are_no_insertion(place: Place) -> None:
    ahead = time.time_ns() + 3600 * 10**9
    async with place.opened(chained=False) as sink:
        await sink.write([audit_event(0), audit_event(1, time_ns=ahead)])
    async with place.opened(key=KEY) as sink:
        await sink.write([audit_event(number) for number in range(2, 9)])
        assert await findings(sink) == []
        await _insert_copy(place, "NULL, NULL, NULL, NULL")
        await place.run(f"UPDATE TABLE_ SET time_us = {ahead // 1000 + 1} WHERE id = 'inserted'")
        assert [(item.trouble, item.event_id) for item in await findings(sink)] == [(INSERTED, "inserted")]


async def test_a_row_put_where_the_next_one_goes_stops_no_writer(place: Place, sink: SqlSink) -> None:
    await _insert_copy(place, f"chain_writer, {EVENTS + 1}, chain_prev, chain_hash")
    result = await sink.write([audit_event(100)])
    assert (result.rejected, result.duplicate) == ({}, frozenset())
    assert [(item.trouble, item.event_id) for item in await findings(sink)] == [(INSERTED, "inserted")]


async def test_a_head_that_was_rolled_back_is_found_and_never_overwritten(
    place: Place, sink: SqlSink
) -> None:
    (head,) = await heads(sink)
    await place.run(f"UPDATE TABLE__chain SET seq = 15, hash = 'x' WHERE writer = '{head.writer}'")
    await sink.write([audit_event(100)])
    assert summary(await findings(sink)) == [(Trouble.ROLLED_BACK, 16, None)]
    await place.run(f"DELETE FROM TABLE__chain WHERE writer = '{head.writer}'")
    assert summary(await findings(sink)) == [(Trouble.ROLLED_BACK, 1, None)]


async def test_what_was_cut_off_with_its_head_shows_by_saved_heads(place: Place, sink: SqlSink) -> None:
    saved = await heads(sink)
    await sink.write([audit_event(100)])
    assert [item async for item in sink.compare(saved)] == []
    ((hash_,),) = await place.run("SELECT chain_hash FROM TABLE_ WHERE chain_seq = 15")
    await place.run(
        "DELETE FROM TABLE_ WHERE chain_seq > 15",
        f"UPDATE TABLE__chain SET seq = 15, hash = '{hash_}' WHERE writer <> 'beginning'",
    )
    assert await findings(sink) == []
    (finding,) = [item async for item in sink.compare(saved)]
    assert (finding.trouble, finding.writer, finding.seq) == (MISSING, saved[0].writer, EVENTS)


@in_one_loop
async def test_a_whole_writer_that_was_cut_off_shows_by_saved_heads(written: tuple[Place, SqlSink]) -> None:
    place, sink = written
    saved = await heads(sink)
    await place.run("DELETE FROM TABLE_", "DELETE FROM TABLE__chain WHERE writer <> 'beginning'")
    assert await findings(sink) == []
    assert [item.writer async for item in sink.compare(saved)] == [saved[0].writer]


async def test_a_chain_computed_anew_without_the_key_is_found(place: Place, sink: SqlSink) -> None:
    async with place.opened(key=KEY) as other:
        await other.write([audit_event(50)])
    writer = next(head.writer for head in await heads(sink) if head.seq == 1)
    ((table_id,),) = await place.run("SELECT table_id FROM TABLE__chain_ids")
    forged = Seal().of_row(table_id, Link(writer, 1, GENESIS, ""), to_parameters(audit_event(51)))
    await place.run(
        f"UPDATE TABLE_ SET action = 'action 51', chain_hash = '{forged}' WHERE chain_writer = '{writer}'",
        f"UPDATE TABLE__chain SET hash = '{forged}' WHERE writer = '{writer}'",
    )
    assert summary(await findings(sink)) == [(CHANGED, 1, None)]


@in_one_loop
async def test_another_key_is_refused_at_once(written: tuple[Place, SqlSink]) -> None:
    place, _ = written
    with pytest.raises(SinkRejected, match=r"begun with another key; set audit.chain_key to that one"):
        await place.sink().open()


# -- what is not tampering ------------------------------------------------------------------------------


async def test_redelivered_and_repeated_events_leave_it_sound(place: Place, sink: SqlSink) -> None:
    batch = [audit_event(number) for number in range(30)]
    await sink.write(batch[:10])
    result = await sink.write([*batch, batch[29]])
    assert result.duplicate == {*range(10), 30}
    assert await findings(sink) == []
    assert sum(head.seq for head in await heads(sink)) == EVENTS + 30


async def test_poisoned_batches_leave_it_sound(place: Place, sink: SqlSink) -> None:
    poison = audit_event(0, text="\ud800")
    batch = [audit_event(number) for number in range(12)]
    result = await sink.write([*batch[:5], poison, *batch[5:]])
    assert set(result.rejected) == {5}
    assert await findings(sink) == []


async def test_four_workers_leave_it_sound_and_share_few_chains(place: Place, sink: SqlSink) -> None:
    async def work() -> None:
        for _ in range(5):
            await sink.write([audit_event(number) for number in range(20)])

    await asyncio.gather(*(work() for _ in range(4)))
    assert await findings(sink) == []
    assert len(await heads(sink)) <= 4
    assert sum(head.seq for head in await heads(sink)) == EVENTS + 400


async def test_pruned_and_archived_rows_leave_it_sound(place: Place, sink: SqlSink) -> None:
    other = [audit_event(number) for number in range(1, 200)]
    await sink.write(other[:100])
    await sink.write(other[100:])
    before = await heads(sink)
    await sink.record(audit_event(0))
    await sink.delete([event.id for event in other[10:60:3]])
    assert await findings(sink) == []
    assert await sink.prune(datetime(2024, 1, 1, tzinfo=UTC), limit=50) == 50
    assert await findings(sink) == []
    assert [item async for item in sink.compare(before)] == []
    await sink.write([audit_event(300)])
    while await sink.prune(datetime(2024, 1, 1, tzinfo=UTC), limit=100):
        pass
    assert await place.run("SELECT count(*) FROM TABLE_") == [(0,)]
    assert await findings(sink) == []
    assert [item async for item in sink.compare(before)] == []
    assert (
        len(await place.run("SELECT writer FROM TABLE__chain_gone")) == 2
    )  # the notes of neighbours are joined
    await sink.write([audit_event(301)])
    assert await findings(sink) == []


async def test_a_forged_note_of_deletion_excuses_nothing(place: Place, sink: SqlSink) -> None:
    await sink.delete([])
    ((prev,), (hash_,)) = await place.run(
        "SELECT chain_hash FROM TABLE_ WHERE chain_seq IN (4, 5) ORDER BY chain_seq"
    )
    (head,) = await heads(sink)
    await place.run(
        "DELETE FROM TABLE_ WHERE chain_seq = 5",
        f"INSERT INTO TABLE__chain_gone VALUES ('{head.writer}', 5, 5, '{prev}', '{hash_}', '{'0' * 64}')",
    )
    assert summary(await findings(sink)) == [(MISSING, 5, 5)]


async def test_chaining_can_be_turned_on_for_a_table_in_use(place: Place) -> None:
    async with place.opened(chained=False) as sink:
        await sink.write([audit_event(number) for number in range(5)])
    with pytest.raises(SinkRejected, match=r"is missing; create it, or set provision: true"):
        await place.sink(provision=False).open()
    async with place.opened() as sink:
        await sink.write([audit_event(number) for number in range(5)])
        assert await findings(sink) == []
    async with place.opened(provision=False) as sink:
        assert await findings(sink) == []


async def test_awkward_values_are_sound(place: Place, sink: SqlSink) -> None:
    numbers = [0.1, 1e16, 1e-5, 5e-324, 1e300, -0.0, 2**63 - 1, 123456789.123456789]
    texts = ["Grüße 你好 🎉 \u202e \u0000 \u2028 ␛", "trailing  ", "'\"`\\", ""]
    await sink.write(
        [audit_event(1, values=[*numbers, *texts], duration_ms=number, user_id=text, resource=text * 200)
         for number in numbers for text in texts]
    )  # fmt: skip
    assert await findings(sink) == []


async def test_a_table_that_is_verified_while_it_is_written_and_pruned_is_sound(
    place: Place, sink: SqlSink
) -> None:
    done = asyncio.Event()

    async def write() -> None:
        for _ in range(25):  # a table that grows for as long as it is verified has no end on a slow machine
            if not done.is_set():
                await sink.write([audit_event(number) for number in range(50)])

    async def prune() -> None:
        while not done.is_set():
            await sink.prune(datetime(2024, 1, 1, tzinfo=UTC), limit=37)

    tasks = [asyncio.create_task(write()), asyncio.create_task(write()), asyncio.create_task(prune())]
    try:
        for _ in range(3):
            assert await findings(sink) == []
    finally:
        done.set()
        await asyncio.gather(*tasks)
    assert await findings(sink) == []


async def test_a_saved_head_is_not_confused_with_another(sink: SqlSink) -> None:
    (head,) = await heads(sink)
    found = [item async for item in sink.compare([Head(head.writer, head.seq, "0" * 64)])]
    assert summary(found) == [(CHANGED, EVENTS, None)]
