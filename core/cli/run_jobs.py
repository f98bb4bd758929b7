"""The parent of ``logweir run --jobs``: gives pieces to processes, and adds up what they did.

It reads nothing itself. When a process fails, the others are asked to end: sinks that know only the latest
ids must still know those of the lines that the next run reads again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from logweir.cli.interruption import Interruption
from logweir.cli.job_group import Job, JobGroup
from logweir.cli.run_outcome import Outcome, added
from logweir.cli.run_pieces import Piece
from logweir.process.ends import cause_of_end

__all__ = ["Jobs"]


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
    _outcomes: dict[Job, Outcome] = field(default_factory=dict)
    _done: list[Outcome] = field(default_factory=list)
    _group: JobGroup = field(init=False)

    def __post_init__(self) -> None:
        self._group = JobGroup(self.command, self.interruption, self._answer, self._note_end)

    def run(self, pieces: Iterable[Piece]) -> Outcome:
        """Let them read everything; what all of them did.

        Raises:
            OSError: A process cannot be started.
        """
        self._pieces.extend(pieces)
        pipes = [piece.descriptor for piece in self._pieces if piece.descriptor is not None]
        self._group.run(self.count, pipes)
        return added(self._done)

    def _answer(self, job: Job, what: str, value: Any) -> None:
        if what == "read":
            self.advance(value)
        elif what == "done":
            self._outcomes[job] = msgspec.convert(value, Outcome)
        else:
            job.say(self._pieces.popleft() if self._pieces and not self._group.is_ending else None)

    def _note_end(self, job: Job, code: int) -> None:
        """Keep what a process did; one that failed, or has said nothing, ends the run."""
        outcome = self._outcomes.pop(job, None)
        if outcome is None:
            outcome = Outcome(complete=False)
            if not self._group.is_ending:
                what = f"process {job.process.pid} ended by {cause_of_end(code)}"
                outcome.notes = [f"{what}: the run has ended; begun again, it goes on there"]
        self._done.append(outcome)
        if not outcome.complete and not self._group.is_ending:
            self.code = self.code or max(code, 1)
            self._group.end()
