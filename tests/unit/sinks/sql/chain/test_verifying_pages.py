"""Verifying reads in pages: what is found does not depend on where one page ends and the next begins."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from logweir.sinks.sql.chain import tables, verifying
from logweir.sinks.sql.chain.judging import Judge
from logweir.sinks.sql.chain.verifying import Verification
from logweir.sinks.sql.sink import SqlSink
from logweir.sinks.tamper_evidence import Tally, Trouble
from support.chains import KEY, Place, audit_event, findings, heads, summary

COLUMNS = (
    "time_us, time_ns, kind, level, action, service, env, trace_id, span_id, user_id, status, resource,"
    " error_type, duration_ms, extra_info"
)
#: The last writer's rows end the table, those of the first begin it.
FIRST, LAST = "(SELECT min(chain_writer) FROM TABLE_)", "(SELECT max(chain_writer) FROM TABLE_)"


def _copy(link: str, event_id: str = "inserted") -> str:
    return (
        f"INSERT INTO TABLE_ (id, {COLUMNS}, chain_writer, chain_seq, chain_prev, chain_hash)"
        f" SELECT '{event_id}', {COLUMNS}, {link} FROM TABLE_ WHERE chain_seq = 4 AND chain_writer = {FIRST}"
    )


TAMPERINGS: dict[str, list[str]] = {
    "nothing": [],
    "each writer's last row changed": ["UPDATE TABLE_ SET status = 'failed' WHERE chain_seq = 5"],
    "each writer's first row changed": ["UPDATE TABLE_ SET status = 'failed' WHERE chain_seq = 1"],
    "a row in the middle is gone": ["DELETE FROM TABLE_ WHERE chain_seq = 3"],
    "the ends are gone": ["DELETE FROM TABLE_ WHERE chain_seq > 3"],
    "the beginnings are gone": ["DELETE FROM TABLE_ WHERE chain_seq < 3"],
    "all rows of the last writer are gone": [f"DELETE FROM TABLE_ WHERE chain_writer = {LAST}"],
    "all rows of the first writer are gone": [f"DELETE FROM TABLE_ WHERE chain_writer = {FIRST}"],
    "a row behind the first writer's end": [_copy(f"{FIRST}, 6, chain_hash, chain_prev")],
    "a row behind the last writer's end": [_copy(f"{LAST}, 6, chain_hash, chain_prev")],
    "rows far behind an end": [
        _copy(f"{FIRST}, 7, chain_hash, chain_prev"),
        _copy(f"{FIRST}, 8, chain_hash, chain_prev", "another"),
    ],
    "rows of nobody": [
        _copy("'~nobody', 1, chain_prev, chain_hash"),
        _copy("'~nobody', 2, chain_prev, chain_hash", "another"),
        _copy("'~somebody', 1, chain_prev, chain_hash", "a third"),
    ],
    "a number that is none": [_copy(f"{FIRST}, 'x', chain_prev, chain_hash")],
    "two rows of one number": [
        _copy(f"{FIRST}, 2, chain_prev, chain_hash"),
        _copy(f"{FIRST}, 5, chain_prev, chain_hash", "another"),
    ],
    "rows without a link": [_copy("NULL, NULL, NULL, NULL", f"inserted {number}") for number in range(4)],
    "rows with half a link": [_copy(f"NULL, {number}, chain_prev, chain_hash", f"i {number}") for number in range(4)],
    "swapped rows": [
        "UPDATE TABLE_ SET chain_seq = 1000 WHERE chain_seq = 2",
        "UPDATE TABLE_ SET chain_seq = 2 WHERE chain_seq = 4",
        "UPDATE TABLE_ SET chain_seq = 4 WHERE chain_seq = 1000",
    ],
    "the heads are gone": ["DELETE FROM TABLE__chain"],
    "the first head is rolled back": [f"UPDATE TABLE__chain SET seq = 3, hash = 'x' WHERE writer = {FIRST}"],
}  # fmt: skip


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    """Three chains of five rows, and rows from before the chains."""
    place = Place("sqlite", f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}", "audit_log")
    async with place.opened(chained=False) as sink:
        await sink.write([audit_event(-number) for number in range(1, 4)])
    for writer in range(3):
        async with place.opened(key=KEY) as sink:
            await sink.write([audit_event(writer * 5 + number) for number in range(1, 6)])
    return place


@pytest.fixture
async def sink(place: Place) -> AsyncIterator[SqlSink]:
    async with place.opened(key=KEY, read_only=True) as sink:
        yield sink


def _pages_of(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(verifying, "PAGE", size)
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


@pytest.mark.parametrize("size", [1, 2, 3, 5, 10])
async def test_a_chain_that_grows_behind_each_page_is_sound_and_verifying_it_ends(
    place: Place, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    _pages_of(monkeypatch, size)
    next_page, number = Verification._next, 100
    async with place.opened(key=KEY) as sink:
        await sink.write([audit_event(50)])

        async def busy(self: Verification, *arguments: Any) -> Any:
            nonlocal number
            rows = await next_page(self, *arguments)
            number += 10
            await sink.write([audit_event(number + one) for one in range(3)])
            return rows

        monkeypatch.setattr(Verification, "_next", busy)
        assert await findings(sink) == []
        await place.run(f"UPDATE TABLE_ SET status = 'x' WHERE chain_seq = 2 AND chain_writer = {FIRST}")
        assert summary(await findings(sink)) == [(Trouble.CHANGED, 2, None)]


async def test_a_note_of_the_beginning_that_is_gone_is_missing(place: Place, sink: SqlSink) -> None:
    await place.run("DELETE FROM TABLE__chain WHERE writer = 'beginning'")
    (finding,) = [item for item in await findings(sink) if item.trouble is Trouble.MISSING]
    assert finding.detail == "the note of when the chains began is gone"
