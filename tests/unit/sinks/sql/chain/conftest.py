"""Chains that several files of tests tamper with."""

import asyncio
import shutil
from contextlib import chdir
from pathlib import Path

import pytest

from support.chains import KEY, Place, audit_event


@pytest.fixture(scope="module")
def three_chains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with three chains of five rows, and rows from before the chains."""
    path = tmp_path_factory.mktemp("chains") / "audit.db"

    async def fill() -> None:
        place = Place("sqlite", f"sqlite+aiosqlite:///{path}", "audit_log")
        async with place.opened(chained=False) as sink:
            await sink.write([audit_event(-number) for number in range(1, 4)])
        for writer in range(3):
            async with place.opened(key=KEY) as sink:
                await sink.write([audit_event(writer * 5 + number) for number in range(1, 6)])

    with chdir(path.parent):  # where the sink notes what it knows of the table
        asyncio.run(fill())
    return path


@pytest.fixture
def place(three_chains: Path, tmp_path: Path) -> Place:
    """A copy of them."""
    shutil.copy(three_chains, tmp_path / "audit.db")
    return Place("sqlite", f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}", "audit_log")
