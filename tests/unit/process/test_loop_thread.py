"""The loop thread: whoever waits for work on it gets an answer, whenever it ends."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from logweir.process.loop_thread import LoopThread
from support import hostile


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    hostile.begin_anew()
    thread = LoopThread(lambda: None)
    yield thread
    hostile.go_on.set()
    thread.stop()


async def wait_for_ever() -> None:
    await asyncio.Event().wait()


def answer(future: Future[Any]) -> BaseException | None:
    """What a future resolves with; the test fails if it never does."""
    resolved = threading.Event()
    future.add_done_callback(lambda _future: resolved.set())
    assert resolved.wait(20.0), "nobody answers"
    return future.exception()


async def at_the_cancellation(do: Callable[[], None]) -> None:
    try:
        await wait_for_ever()
    finally:
        do()


async def in_a_generator(do: Callable[[], None]) -> None:
    async def generate() -> AsyncIterator[None]:
        try:
            yield
        finally:
            do()

    generator = generate()
    await anext(generator)
    kept.append(generator)


kept: list[Any] = []


@pytest.mark.parametrize("moment", [at_the_cancellation, in_a_generator])
def test_what_is_submitted_while_the_loop_ends_is_answered(
    thread: LoopThread, moment: Callable[[Callable[[], None]], Any]
) -> None:
    futures: list[Future[None]] = []
    started = threading.Event()

    async def main() -> None:
        started.set()
        await moment(lambda: futures.append(thread.submit(wait_for_ever())))

    thread.submit(main())
    assert started.wait(20.0)
    thread.stop()
    assert isinstance(answer(futures[0]), TimeoutError)
    kept.clear()


def test_who_waits_for_a_loop_that_a_sink_blocks_is_answered_by_the_stop(thread: LoopThread) -> None:
    async def block() -> None:
        hostile.begun.set()
        hostile.block()

    blocked = thread.submit(block())
    assert hostile.begun.wait(20.0)
    waiting = thread.submit(wait_for_ever())
    thread.stop(0.01)
    assert [type(answer(future)) for future in (blocked, waiting)] == [TimeoutError, TimeoutError]


async def test_who_awaits_what_the_end_of_the_loop_cuts_off_is_not_cancelled(thread: LoopThread) -> None:
    begun = threading.Event()

    async def work() -> None:
        begun.set()
        await wait_for_ever()

    task = asyncio.ensure_future(thread.run_from_loop(work(), None))
    await asyncio.to_thread(begun.wait, 20.0)
    await asyncio.to_thread(thread.stop)
    with pytest.raises(TimeoutError, match="the delivery thread has ended"):
        await asyncio.wait_for(task, 20.0)


def test_what_nobody_waits_for_any_more_does_not_begin(thread: LoopThread) -> None:
    async def block() -> None:
        hostile.begun.set()
        hostile.block()

    done: list[str] = []

    async def work() -> None:
        done.append("work")

    async def nothing() -> None:
        pass

    thread.submit(block())
    assert hostile.begun.wait(20.0)
    with pytest.raises(TimeoutError):
        thread.run(work(), 0.01)
    hostile.go_on.set()
    thread.run(nothing(), 20.0)
    assert done == []
