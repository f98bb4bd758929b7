"""Audit chains under faults: however processes and connections die, what is in the database is sound."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from logweir.errors import SinkError, SinkUnavailable
from logweir.event import Event
from logweir.sinks.sql.sink import SqlSink
from logweir.sinks.tamper_evidence import Tally
from servers import FaultProxy, Server
from support.chains import KEY, Place, audit_event, findings
from support.forked import fork
from support.programs import ended_with_the_test
from support.sql import table_name

PROGRAM = """
import asyncio
from support.chains import KEY, Place, audit_event

async def work(sink, number):
    while True:
        try:
            await sink.write([audit_event(number) for number in range(20)])
            if number == 0:
                await sink.record(audit_event(1))
        except Exception as error:  # a crowded file: the worker would wait and send it again
            await asyncio.sleep(0.01)
        print("stored", flush=True)

async def main():
    async with Place({name!r}, {url!r}, {table!r}).opened(key=KEY, provision=False) as sink:
        await asyncio.gather(*(work(sink, number) for number in range(4)))

asyncio.run(main())
"""


@pytest.fixture(params=["sqlite", "mysql"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    if request.param == "sqlite":
        yield Place("sqlite", f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}", "audit_log")
        return
    place = Place(request.param, request.getfixturevalue(request.param).url, table_name())
    yield place
    await place.drop()


async def give_up(sink: SqlSink, batch: list[Event], steps: int) -> None:
    """Begin a write and cancel it after some steps of the loop."""
    task = asyncio.create_task(sink.write(batch))
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def write_at_last(sink: SqlSink, batch: list[Event]) -> None:
    """Write as a worker does."""
    for _ in range(100):
        try:
            await sink.write(batch)
        except SinkUnavailable:
            await asyncio.sleep(0.01)
        else:
            return
    raise AssertionError("the database stays locked")


def start(place: Place, folder: Path) -> subprocess.Popen[str]:
    """A process with four workers that write until they are killed."""
    code = PROGRAM.format(name=place.name, url=place.url, table=place.table)
    with (folder / "stderr.txt").open("a") as errors:
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        made = fork({"code": code}, [], cwd=folder, env=env, stdout=True, stderr=errors)
        return ended_with_the_test(made)


def wait_and_kill(process: subprocess.Popen[str], writes: int) -> None:
    """Let a process write a while, and kill it in the middle of the next write."""
    assert process.stdout is not None
    for _ in range(writes):
        assert process.stdout.readline() == "stored\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


async def test_processes_that_are_killed_while_they_write_leave_it_sound(
    place: Place, tmp_path: Path
) -> None:
    async with place.opened(key=KEY) as sink:
        processes = [await asyncio.to_thread(start, place, tmp_path) for _ in range(3)]
        try:
            await asyncio.to_thread(wait_and_kill, processes[0], 3)
            assert await findings(sink) == []  # while the others write
            processes.append(await asyncio.to_thread(start, place, tmp_path))
            for number in (3, 1, 2):
                await asyncio.to_thread(wait_and_kill, processes[number], 5)
        finally:
            for process in processes:
                process.kill()
                await asyncio.to_thread(process.wait)
        tally = Tally()
        assert [finding async for finding in sink.verify(tally)] == []
        ((rows,),) = await place.run("SELECT count(*) FROM TABLE_")
        assert tally.rows == rows >= 100
        assert tally.writers >= 12


async def test_connections_that_break_before_the_answer_leave_it_sound(
    mysql: Server, proxy: Callable[[Server], FaultProxy]
) -> None:
    """Whether a commit was done is then not known; the chain that it was about is not used again."""
    table, fault = table_name(), proxy(mysql)
    direct, broken = Place("mysql", mysql.url, table), Place("mysql", fault.url, table)
    try:
        async with direct.opened(key=KEY) as sink, broken.opened(key=KEY, provision=False) as victim:
            failures = 0
            for number in range(40):
                batch = [audit_event(number) for _ in range(5)]
                if number % 2:
                    fault.cut_answers(after_bytes=11 * (number % 8))
                try:
                    await victim.write(batch)
                except SinkError:
                    failures += 1
                fault.clear()
                result = await victim.write(batch)
                assert not result.rejected
            assert failures > 5
            assert await findings(sink) == []
            assert await direct.run("SELECT count(*), count(DISTINCT id) FROM TABLE_") == [(200, 200)]
    finally:
        await direct.drop()


@pytest.mark.parametrize("place", ["mysql"], indirect=True)
async def test_a_write_that_is_given_up_leaves_it_sound(place: Place) -> None:
    async with place.opened(key=KEY) as sink:
        for number in range(0, 36, 3):
            batch = [audit_event(index) for index in range(50)]
            await give_up(sink, batch, number)
            await write_at_last(sink, batch)
        assert await findings(sink) == []
        assert await place.run("SELECT count(*) FROM TABLE_") == [(600,)]
