"""The notes of what was deleted rightly: neighbours are joined, and a deletion reads no more than its neighbours."""

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from logweir.sinks.sql.chain.tables import ChainTables
from logweir.sinks.sql.sink import SqlSink
from support.chains import KEY, Place, audit_event, findings

_ROWS = 60


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place("sqlite", f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}", "audit_log")


@pytest.fixture
async def sink(place: Place) -> AsyncIterator[SqlSink]:
    async with place.opened(key=KEY) as sink:
        yield sink


async def _notes(place: Place) -> list[tuple[int, int]]:
    return [
        (row[0], row[1])
        for row in await place.run("SELECT first_seq, last_seq FROM TABLE__chain_gone ORDER BY 1")
    ]


@pytest.mark.parametrize("seed", range(2))
async def test_deletions_in_any_order_leave_one_note_for_each_gap(
    place: Place, sink: SqlSink, seed: int
) -> None:
    events = [audit_event(number) for number in range(_ROWS)]
    await sink.write(events)
    random, left = Random(seed), [*range(_ROWS)]
    while len(left) > _ROWS // 3:
        gone = random.sample(left, k=min(len(left), random.randint(1, 6)))
        assert await sink.delete([events[number].id for number in gone]) == len(gone)
        left = [number for number in left if number not in gone]
    assert await findings(sink) == []
    covered = [number for first, last in await _notes(place) for number in range(first, last + 1)]
    assert covered == [number + 1 for number in range(_ROWS) if number not in left]
    ends = {last for _, last in await _notes(place)}
    assert not ends & {first - 1 for first, _ in await _notes(place)}


async def test_a_writer_goes_on_without_a_word_after_all_of_its_rows_were_deleted_rightly(
    place: Place, sink: SqlSink, caplog: pytest.LogCaptureFixture
) -> None:
    events = [audit_event(number) for number in range(5)]
    await sink.write(events)
    await sink.delete([event.id for event in events])
    await sink.write([audit_event(5)])
    assert caplog.text == ""
    assert await findings(sink) == []
    await place.run("DELETE FROM TABLE__chain WHERE writer <> 'beginning'")
    await sink.write([audit_event(6)])
    assert "was changed by somebody else" in caplog.text


async def test_a_deletion_reads_the_notes_beside_it_alone(
    place: Place, sink: SqlSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [audit_event(number) for number in range(_ROWS)]
    await sink.write(events)
    for number in range(0, 40, 2):
        await sink.delete([events[number].id])
    read: list[int] = []
    gone_of = ChainTables.gone_of

    def counting(*arguments: object) -> object:
        runs = gone_of(*arguments)  # type: ignore[arg-type]
        read.append(len(runs))
        return runs

    monkeypatch.setattr(ChainTables, "gone_of", counting)
    await sink.delete([events[21].id])
    await sink.delete([events[50].id])
    assert read == [2, 0]
    assert len(await _notes(place)) == 20
