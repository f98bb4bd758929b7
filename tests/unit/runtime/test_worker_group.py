"""A parent keeps its processes running: real ones, that end as they are made to."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from logweir.runtime.worker_group import WorkerGroup
from support.waiting import eventually

STAYS = [sys.executable, "-c", "import sys; sys.stdin.read()"]
ENDS = [sys.executable, "-c", "raise SystemExit(3)"]


class Watched:
    """A group, with a clock that the test moves."""

    def __init__(self, *commands: list[str]) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.group = WorkerGroup(commands, self.said.append, clock=lambda: self.now)

    def until_one_is_noted(self) -> float:
        before = len(self.said)
        wait = [0.0]

        def noted() -> bool:
            wait[0] = self.group.look_after()
            return len(self.said) > before

        eventually(noted)
        return wait[0]


@contextmanager
def watched(*commands: list[str]) -> Iterator[Watched]:
    found = Watched(*commands)
    try:
        yield found
    finally:
        found.group.end()
        eventually(lambda: found.group.look_after() and found.group.is_over())


def test_one_that_is_killed_is_started_again_and_the_other_goes_on() -> None:
    with watched(STAYS, STAYS) as found:
        found.group.look_after()
        first, second = found.group.pids
        os.kill(first, signal.SIGKILL)
        found.until_one_is_noted()
        assert found.group.pids == [second]
        assert f"worker {first} (1 of 2) ended after 0 s by SIGKILL; another is started in 1 s" in found.said
        found.now = 1.0
        found.group.look_after()
        assert len(found.group.pids) == 2
        assert second in found.group.pids


def test_one_that_dies_again_and_again_is_started_more_and_more_rarely() -> None:
    with watched(ENDS) as found:
        pauses = []
        for _ in range(8):
            found.group.look_after()
            pauses.append(found.until_one_is_noted())
            found.now += pauses[-1]
        assert [round(pause) for pause in pauses] == [1, 2, 4, 8, 16, 32, 60, 60]
        assert "exit code 3" in found.said[0]


def test_a_long_life_is_forgiven() -> None:
    with watched(STAYS) as found:
        for _ in range(3):
            found.group.look_after()
            found.now += 100.0
            os.kill(found.group.pids[0], signal.SIGKILL)
            assert round(found.until_one_is_noted()) == 1
            found.now += 1.0


def test_none_is_started_once_the_end_was_asked_for() -> None:
    with watched(ENDS, STAYS) as found:
        found.group.look_after()
        found.until_one_is_noted()
        found.group.end()
        found.now = 100.0
        eventually(lambda: found.group.look_after() and found.group.is_over())
        assert not found.group.ended_well  # SIGTERM ended the second, which has no handler
