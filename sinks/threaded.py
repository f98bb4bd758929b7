"""The adapter that lets a sink with a synchronous client serve asynchronous workers.

Each worker has a thread, started when the sink opens (no thread can be started while the interpreter
exits). A call that is given up by its worker may hang for ever in its thread; the thread is then left
behind and another takes its place, a few times.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from functools import partial
from typing import Any, Generic, TypeVar, cast

from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.process.pacing import leisure, paced
from logweir.sinks.contract import Sink, SinkConfig, SyncSink
from logweir.sinks.results import Health, HealthStatus, WriteResult
from logweir.sinks.shared.destinations import template_of
from logweir.sinks.templated import TemplatedSink

__all__ = ["as_async"]

#: Threads that may hang before the sink counts as unavailable until one of them returns.
_MOST_ABANDONED = 8

T = TypeVar("T")


def as_async(sink: Sink[Any] | SyncSink[Any]) -> Sink[SinkConfig]:
    """Return the sink itself if it is asynchronous, otherwise one that runs it in threads.

    Where its destination is a template, it is one that makes a sink for each destination.
    """
    template = template_of(sink.config)
    if template is None or isinstance(sink, TemplatedSink):
        return _as_async(sink, None)
    threads = _Threads(sink.context.name, sink.context.workers)  # those of one destination do for all
    return TemplatedSink(sink, template, lambda one: _as_async(one, threads))


def _as_async(sink: Sink[Any] | SyncSink[Any], threads: _Threads | None) -> Sink[SinkConfig]:
    return cast("Sink[SinkConfig]", sink if isinstance(sink, Sink) else _ThreadedSink(sink, threads))


class _ThreadedSink(Sink[SinkConfig]):
    """Runs the methods of a synchronous sink in threads of its own."""

    def __init__(self, sink: SyncSink[SinkConfig], threads: _Threads | None = None) -> None:
        super().__init__(sink.config, sink.context)
        self._sink = self.itself = sink
        self._threads = threads or _Threads(sink.context.name, sink.context.workers)

    async def open(self) -> None:
        self._threads.start()
        await self._threads.run(self._sink.open)

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        by = leisure()

        def write() -> WriteResult:
            with paced(by):
                return self._sink.write(batch)

        return await self._threads.run(write)

    async def check(self) -> Health:
        self._threads.start()
        try:
            return await self._threads.run(self._sink.check)
        except SinkUnavailable as error:
            return Health(HealthStatus.DOWN, str(error))

    async def close(self) -> None:
        self._threads.start()
        try:
            await self._threads.run(self._sink.close)
        finally:
            self._threads.stop()


class _Threads:
    """A few daemon threads that take work from a queue.

    ``ThreadPoolExecutor`` will not do: it starts threads late, joins them at exit even if one hangs, and
    refuses work once the interpreter has begun to exit, which is when the last events are written.
    """

    def __init__(self, name: str, count: int) -> None:
        self._name = name
        self._count = count
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._running = 0
        self._abandoned = 0
        self._inline = False
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the threads that are missing."""
        with self._lock:
            if not self._running and not self._abandoned:
                # Made now and not in __init__, which a fork's child runs before gevent has patched it.
                self._work = queue.SimpleQueue()
            missing = self._count - self._running
            self._running += max(0, missing)
        for _ in range(missing):
            self._start_one()

    def stop(self) -> None:
        """Let idle threads end; one that hangs ends with the process."""
        with self._lock:
            count, self._running = self._running, 0
        for _ in range(count):
            self._work.put(None)

    async def run(self, work: Callable[[], T]) -> T:
        """Run one piece of work in a thread.

        Raises:
            SinkUnavailable: Too many threads hang.
        """
        if self._abandoned >= _MOST_ABANDONED:
            raise SinkUnavailable(f"{self._abandoned} calls to the sink hang and have not returned")
        call = _Call(work)
        if self._inline:
            call.run()
        else:
            self._work.put(call.run)
        try:
            return await asyncio.wrap_future(call.future)
        except asyncio.CancelledError:
            if call.abandon():
                self._replace(call)
            raise

    def _replace(self, call: _Call[Any]) -> None:
        """Start a thread in place of one that hangs; when that one returns, it ends."""
        with self._lock:
            self._abandoned += 1
        call.on_return(self._returned)
        self._start_one()

    def _returned(self) -> None:
        with self._lock:
            self._abandoned -= 1
        self._work.put(None)  # one thread ends, this or another: its replacement has its place

    def _start_one(self) -> None:
        try:
            threading.Thread(target=self._serve, name=f"logweir-{self._name}", daemon=True).start()
        except RuntimeError as error:
            if "shutdown" not in str(error):
                raise
            # From Python 3.12 on an exiting interpreter starts no threads, and nobody else needs the loop.
            self._inline = True

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            del work


class _Call(Generic[T]):
    """One piece of work, its answer, and whether somebody still waits for it."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self.future: Future[T] = Future()
        self._lock = threading.Lock()
        self._started = False
        self._finished = False
        self._then: Callable[[], None] | None = None

    def run(self) -> None:
        """Do the work, in a thread."""
        with self._lock:
            if self.future.cancelled():
                return
            self._started = True
        try:
            answer = self._work()
        except BaseException as error:  # noqa: BLE001 - it belongs to the waiter
            self._answer(partial(self.future.set_exception, error))
        else:
            self._answer(partial(self.future.set_result, answer))

    def abandon(self) -> bool:
        """Note that nobody waits any more; whether a thread is busy with the work."""
        with self._lock:
            return self._started and not self._finished

    def on_return(self, then: Callable[[], None]) -> None:
        """Call ``then`` when the thread comes back."""
        with self._lock:
            if not self._finished:
                self._then = then
                return
        then()

    def _answer(self, set_future: Callable[[], None]) -> None:
        with self._lock:
            self._finished = True
            then = self._then
        with contextlib.suppress(InvalidStateError):  # the waiter was cancelled
            set_future()
        if then is not None:
            then()
