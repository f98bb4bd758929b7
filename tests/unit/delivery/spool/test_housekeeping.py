"""Looking after the disk store: taking over what the dead left, burying what nobody wants."""

import asyncio
from pathlib import Path

import pytest

from logweir.delivery.spool import housekeeping
from logweir.delivery.spool.housekeeping import Caretaker
from logweir.delivery.spool.spool import DiskStore
from logweir.testing.contract import make_event
from support.disk import drain, make_queue, make_store, names


def leave(directory: Path, sink: str) -> None:
    """What a process that is gone left."""
    store = make_store(directory)
    make_queue(store, sink).put(make_event(f"for {sink}"))
    store.close()


async def looked_after(carer: Caretaker) -> None:
    carer.hurry()
    await asyncio.sleep(0)
    while carer._due.is_set():
        await asyncio.sleep(0.001)


@pytest.mark.wound("vector #19155")
async def test_it_looks_at_once_then_from_time_to_time_and_when_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "INTERVAL", 0.01)
    store = make_store(tmp_path)
    await asyncio.to_thread(leave, tmp_path, "kept")
    await asyncio.to_thread(leave, tmp_path, "gone")
    carer = Caretaker(lambda: (store, {"kept"}))
    running = asyncio.create_task(carer.run())
    await asyncio.wait_for(carer.tended(), 5.0)
    assert names(await asyncio.to_thread(drain, store, "kept")) == ["for kept"]
    letters = await asyncio.to_thread(store.dead_letters.read)
    assert [letter.reason for letter in letters] == ["sink 'gone' is not configured any more"]
    await asyncio.to_thread(leave, tmp_path, "kept")
    async with asyncio.timeout(5.0):
        while not store.lane("kept").depth:
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.wait((running,))
    await asyncio.to_thread(store.close)


async def test_what_nobody_foresaw_does_not_end_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    looks = 0

    def look() -> tuple[DiskStore, set[str]]:
        nonlocal looks
        looks += 1
        raise RuntimeError("a defect")

    carer = Caretaker(look)
    running = asyncio.create_task(carer.run())
    await asyncio.wait_for(carer.tended(), 5.0)
    await looked_after(carer)
    async with asyncio.timeout(5.0):
        while looks < 2:
            await asyncio.sleep(0.001)
    assert "a defect" in caplog.text
    running.cancel()
    await asyncio.wait((running,))
