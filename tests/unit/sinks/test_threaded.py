"""Synchronous sinks behind asynchronous workers."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.process.pacing import Leisure, leisure, paced
from logweir.sinks.contract import SinkConfig, SinkContext, SyncSink
from logweir.sinks.null import NullConfig, NullSink
from logweir.sinks.results import Health, HealthStatus, WriteResult
from logweir.sinks.threaded import _MOST_ABANDONED, as_async


class Blocking(SyncSink[SinkConfig]):
    """Blocks in write until it is released."""

    def __init__(self) -> None:
        super().__init__(SinkConfig(type="blocking"), SinkContext(workers=1))
        self.released = threading.Event()
        self.entered = threading.Semaphore(0)
        self.threads: set[str] = set()

    def write(self, batch: Sequence[Event]) -> WriteResult:
        self.threads.add(threading.current_thread().name)
        self.entered.release()
        self.released.wait()
        return WriteResult.all_stored()

    def check(self) -> Health:
        raise SinkUnavailable("cannot say")


def test_an_asynchronous_sink_is_left_as_it_is() -> None:
    sink = NullSink(NullConfig())
    assert as_async(sink) is sink


async def test_a_synchronous_sink_never_runs_on_the_loop() -> None:
    sink = Blocking()
    sink.released.set()
    adapted = as_async(sink)
    await adapted.open()
    assert await adapted.write([]) == WriteResult.all_stored()
    assert sink.threads == {"logweir-sink"}
    await adapted.close()


async def test_the_pauses_of_a_worker_reach_the_thread() -> None:
    class Paced(Blocking):
        def write(self, batch: Sequence[Event]) -> WriteResult:
            found.append(leisure())
            return WriteResult.all_stored()

    found: list[Leisure | None] = []
    adapted = as_async(Paced())
    await adapted.open()

    def decide() -> bool:
        return True

    with paced(decide):
        await adapted.write([])
    await adapted.write([])
    assert found == [decide, None]
    await adapted.close()


async def test_an_error_reaches_the_caller() -> None:
    class Failing(Blocking):
        def write(self, batch: Sequence[Event]) -> WriteResult:
            raise SinkUnavailable("no")

    adapted = as_async(Failing())
    await adapted.open()
    with pytest.raises(SinkUnavailable, match="no"):
        await adapted.write([])
    await adapted.close()


async def test_a_call_that_hangs_is_left_behind_and_another_thread_serves() -> None:
    sink = Blocking()
    adapted = as_async(sink)
    await adapted.open()
    for _ in range(_MOST_ABANDONED):
        writing = asyncio.ensure_future(adapted.write([]))
        await asyncio.to_thread(sink.entered.acquire)
        writing.cancel()
        await asyncio.wait((writing,))
    with pytest.raises(SinkUnavailable, match="8 calls to the sink hang"):
        await adapted.write([])
    sink.released.set()
    async with asyncio.timeout(5):
        while True:
            try:
                assert await adapted.write([]) == WriteResult.all_stored()
                break
            except SinkUnavailable:
                await asyncio.sleep(0.001)
    await adapted.close()


async def test_a_check_that_raises_is_an_answer() -> None:
    adapted = as_async(Blocking())
    assert await adapted.check() == Health(HealthStatus.DOWN, "cannot say")
    await adapted.close()
