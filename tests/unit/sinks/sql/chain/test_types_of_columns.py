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
