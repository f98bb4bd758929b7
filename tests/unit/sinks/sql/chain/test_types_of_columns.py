"""SQLite keeps a value of any type in a column of numbers: one that Python reads as the same is another to SQL."""

from pathlib import Path

import pytest

from logweir.sinks.tamper_evidence import Trouble
from support.chains import KEY, Place, audit_event, findings, summary


@pytest.mark.parametrize("value", ["'1_5'", "x'31352e30'", "' 15 x'"])
async def test_a_duration_that_is_no_number_is_changed(tmp_path: Path, value: str) -> None:
    place = Place("sqlite", f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}", "audit_log")
    async with place.opened(key=KEY) as sink:
        await sink.write([audit_event(number, duration_ms=15.0) for number in range(3)])
        await place.run("UPDATE TABLE_ SET duration_ms = '15' WHERE chain_seq = 1")  # SQLite makes it 15.0
        await place.run(f"UPDATE TABLE_ SET duration_ms = {value} WHERE chain_seq = 2")
        assert summary(await findings(sink)) == [(Trouble.CHANGED, 2, None)]


HEADS = {
    "a number of a head": "UPDATE TABLE__chain SET seq = 'x' WHERE writer <> 'beginning'",
    "a hash of a head": "UPDATE TABLE__chain SET hash = x'00' WHERE writer <> 'beginning'",
    "a writer of a head": "UPDATE TABLE__chain SET writer = x'00' WHERE writer <> 'beginning'",
    "the number of the beginning": "UPDATE TABLE__chain SET seq = 'x' WHERE writer = 'beginning'",
    "the time of the beginning": "UPDATE TABLE__chain SET started_us = 'x' WHERE writer = 'beginning'",
}


@pytest.mark.parametrize("name", HEADS)
async def test_notes_of_another_type_are_findings_and_end_no_verification(tmp_path: Path, name: str) -> None:
    place = Place("sqlite", f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}", "audit_log")
    async with place.opened(chained=False) as sink:
        await sink.write([audit_event(-1)])
    async with place.opened(key=KEY) as sink:
        await sink.write([audit_event(number) for number in range(3)])
        await place.run(HEADS[name])
        assert await findings(sink)
        await place.run("UPDATE TABLE_ SET status = 'x' WHERE chain_seq = 2")
        # Where no head can be read, a row that does not fit is behind the end of its chain.
        found = [item.trouble for item in await findings(sink) if item.seq == 2]
        assert found == [Trouble.CHANGED if "beginning" in name else Trouble.INSERTED]


@pytest.mark.parametrize("values", ["x'ff', 1, 'a', 'b', 'c', 'd'", "'~', 'x', x'00', 'b', 'c', 'd'"])
async def test_ends_of_closed_chains_of_another_type_hide_nothing(tmp_path: Path, values: str) -> None:
    place = Place("sqlite", f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}", "audit_log")
    async with place.opened(key=KEY) as sink:
        await sink.write([audit_event(number) for number in range(3)])
        await place.run(f"INSERT INTO TABLE__chain_closed VALUES ({values})")
        assert [item async for item in sink.heads()] != []
        assert await findings(sink) == []
        await place.run("UPDATE TABLE_ SET status = 'x' WHERE chain_seq = 2")
        assert summary(await findings(sink)) == [(Trouble.CHANGED, 2, None)]
