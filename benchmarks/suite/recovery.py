"""How long a store takes to serve again after the writer was killed, and whether it kept its word."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict

from logweir.benchmarks.suite.natives.base import Native
from logweir.benchmarks.suite.results import Measure
from logweir.benchmarks.suite.store import Store, opened
from logweir.benchmarks.suite.victim import BATCH
from logweir.benchmarks.suite.workload import Workload, describe
from logweir.errors import LogweirError
from logweir.process.own_modules import command_of
from logweir.sinks.contract import Query

__all__ = ["recovery"]

_CONFIRMATIONS = 5
#: Seconds after which what is not found counts as lost.
_VISIBLE_WITHIN, _POLL = 10.0, 0.05


async def recovery(native: Native, workload: Workload, repeats: int) -> list[Measure]:
    """Kill a writer in the midst of its work; time from the kill to the next event stored."""
    seconds: list[float] = []
    lost: list[float] = []
    for repeat in range(repeats):
        store = f"scratch_recovery_{repeat}"
        await native.wipe(store)
        confirmed = await _kill_a_writer(native, store, workload)
        started = time.perf_counter()
        async with opened(native, store) as opened_store:
            await opened_store.sink.write(list(workload.events(confirmed + BATCH, confirmed + BATCH + 1)))
            seconds.append((time.perf_counter() - started) * 1000)
            ids = frozenset(event.id for event in workload.events(0, confirmed))
            lost.append(float(len(await _missing(opened_store, ids))))
        await native.wipe(store)
    backend = native.spec.name
    return [
        Measure(backend=backend, name="recovery", labels={"of": "writer"}, unit="ms", values=seconds),
        Measure(backend=backend, name="lost", labels={"of": "writer"}, unit="events", values=lost),
    ]


async def _missing(store: Store, ids: frozenset[str]) -> frozenset[str]:
    """The ids that are not found, though the store had the time that some need to show what they took."""
    deadline = time.perf_counter() + _VISIBLE_WITHIN
    while True:
        missing = ids.difference(await store.ids(Query(ids=ids, limit=None)))
        if not missing or time.perf_counter() > deadline:
            return missing
        await asyncio.sleep(_POLL)


async def _kill_a_writer(native: Native, store: str, workload: Workload) -> int:
    """Start a writer, kill it after some confirmations; how many events were confirmed."""
    spec = {**asdict(native.spec), "folder": str(native.spec.folder)}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command_of("logweir.benchmarks.suite.victim", store),
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
    )
    assert process.stdin is not None  # noqa: S101 - asked for
    process.stdin.write(json.dumps({"spec": spec, "workload": describe(workload)}).encode() + b"\n")
    assert process.stdout is not None  # noqa: S101 - asked for
    assert process.stderr is not None  # noqa: S101 - idem
    confirmed = 0
    for _ in range(_CONFIRMATIONS):
        line = await process.stdout.readline()
        if not line:
            said = (await process.stderr.read()).decode(errors="replace").strip().splitlines()
            raise LogweirError(f"the writer ended by itself: {said[-1] if said else 'no word'}")
        confirmed = int(line)
    process.kill()
    await process.wait()
    rest = (await process.stdout.read()).split()
    return int(rest[-1]) if rest else confirmed
