"""Writers are compared by the database alone: its order may be another than that of Python."""

import itertools
from pathlib import Path

import pytest

from logweir.sinks.sql.chain import writing
from logweir.sinks.tamper_evidence import Trouble
from support.chains import KEY, Place, audit_event, findings, summary

#: Without regard to case "_" comes before "A", of which Python knows the opposite.
BEFORE, WRITER = "_", "A"


@pytest.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A chain of five rows in tables whose writers have the order of a language, as PostgreSQL's often have."""
    place = Place("sqlite", f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}", "audit_log")
    numbers = itertools.count()
    monkeypatch.setattr(writing, "new_event_id", lambda: f"{WRITER}{next(numbers)}")
    async with place.opened(key=KEY) as sink:
        await sink.write([audit_event(number) for number in range(5)])
    await _collate(place, "audit_log", "chain_writer")
    for suffix in ("_chain", "_chain_closed", "_chain_gone"):
        await _collate(place, f"audit_log{suffix}", "writer")
    return place


async def _collate(place: Place, table: str, column: str) -> None:
    made = await place.run(f"SELECT sql FROM sqlite_master WHERE tbl_name = '{table}' AND sql IS NOT NULL")
    ((whole,), *indexes) = sorted(made, key=lambda row: not row[0].startswith("CREATE TABLE"))
    plain = f"{column} VARCHAR(36)"
    assert plain in whole
    await place.run(
        f"CREATE TABLE kept AS SELECT * FROM {table}",
        f"DROP TABLE {table}",
        whole.replace(plain, f"{plain} COLLATE NOCASE"),
        f"INSERT INTO {table} SELECT * FROM kept",
        "DROP TABLE kept",
        *(index for (index,) in indexes),
    )


@pytest.mark.parametrize("table", ["_chain_closed", "_chain"])
async def test_no_name_that_python_takes_for_the_last_hides_rows(place: Place, table: str) -> None:
    async with place.opened(key=KEY) as sink:
        assert await findings(sink) == []
        await place.run("UPDATE TABLE_ SET status = 'x' WHERE chain_seq = 3")
        assert summary(await findings(sink)) == [(Trouble.CHANGED, 3, None)]
        names = {"_chain": "seq, hash, started_us", "_chain_closed": "seq, hash, table_id, closed_by, mac"}
        values = ", ".join("1" for _ in names[table].split(","))
        await place.run(f"INSERT INTO TABLE_{table} (writer, {names[table]}) VALUES ('{BEFORE}', {values})")
        assert (Trouble.CHANGED, 3, None) in summary(await findings(sink))


async def test_rows_that_no_part_reads_are_a_finding(place: Place) -> None:
    """As where only one of the tables has another order, so that a writer comes behind the last one there."""
    await place.run(
        "ALTER TABLE TABLE__chain RENAME TO kept",
        "CREATE TABLE TABLE__chain AS SELECT * FROM kept",
        f"INSERT INTO TABLE__chain VALUES ('{BEFORE}', 1, '1', 1)",
        "DELETE FROM TABLE__chain_closed",
    )
    async with place.opened(key=KEY, read_only=True) as sink:
        (finding,) = [item for item in await findings(sink) if item.writer is None]
        assert finding.trouble is Trouble.INSERTED
        assert finding.detail.startswith("5 rows were read by no part")
