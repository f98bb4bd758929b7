"""The simulated threads themselves: a lock keeps others out, a wait has an end, and a deadlock is found."""

from collections.abc import Iterator
from random import Random

import pytest

from simulation.clock import VirtualLoop
from simulation.locks import _Condition, _RLock
from simulation.threads import Threads


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop(Random(5))
    yield loop
    loop.threads.end_all()
    loop.close()


@pytest.fixture
def threads(loop: VirtualLoop) -> Threads:
    return loop.threads


def finish(threads: Threads) -> None:
    while threads.alive:
        if not threads.run_one():
            threads.sleep(0.1)  # some are interrupted for a while


@pytest.mark.parametrize("locked", [True, False])
def test_what_a_lock_guards_is_done_by_one_thread_at_a_time(threads: Threads, *, locked: bool) -> None:
    lock, count = _RLock(threads), 0

    def add() -> None:
        nonlocal count
        for _ in range(10):
            if locked:
                lock.acquire()
            before = count
            threads.pause()
            count = before + 1
            if locked:
                lock.release()

    for _ in range(3):
        threads.spawn(add, "adder")
    finish(threads)
    assert (count == 30) is locked


def test_a_condition_wakes_who_waits_and_gives_up_in_time(threads: Threads) -> None:
    condition, woken = _Condition(threads), list[bool]()

    def wait() -> None:
        with condition:
            woken.append(condition.wait(5.0))

    threads.spawn(wait, "waiter")
    threads.run_one()
    with condition:
        condition.notify()
    finish(threads)
    threads.spawn(wait, "waiter")
    threads.run_one()
    assert threads.next_deadline() == 5.0
    threads.sleep(5.0)
    finish(threads)
    assert woken == [True, False]


def test_a_deadlock_of_the_loop_is_found(threads: Threads) -> None:
    one, other = _RLock(threads), _RLock(threads)

    def second() -> None:
        with other, one:
            raise AssertionError("nobody lets it go")

    one.acquire()
    threads.spawn(second, "second")
    threads.run_one()
    with pytest.raises(RuntimeError, match="deadlock"):
        other.acquire()
    assert threads.violations


def test_a_loop_that_waits_for_a_thread_that_sleeps_was_blocked(threads: Threads) -> None:
    lock = _RLock(threads)

    def hold() -> None:
        with lock:
            threads.sleep(2.0)

    threads.spawn(hold, "holder")
    threads.run_one()
    with lock:
        assert threads.now() == 2.0
    assert threads.violations == ["the loop was blocked for 2.000 s"]
