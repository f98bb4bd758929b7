"""The parent of ``logweir run --jobs``: gives pieces to processes, and adds up what they did.

It reads nothing itself. The processes lead sessions of their own, so that Ctrl-C reaches them through the
parent alone. When one fails, the others are asked to end: sinks that know only the latest ids must still
know those of the lines that the next run reads again.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec

from logweir.cli.interruption import Interruption
from logweir.cli.run_outcome import Outcome, added
from logweir.cli.run_pieces import Piece
from logweir.process.ends import cause_of_end

__all__ = ["Jobs"]

_CHUNK = 1 << 16


@dataclass(eq=False, slots=True)
class _Job:
    """One process.

    Attributes:
        process: The process.
        answers: Where it says something.
        heard: The beginning of what it is saying.
        outcome: What it did, when it has said that.
    """

    process: subprocess.Popen[bytes]
    answers: int
    heard: bytes = b""
    outcome: Outcome | None = None


@dataclass(slots=True)
class Jobs:
    """Processes that read pieces.

    Args:
        command: Starts one; the number of the descriptor for its answers is added.
        count: How many there are to be.
        interruption: Ends them.
        advance: Notes how many bytes were read.

    Attributes:
        code: The exit code that a failure asks for; 0 without one.
    """

    command: Sequence[str]
    count: int
    interruption: Interruption
    advance: Callable[[int], object]
    code: int = 0
    _pieces: deque[Piece] = field(default_factory=deque)
    _living: dict[int, _Job] = field(default_factory=dict)
    _done: list[Outcome] = field(default_factory=list)
    _ending: bool = False

    def run(self, pieces: Iterable[Piece]) -> Outcome:
        """Let them read everything; what all of them did.

        Raises:
            OSError: A process cannot be started.
        """
        self._pieces.extend(pieces)
        pipes = [piece.descriptor for piece in self._pieces if piece.descriptor is not None]
        try:
            for _ in range(self.count):
                self._start(pipes)
            while self._living:
                for answers in self.interruption.wait_for_any(self._living):
                    self._hear(self._living[answers])
                if self.interruption.asked is not None:
                    self._end()
        finally:
            for job in self._living.values():  # after an error here: they hear that the parent is gone
                _close(job)
        return added(self._done)

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
        self._living[answers] = _Job(process, answers)

    def _hear(self, job: _Job) -> None:
        data = os.read(job.answers, _CHUNK)
        if not data:
            self._note_end(job)
            return
        *messages, job.heard = (job.heard + data).split(b"\n")
        for message in messages:
            self._answer(job, *msgspec.json.decode(message))

    def _answer(self, job: _Job, what: str, value: Any = None) -> None:
        if what == "read":
            self.advance(value)
        elif what == "done":
            job.outcome = msgspec.convert(value, Outcome)
        else:
            piece = self._pieces.popleft() if self._pieces and not self._ending else None
            _say(job, piece)

    def _note_end(self, job: _Job) -> None:
        """Keep what a process did; one that failed, or has said nothing, ends the run."""
        del self._living[job.answers]
        code = job.process.wait()
        _close(job)
        outcome = job.outcome
        if outcome is None:
            outcome = Outcome(complete=False)
            if not self._ending:
                what = f"process {job.process.pid} ended by {cause_of_end(code)}"
                outcome.notes = [f"{what}: the run has ended; begun again, it goes on there"]
        self._done.append(outcome)
        if not outcome.complete and not self._ending:
            self.code = self.code or max(code, 1)
            self._end()

    def _end(self) -> None:
        """Ask all to end, once."""
        if not self._ending:
            self._ending = True
            for job in self._living.values():
                job.process.send_signal(signal.SIGTERM)


def _say(job: _Job, piece: Piece | None) -> None:
    stdin = job.process.stdin
    with suppress(BrokenPipeError):  # what has become of it shows when its answers end
        if stdin is not None:
            stdin.write(msgspec.json.encode(piece) + b"\n")
            stdin.flush()


def _close(job: _Job) -> None:
    os.close(job.answers)
    with suppress(BrokenPipeError):
        if job.process.stdin is not None:
            job.process.stdin.close()
