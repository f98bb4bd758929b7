"""Housekeeping of the spool: taking over what the dead left, giving up what nobody wants."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from logweir.delivery.fallback.ledger import Ledger
from logweir.delivery.spool import housekeeping
from logweir.delivery.spool.housekeeping import Housekeeping
from logweir.delivery.spool.spool import Spool
from logweir.delivery.spool.spool_file import SpoolFile
from logweir.testing.contract import make_event
from support.disk import drain, make_queue, make_spool, names

pytestmark = pytest.mark.busy


def leave(directory: Path, sink: str) -> None:
    """What a process that is gone left."""
    spool = make_spool(directory)
    make_queue(spool, sink).put(make_event(f"for {sink}"))
    spool.close()


async def looked_after(keeping: Housekeeping) -> None:
    keeping.hurry()
    await asyncio.sleep(0)
    while keeping._due.is_set():
        await asyncio.sleep(0.001)


@pytest.mark.wound("vector #19155")
async def test_it_looks_at_once_then_from_time_to_time_and_when_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "INTERVAL", 0.01)
    spool = make_spool(tmp_path)
    await asyncio.to_thread(leave, tmp_path, "kept")
    await asyncio.to_thread(leave, tmp_path, "gone")
    keeping = Housekeeping(lambda: (spool, {"kept"}, []))
    running = asyncio.create_task(keeping.run())
    await asyncio.wait_for(keeping.ran_once(), 5.0)
    assert names(await asyncio.to_thread(drain, spool, "kept")) == ["for kept"]
    letters = await asyncio.to_thread(spool.dead_letters.read)
    assert [letter.reason for letter in letters] == ["sink 'gone' is not configured any more"]
    await asyncio.to_thread(leave, tmp_path, "kept")
    async with asyncio.timeout(5.0):
        while not spool.backlog("kept").depth:
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.wait((running,))
    await asyncio.to_thread(spool.close)


async def test_what_nobody_foresaw_does_not_end_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    looks = 0

    def look() -> tuple[Spool, set[str], list[Spool]]:
        nonlocal looks
        looks += 1
        raise RuntimeError("a defect")

    keeping = Housekeeping(look)
    running = asyncio.create_task(keeping.run())
    await asyncio.wait_for(keeping.ran_once(), 5.0)
    await looked_after(keeping)
    async with asyncio.timeout(5.0):
        while looks < 2:
            await asyncio.sleep(0.001)
    assert "a defect" in caplog.text
    running.cancel()
    await asyncio.wait((running,))


async def test_what_a_reload_left_in_another_directory_is_taken_over_when_the_disk_allows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by the simulation: it was tried once, at the reload, and never again."""
    monkeypatch.setattr(housekeeping, "INTERVAL", 0.01)
    spool, former = make_spool(tmp_path / "new"), make_spool(tmp_path / "old")
    make_queue(former, "kept").put(make_event("for kept"))
    await asyncio.to_thread(former.close)
    write, tries = SpoolFile.write, list[bool]()

    def full_at_first(file: SpoolFile, *arguments: Any) -> None:
        tries.append(len(tries) >= 2)
        if not tries[-1]:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        write(file, *arguments)

    monkeypatch.setattr(SpoolFile, "write", full_at_first)
    keeping = Housekeeping(lambda: (spool, {"kept"}, [former]))
    running = asyncio.create_task(keeping.run())
    async with asyncio.timeout(5.0):
        while not spool.backlog("kept").available:
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.wait((running,))
    assert names(await asyncio.to_thread(drain, spool, "kept")) == ["for kept"]
    await asyncio.to_thread(spool.close)


async def test_who_still_works_in_a_former_directory_finds_the_notes_of_fallbacks_there(
    tmp_path: Path,
) -> None:
    """Found by the simulation: a sink that a reload replaced wrote what might be in its fallback to itself, too."""
    spool, former = (make_spool(tmp_path / name) for name in ("new", "old"))
    make_queue(former, "kept").put(make_event("in hand"))
    there, here = (Ledger(tmp_path / name, "kept", "fallback") for name in ("old", "new"))
    await asyncio.to_thread(there.note, ["in hand"])
    is_former = [former]
    keeping = Housekeeping(lambda: (spool, {"kept"}, is_former))
    await asyncio.to_thread(keeping._once)
    for ledger in (there, here):
        assert await asyncio.to_thread(ledger.held, ["in hand"]) == {"in hand"}
    await asyncio.to_thread(former.close)
    is_former.clear()
    await asyncio.to_thread(keeping._once)
    assert await asyncio.to_thread(there.count) == 0
    assert await asyncio.to_thread(here.count) == 1
    await asyncio.to_thread(spool.close)
