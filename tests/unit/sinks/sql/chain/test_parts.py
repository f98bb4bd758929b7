"""Parts of a verification, each done by itself and in any order, find together what the whole finds."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.util import await_only

from logweir.sinks.contract import Query
from logweir.sinks.sql.chain import tables
from logweir.sinks.sql.chain.hashing import Link, Seal
from logweir.sinks.sql.chain.tables import ChainTables
from logweir.sinks.sql.own_model import AUDIT_COLUMNS
from logweir.sinks.sql.sink import SqlSink
from logweir.sinks.tamper_evidence import Finding, Part, PartKind, Seam, Tally, Trouble
from logweir.sinks.tamper_evidence import Place as Between
from logweir.stores.verification import PartResult, verify_one
from support.chain_tamperings import FIRST, TAMPERINGS
from support.chains import (
    KEY,
    Place,
    audit_event,
    findings,
    findings_in_parts,
    put_together,
    summary,
)

SIZES = (1, 2, 3, 4, 7)


@pytest.fixture
async def sink(place: Place) -> AsyncIterator[SqlSink]:
    async with place.opened(key=KEY, read_only=True) as sink:
        yield sink


async def divided(sink: SqlSink, rows: int) -> list[Part]:
    return await sink.divide(1000, rows, Tally())


def within(parts: Sequence[Part]) -> list[Between]:
    """The places at which a chain is cut."""
    return [part.until for part in parts if part.until is not None and part.until.seq is not None]


# -- which parts there are ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "cuts"), [(1, 12), (2, 6), (3, 4), (4, 3), (5, 0), (7, 2), (15, 0), (40, 0)]
)
async def test_chains_are_cut_within_and_between(sink: SqlSink, rows: int, cuts: int) -> None:
    parts = await divided(sink, rows)
    assert len(within(parts)) == cuts
    kinds = [part.kind for part in parts]
    assert kinds[-3:] == [PartKind.HEADLESS, PartKind.UNLINKED, PartKind.ROWLESS]
    chains = parts[:-3]
    assert chains[0].after is None
    assert [part.until for part in chains[:-1]] == [part.after for part in chains[1:]]


async def test_one_part_has_all_rows_of_chains(sink: SqlSink) -> None:
    tally = Tally()
    parts = await sink.divide(1, 1, tally)
    assert [part.kind for part in parts] == [*PartKind]
    assert tally.expected == 18


async def test_an_empty_table_has_parts_in_which_nothing_is_found(tmp_path: Path) -> None:
    place = Place("sqlite", f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}", "audit_log")
    async with place.opened(key=KEY) as sink:
        assert await findings_in_parts(sink, await divided(sink, 1)) == ([], Tally())


# -- what is found --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TAMPERINGS)
async def test_parts_find_what_the_whole_finds(
    place: Place, sink: SqlSink, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(tables, "_STEP", 2)
    if name == "two rows of one number":
        indexes = await place.run(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '%chain_seq%'"
        )
        await place.run(*(f"DROP INDEX {index}" for (index,) in indexes))
    await place.run("SELECT 1", *TAMPERINGS[name])
    whole = Tally()
    found = summary([finding async for finding in sink.verify(whole)])
    assert bool(found) == (name != "nothing")
    whole.expected = 0
    for rows in SIZES:
        parts = await divided(sink, rows)
        again, tally = await findings_in_parts(sink, parts)
        assert summary(again) == found, (rows, within(parts))
        assert tally == whole, rows


@pytest.mark.parametrize(
    "name", [name for name in TAMPERINGS if name not in {"nothing", "two rows of one number"}]
)
async def test_what_is_done_after_the_division_is_found_as_well(
    place: Place, sink: SqlSink, name: str
) -> None:
    parts = await divided(sink, 2)
    await place.run("SELECT 1", *TAMPERINGS[name])
    assert (await findings_in_parts(sink, parts))[0]


@pytest.mark.parametrize("seq", [1, 3, 5])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE TABLE_ SET status = 'x' WHERE chain_seq = {seq} AND chain_writer = {writer}",
        "DELETE FROM TABLE_ WHERE chain_seq = {seq} AND chain_writer = {writer}",
        "UPDATE TABLE_ SET chain_prev = 'x' WHERE chain_seq = {seq} AND chain_writer = {writer}",
        "UPDATE TABLE_ SET chain_hash = 'x' WHERE chain_seq = {seq} AND chain_writer = {writer}",
        "UPDATE TABLE_ SET chain_writer = 'x' WHERE chain_seq = {seq} AND chain_writer = {writer}",
        "UPDATE TABLE_ SET chain_seq = chain_seq + 100 WHERE chain_seq = {seq} AND chain_writer = {writer}",
        "UPDATE TABLE_ SET id = 'x' WHERE chain_seq = {seq} AND chain_writer = {writer}",
        "DELETE FROM TABLE_ WHERE chain_seq <= {seq} AND chain_writer = {writer}",
        "DELETE FROM TABLE_ WHERE chain_seq >= {seq} AND chain_writer = {writer}",
    ],
)
async def test_every_row_of_a_chain_that_is_cut_behind_each_of_them(
    place: Place, sink: SqlSink, statement: str, seq: int
) -> None:
    before = await divided(sink, 1)
    await place.run(statement.format(seq=seq, writer=FIRST))
    found = summary([finding async for finding in sink.verify(Tally())])
    assert found
    assert summary((await findings_in_parts(sink, await divided(sink, 1)))[0]) == found
    assert (await findings_in_parts(sink, before))[0]  # divided before it was done


async def test_rows_that_were_exchanged_across_a_cut_are_reordered(place: Place, sink: SqlSink) -> None:
    await place.run(*TAMPERINGS["swapped rows"])
    found, _ = await findings_in_parts(sink, await divided(sink, 3))
    assert {finding.trouble for finding in found} == {Trouble.REORDERED}
    assert sorted(finding.detail for finding in found) == ["it belongs at 2"] * 3 + ["it belongs at 4"] * 3


async def test_rows_of_which_many_have_a_wrong_hash_are_not_kept(
    place: Place, sink: SqlSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logweir.sinks.sql.chain.judging.MOST_COMPARED", 2)
    monkeypatch.setattr("logweir.sinks.sql.chain.verifying.MOST_COMPARED", 2)
    await place.run("UPDATE TABLE_ SET status = 'x'")
    found, _ = await findings_in_parts(sink, await divided(sink, 2))
    assert summary(found) == summary(await findings(sink))
    assert len(found) == 15


# -- what others do meanwhile ---------------------------------------------------------------------------


async def test_rows_that_are_deleted_and_written_meanwhile_are_not_called_hidden(place: Place) -> None:
    async with place.opened(key=KEY) as sink:
        before = Tally()
        parts = await sink.divide(1000, 2, before)
        ids = [row[0] for row in await place.run("SELECT id FROM TABLE_ ORDER BY chain_seq, chain_writer")]
        for number in (0, 3, 5, 9, 17):  # the first has no link
            await sink.delete([ids[number]])
        found, tally = await findings_in_parts(sink, parts, before)
        assert (found, tally.read) == ([], 13)
        await sink.write([audit_event(100)])
        assert (await findings_in_parts(sink, parts, before))[0] == []


async def test_rows_of_a_writer_that_begins_during_the_division_are_not_called_hidden(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.opened(key=KEY) as sink, place.opened(key=KEY) as other:
        for name in ("stock", "newest"):
            asked = getattr(ChainTables, name)

            def beginning(self: ChainTables, connection: Any, asked: Any = asked) -> Any:
                answer = asked(self, connection)
                await_only(other.record(audit_event(100)))
                return answer

            with monkeypatch.context() as patch:
                patch.setattr(ChainTables, name, beginning)
                assert [finding async for finding in sink.verify(Tally())] == []
            await other.delete([event.id async for event in other.search(Query(name="action 100"))])


async def forge(place: Place, seq: int) -> None:
    """Change a row of a chain without a key, with a hash that fits it and the row before it."""
    ((table_id,),) = await place.run("SELECT table_id FROM TABLE__chain_ids")
    names = ", ".join(AUDIT_COLUMNS)
    ((*columns, writer, prev),) = await place.run(
        f"SELECT {names}, chain_writer, chain_prev FROM TABLE_ WHERE chain_seq = {seq}"
    )
    columns[AUDIT_COLUMNS.index("status")] = "forged"
    hash_ = Seal().of_row(table_id, Link(writer, seq, prev, ""), columns)
    await place.run(f"UPDATE TABLE_ SET status = 'forged', chain_hash = '{hash_}' WHERE chain_seq = {seq}")


@pytest.fixture
async def one_chain(tmp_path: Path) -> Place:
    """A chain of six rows without a key."""
    place = Place("sqlite", f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}", "audit_log")
    async with place.opened() as sink:
        await sink.write([audit_event(number) for number in range(1, 7)])
    return place


async def verified(sink: SqlSink, parts: Sequence[Part], order: Sequence[int], between: Any) -> list[Finding]:
    """Verify two parts in an order, with something done between."""
    results = [PartResult() for _ in parts]
    await verify_one(sink, parts[order[0]], results[order[0]])
    await between()
    for number in [order[1], *range(2, len(parts))]:
        await verify_one(sink, parts[number], results[number])
    found, _ = await put_together(sink, parts, results)
    return found


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_a_row_at_a_cut_that_is_forged_between_its_two_readings_is_found(
    one_chain: Place, order: Sequence[int]
) -> None:
    async with one_chain.opened(read_only=True) as sink:
        parts = await divided(sink, 3)
        assert [cut.seq for cut in within(parts)] == [3]
        found = await verified(sink, parts, order, lambda: forge(one_chain, 3))
    assert {(finding.trouble, finding.seq) for finding in found} == {(Trouble.CHANGED, 3)}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("seqs", [(3,), (1, 2, 3), (3, 4), (1, 2, 3, 4, 5), (2, 3, 4)])
async def test_rows_at_a_cut_that_are_deleted_rightly_between_its_two_readings_are_sound(
    one_chain: Place, order: Sequence[int], seqs: Sequence[int]
) -> None:
    async def delete() -> None:
        ids = [
            row for (row,) in await one_chain.run(f"SELECT id FROM TABLE_ WHERE chain_seq IN {(*seqs, 0)}")
        ]
        async with one_chain.opened() as writing:
            await writing.delete(ids)

    async with one_chain.opened(read_only=True) as sink:
        parts = await divided(sink, 3)
        assert await verified(sink, parts, order, delete) == []
        await forge(one_chain, 6)
        assert (await findings_in_parts(sink, parts))[0]


async def test_a_chain_that_grows_behind_its_last_part_is_sound(one_chain: Place) -> None:
    async with one_chain.opened() as sink:
        parts = await divided(sink, 2)

        async def grow() -> None:
            await sink.write([audit_event(number) for number in range(100, 120)])

        assert await verified(sink, parts, (0, 1), grow) == []


@pytest.mark.parametrize(
    ("ended", "began", "fits"),
    [
        (Seam("a"), Seam("a"), True),
        (Seam("a"), Seam("b"), False),
        (Seam("a"), Seam(None), False),  # it was not sound when it was read first
        (Seam(None), Seam("a"), True),  # the part before has found that
        (Seam("a"), Seam(None, is_gone=True), True),
    ],
)
def test_seams_that_fit(ended: Seam, began: Seam, fits: bool) -> None:
    assert ended.fits(began) is fits
