"""Verifying reads in pages: what is found does not depend on where one page ends and the next begins."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from logweir.sinks.sql.chain import pages, tables, verifying
from logweir.sinks.sql.chain.judging import Judge
from logweir.sinks.sql.chain.pages import ChainPages
from logweir.sinks.sql.sink import SqlSink
from logweir.sinks.tamper_evidence import Tally, Trouble
from support.chain_tamperings import FIRST, TAMPERINGS
from support.chains import KEY, Place, audit_event, findings, heads, summary


@pytest.fixture
async def sink(place: Place) -> AsyncIterator[SqlSink]:
    async with place.opened(key=KEY, read_only=True) as sink:
        yield sink


def _pages_of(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    for module in (pages, verifying):
        monkeypatch.setattr(module, "PAGE", size)
    monkeypatch.setattr(tables, "_STEP", size)


@pytest.mark.parametrize("name", TAMPERINGS)
async def test_what_is_found_is_the_same_whatever_the_size_of_a_page(
    place: Place, sink: SqlSink, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert len(await heads(sink)) == 3
    if name == "two rows of one number":
        indexes = await place.run(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '%chain_seq%'"
        )
        await place.run(*(f"DROP INDEX {index}" for (index,) in indexes))
    await place.run("SELECT 1", *TAMPERINGS[name])
    found = summary(await findings(sink))
    assert bool(found) == (name != "nothing")
    tally, at_once = Tally(), [head async for head in sink.heads()]
    assert len([finding async for finding in sink.verify(tally)]) == len(found)
    for size in (1, 2, 3, 5, 6):
        _pages_of(monkeypatch, size)
        again = Tally()
        assert summary([finding async for finding in sink.verify(again)]) == found, size
        assert again == tally
        assert await heads(sink) == at_once
    # What is sound is taken by the page; row by row, the same is found.
    monkeypatch.setattr(Judge, "follow", lambda *_: 0)
    again = Tally()
    assert summary([finding async for finding in sink.verify(again)]) == found
    assert again == tally


async def test_sound_rows_are_not_looked_at_one_by_one(
    sink: SqlSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(Judge, "take")
    tally = Tally()
    assert [finding async for finding in sink.verify(tally)] == []
    assert (tally.rows, tally.writers, tally.unlinked) == (15, 3, 3)


@pytest.mark.parametrize(
    "change",
    [
        f"UPDATE audit_log_chain SET seq = 1 WHERE writer = {FIRST}",
        f"DELETE FROM audit_log_chain WHERE writer = {FIRST}",
    ],
)
async def test_of_a_chain_without_its_head_one_row_is_looked_up_and_not_each(
    place: Place, sink: SqlSink, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    asked, at = list[list[int]](), ChainPages.at

    async def counting(self: ChainPages, connection: Any, writer: str, seqs: list[int]) -> Any:
        asked.append(seqs)
        return await at(self, connection, writer, seqs)

    monkeypatch.setattr(ChainPages, "at", counting)
    await place.run(change)
    assert [finding async for finding in sink.verify(Tally())]
    assert len(asked) == 1


@pytest.mark.parametrize("size", [1, 2, 3, 5, 10])
async def test_a_chain_that_grows_behind_each_page_is_sound_and_verifying_it_ends(
    place: Place, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    _pages_of(monkeypatch, size)
    next_page, number = ChainPages._next, 100
    async with place.opened(key=KEY) as sink:
        await sink.write([audit_event(50)])

        async def busy(self: ChainPages, *arguments: Any) -> Any:
            nonlocal number
            rows = await next_page(self, *arguments)
            number += 10
            await sink.write([audit_event(number + one) for one in range(3)])
            return rows

        monkeypatch.setattr(ChainPages, "_next", busy)
        assert await findings(sink) == []
        await place.run(f"UPDATE TABLE_ SET status = 'x' WHERE chain_seq = 2 AND chain_writer = {FIRST}")
        assert summary(await findings(sink)) == [(Trouble.CHANGED, 2, None)]


async def test_a_note_of_the_beginning_that_is_gone_is_missing(place: Place, sink: SqlSink) -> None:
    await place.run("DELETE FROM TABLE__chain WHERE writer = 'beginning'")
    (finding,) = [item for item in await findings(sink) if item.trouble is Trouble.MISSING]
    assert finding.detail == "the note of when the chains began is gone"


@pytest.mark.parametrize(("size", "rows"), [(100, (4000, 5000)), (100_000, (80, 90)), (10_000_000, (10, 10))])
async def test_pages_have_fewer_rows_the_larger_these_are(size: int, rows: tuple[int, int]) -> None:
    few, many = rows
    page: Any = [("columns", "x" * size)] * 5
    assert few <= pages._next_page(page) <= many


@pytest.mark.parametrize("size", [2, 5, 10])
async def test_chains_that_are_deleted_rightly_behind_each_page_are_sound(
    place: Place, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    _pages_of(monkeypatch, size)
    next_page = ChainPages._next
    async with place.opened(key=KEY) as sink:
        for number in range(100, 106):
            await sink.record(audit_event(number))
        await place.run("CREATE TABLE kept AS SELECT * FROM TABLE_ WHERE chain_seq = 1 LIMIT 1")
        ids = await place.run("SELECT id, chain_writer FROM TABLE_")

        async def pruned(self: ChainPages, *arguments: Any) -> Any:
            rows = await next_page(self, *arguments)
            whole = {row.chain_writer for row in rows}
            await sink.delete([event_id for event_id, writer in ids if writer in whole])
            return rows

        monkeypatch.setattr(ChainPages, "_next", pruned)
        assert await findings(sink) == []
        monkeypatch.setattr(ChainPages, "_next", next_page)
        assert await place.run("SELECT count(*) FROM TABLE_") == [(3,)]
        # Who puts back what was deleted rightly is not excused by its note.
        await place.run("INSERT INTO TABLE_ SELECT * FROM kept")
        assert summary(await findings(sink)) == [(Trouble.ROLLED_BACK, 1, None)]
