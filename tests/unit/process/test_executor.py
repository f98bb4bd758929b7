"""The threads for blocking work of the loop: whose they are, and when they end."""

import threading
from dataclasses import dataclass

from logweir.process.executor import LoopExecutor, threads_of


@dataclass
class Owner:
    """A sink that is a dataclass: equal to others, and without a hash."""


@dataclass(slots=True)
class SlottedOwner:
    """A sink with __slots__, which no weak reference can name."""


def thread_for(executor: LoopExecutor, owner: object) -> threading.Thread:
    with threads_of(owner):
        return executor.submit(threading.current_thread).result(10)


def test_each_owner_has_threads_of_its_own() -> None:
    executor = LoopExecutor()
    one, another = Owner(), Owner()
    assert thread_for(executor, one) is not thread_for(executor, another)
    executor.shutdown()


def test_the_threads_of_an_owner_that_is_gone_end() -> None:
    executor = LoopExecutor()
    replaced, stays = Owner(), Owner()
    ends, lives = thread_for(executor, replaced), thread_for(executor, stays)
    del replaced
    thread_for(executor, stays)
    ends.join(10)
    assert (ends.is_alive(), lives.is_alive()) == (False, True)
    executor.shutdown()
    lives.join(10)
    assert not lives.is_alive()


def test_an_owner_without_weak_references_has_threads_of_its_own() -> None:
    executor = LoopExecutor()
    thread = thread_for(executor, SlottedOwner())
    assert thread_for(executor, SlottedOwner()) is not thread
    executor.shutdown()
    thread.join(10)
    assert not thread.is_alive()
