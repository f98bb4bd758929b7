"""Several worker processes under one parent, which starts again whichever dies.

The parent delivers nothing. Each process is a `logweir worker` of its own, started anew and not forked, whose
standard input is a pipe from the parent: where that ends, the parent is gone, and the process ends as if it
had been asked to. They lead sessions of their own, so that Ctrl-C reaches them through the parent alone.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from logweir.process.ends import cause_of_end

__all__ = ["WorkerGroup"]

#: Seconds before a process that died is started again: the first time, at most, and after how long a life the
#: first again.
_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
_LONG_LIFE = 60.0


@dataclass(slots=True)
class _Slot:
    """One process, or the place of one that is to be started."""

    process: subprocess.Popen[bytes] | None = None
    born: float = 0.0
    deaths: int = 0
    due: float = 0.0


class WorkerGroup:
    """Keeps so many processes running; all methods belong to one thread.

    Args:
        commands: How each is started.
        say: Says to the operator what becomes of them.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        commands: Sequence[Sequence[str]],
        say: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._commands = commands
        self._say = say
        self._clock = clock
        self._slots = [_Slot() for _ in commands]
        self._ending = False
        self._failed = False

    @property
    def pids(self) -> list[int]:
        """The processes that run."""
        return [slot.process.pid for slot in self._slots if slot.process is not None]

    def look_after(self) -> float:
        """Start what is due, and note what died; returns after how many seconds to look again."""
        for number, slot in enumerate(self._slots):
            if slot.process is not None and slot.process.poll() is not None:
                self._note_death(number, slot, slot.process)
            if slot.process is None and not self._ending and self._clock() >= slot.due:
                self._start(number, slot)
        waits = [slot.due - self._clock() for slot in self._slots if slot.process is None]
        return max(0.01, min(waits, default=_LONGEST_PAUSE))

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all that run."""
        for slot in self._slots:
            if slot.process is not None:
                slot.process.send_signal(number)

    def end(self) -> None:
        """Ask all to end, and start none again."""
        self._ending = True
        self.send(signal.SIGTERM)

    def is_over(self) -> bool:
        """Whether none runs any more and none will."""
        return self._ending and not self.pids

    @property
    def ended_well(self) -> bool:
        """Whether all that were asked to end did so by themselves."""
        return not self._failed

    def _start(self, number: int, slot: _Slot) -> None:
        command = self._commands[number]
        try:
            slot.process = subprocess.Popen(  # noqa: S603 - our own command line
                command, stdin=subprocess.PIPE, start_new_session=True
            )
        except OSError as error:  # neither memory nor processes are left; that passes
            self._put_off(number, slot, "a worker", f"cannot be started: {error}", 0.0)
        slot.born = self._clock()

    def _note_death(self, number: int, slot: _Slot, process: subprocess.Popen[bytes]) -> None:
        slot.process = None
        if process.stdin is not None:
            process.stdin.close()
        if self._ending:
            self._failed = self._failed or process.returncode != 0
            return
        lived = self._clock() - slot.born
        what = f"ended after {lived:.0f} s by {cause_of_end(process.returncode)}"
        self._put_off(number, slot, f"worker {process.pid}", what, lived)

    def _put_off(self, number: int, slot: _Slot, who: str, what: str, lived: float) -> None:
        """Start another later, the more so the more often it came to this."""
        slot.deaths = 1 if lived >= _LONG_LIFE else slot.deaths + 1
        pause = min(_LONGEST_PAUSE, _PAUSE * 2.0 ** (slot.deaths - 1))
        slot.due = self._clock() + pause
        self._say(f"{who} ({number + 1} of {len(self._slots)}) {what}; another is started in {pause:g} s")
