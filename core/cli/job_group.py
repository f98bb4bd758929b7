"""The parent of a command with ``--jobs``: starts processes, hears what they say, and ends them.

It works through a pipe to each (its standard input) and one back. The processes lead sessions of their own,
so that Ctrl-C reaches them through the parent alone; nothing but a descriptor's number is on their command
lines beside what the parent puts there.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec

from logweir.cli.interruption import Interruption

__all__ = ["Job", "JobGroup"]

_CHUNK = 1 << 16


@dataclass(eq=False, slots=True)
class Job:
    """One process.

    Attributes:
        process: The process.
        answers: Where it says something.
        heard: The beginning of what it is saying.
    """

    process: subprocess.Popen[bytes]
    answers: int
    heard: bytes = b""

    def say(self, message: Any) -> None:
        """Say something to it; what has become of one that does not hear shows when its answers end."""
        stdin = self.process.stdin
        with suppress(BrokenPipeError):
            if stdin is not None:
                stdin.write(msgspec.json.encode(message) + b"\n")
                stdin.flush()

    def close(self) -> None:
        """Close both pipes: a process that still works hears that its parent is gone, and ends."""
        os.close(self.answers)
        with suppress(BrokenPipeError):
            if self.process.stdin is not None:
                self.process.stdin.close()


@dataclass(slots=True)
class JobGroup:
    """Processes that share the work of one command.

    Args:
        command: Starts one; the number of the descriptor for its answers is added.
        interruption: Ends them.
        answer: Called with what a process said: the process, a word, and a value.
        ended: Called with a process that has ended, and its return code.

    Attributes:
        is_ending: Whether all were asked to end.
    """

    command: Sequence[str]
    interruption: Interruption
    answer: Callable[[Job, str, Any], None]
    ended: Callable[[Job, int], None]
    is_ending: bool = False
    _living: dict[int, Job] = field(default_factory=dict)

    def run(self, count: int, pipes: Sequence[int] = ()) -> None:
        """Start them, and hear them until the last has ended.

        Args:
            count: How many there are to be.
            pipes: Descriptors that all are given open.

        Raises:
            OSError: A process cannot be started.
        """
        try:
            for _ in range(count):
                self._start(pipes)
            while self._living:
                for answers in self.interruption.wait_for_any(self._living):
                    self._hear(self._living[answers])
                if self.interruption.asked is not None:
                    self.end()
        finally:
            for job in self._living.values():  # after an error here
                job.close()

    def end(self) -> None:
        """Ask all to end, once."""
        if not self.is_ending:
            self.is_ending = True
            for job in self._living.values():
                job.process.send_signal(signal.SIGTERM)

    def _start(self, pipes: Sequence[int]) -> None:
        answers, its_end = os.pipe()
        try:
            process = subprocess.Popen(  # noqa: S603 - our own command line
                [*self.command, str(its_end)],
                stdin=subprocess.PIPE,
                pass_fds=(its_end, *pipes),
                start_new_session=True,
            )
        except BaseException:
            os.close(answers)
            raise
        finally:
            os.close(its_end)
        self._living[answers] = Job(process, answers)

    def _hear(self, job: Job) -> None:
        data = os.read(job.answers, _CHUNK)
        if not data:
            del self._living[job.answers]
            code = job.process.wait()
            job.close()
            self.ended(job, code)
            return
        *messages, job.heard = (job.heard + data).split(b"\n")
        for message in messages:
            word, *values = msgspec.json.decode(message)
            self.answer(job, word, values[0] if values else None)
