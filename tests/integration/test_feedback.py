"""What sinks log about their own writes does not feed itself, wherever they log it; what others log is stored."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue
from typing import Any, ClassVar

import pytest

import logweir
from logweir.event import Event
from logweir.sinks import registry
from logweir.sinks.contract import Sink, SinkConfig, SyncSink
from logweir.sinks.results import WriteResult
from support.waiting import eventually

BATCH = {"max_events": 1, "linger": "1ms"}


class Log:
    """How the sinks of a test log, and how often they did."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self.calls = 0

    def __call__(self) -> None:
        self._write("written")
        self.calls += 1


class Recording(Sink[SinkConfig]):
    """Stores in a list, and logs each write in a way of its own."""

    stored: ClassVar[list[Event]] = []
    log: ClassVar[Log]

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        self.stored.extend(batch)
        await self.say()
        return WriteResult.all_stored()

    async def say(self) -> None:
        raise NotImplementedError


class InWrite(Recording):
    async def say(self) -> None:
        self.log()


class InAThreadOfAsyncio(Recording):
    async def say(self) -> None:
        await asyncio.to_thread(self.log)


class InTheDefaultExecutor(Recording):
    async def say(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.log)


class InItsExecutor(Recording):
    async def open(self) -> None:
        self._pool = ThreadPoolExecutor(1)

    async def say(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._pool, self.log)

    async def close(self) -> None:
        self._pool.shutdown()


class InAnExecutorOfTheApplication(Recording):
    pool: ClassVar[ThreadPoolExecutor]

    async def say(self) -> None:
        await asyncio.wrap_future(self.pool.submit(self.log))


class InItsThread(Recording):
    async def open(self) -> None:
        self._calls: SimpleQueue[asyncio.Future[None] | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        while (done := self._calls.get()) is not None:
            self.log()
            self._loop.call_soon_threadsafe(done.set_result, None)

    async def say(self) -> None:
        done: asyncio.Future[None] = self._loop.create_future()
        self._calls.put(done)
        await done

    async def close(self) -> None:
        self._calls.put(None)
        self._thread.join()


class Synchronous(SyncSink[SinkConfig]):
    def write(self, batch: Sequence[Event]) -> WriteResult:
        Recording.stored.extend(batch)
        Recording.log()
        return WriteResult.all_stored()


SINKS = [
    InWrite,
    InAThreadOfAsyncio,
    InTheDefaultExecutor,
    InItsExecutor,
    InAnExecutorOfTheApplication,
    InItsThread,
    Synchronous,
]


@pytest.fixture
def handler() -> Iterator[logweir.Handler]:
    handler = logweir.Handler()
    logger = logging.getLogger("feedback")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)


@pytest.fixture(autouse=True)
def _own_sinks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What these tests register is known to no other test."""
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """One whose threads the application has started."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        InAnExecutorOfTheApplication.pool = pool
        yield pool


def start(sink: type[Any] = InWrite, **options: Any) -> logweir.Runtime:
    logweir.configure_structlog()
    Recording.stored.clear()
    logweir.register_sink(f"test-{sink.__name__.lower()}")(sink)
    return logweir.start(
        {
            "sinks": {"out": {"type": f"test-{sink.__name__.lower()}", "batch": BATCH, **options}},
            "routes": [{"name": "all", "to": ["out"]}],
        }
    )


def ways() -> dict[str, Callable[[str], object]]:
    return {"structlog": logweir.get_logger("feedback").info, "stdlib": logging.getLogger("feedback").info}


@pytest.mark.parametrize("way", ["structlog", "stdlib"])
@pytest.mark.parametrize("sink", SINKS)
def test_c6_a_sink_that_logs_its_writes_does_not_feed_itself(
    handler: logweir.Handler,
    pool: ThreadPoolExecutor,
    caplog: pytest.LogCaptureFixture,
    sink: type[Any],
    way: str,
) -> None:
    logweir.configure_structlog()
    Recording.log = Log(ways()[way])
    runtime = start(sink)
    for _ in range(3):
        logging.getLogger("feedback").info("called")
    assert runtime.flush()
    # Each event is a write, and each write a record: what is not stored in turn is counted.
    eventually(lambda: len(Recording.stored) + runtime.metrics().left_out == 3 + Recording.log.calls)
    assert runtime.metrics().left_out > 0
    assert caplog.text.count("is left out and counted") == 1
    assert len(Recording.stored) <= 6
    assert [event.name for event in Recording.stored].count("called") == 3


def test_c6_audit_events_and_those_of_finalisers_are_stored_wherever_they_are_logged(
    handler: logweir.Handler,
) -> None:
    class Object:
        def __del__(self) -> None:
            logging.getLogger("feedback").warning("collected")

    def log(_message: str) -> None:
        if len(Recording.stored) == 1:
            Object()
            logging.getLogger("feedback").info("audit", extra={"persist_db": True})

    Recording.log = Log(log)
    runtime = start()
    logging.getLogger("feedback").info("called")
    eventually(lambda: {event.name for event in Recording.stored} == {"called", "collected", "audit"})
    assert runtime.metrics().left_out == 0


@pytest.mark.parametrize("name", ["logweir", "logweir-worker"])
def test_c6_a_thread_of_the_application_may_have_any_name(handler: logweir.Handler, name: str) -> None:
    Recording.log = Log(lambda _message: None)
    runtime = start()
    thread = threading.Thread(target=partial(logging.getLogger("feedback").info, "mine"), name=name)
    thread.start()
    thread.join()
    assert runtime.flush()
    assert [event.name for event in Recording.stored] == ["mine"]


def test_c6_records_of_a_sink_that_come_by_a_queue_are_left_out() -> None:
    records: Any = SimpleQueue()
    logger = logging.getLogger("feedback.queued")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    queued = QueueHandler(records)
    logger.addHandler(queued)
    listener = QueueListener(records, logweir.Handler())
    listener.start()
    try:
        Recording.log = Log(logger.info)
        runtime = start()
        logger.info("called")
        eventually(lambda: runtime.metrics().left_out == 1)
        assert [event.name for event in Recording.stored] == ["called"]
    finally:
        listener.stop()
        logger.removeHandler(queued)
