"""The parent of ``logweir verify --jobs``: divides sinks into parts, and gives them to processes.

It reads no rows itself but those at which parts meet. What a process has not said to be done is not
verified: when one ends before that, the others are asked to end, and no sink of which a part is missing is
called anything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from logweir.cli.interruption import Interruption
from logweir.cli.job_group import Job, JobGroup
from logweir.cli.verify_job import Task
from logweir.config.models import RoutingConfig
from logweir.errors import LogweirError
from logweir.process.ends import cause_of_end
from logweir.sinks.tamper_evidence import Chained, Finding, Part, PartKind, Seams, Stock, Tally
from logweir.stores.reading import opened
from logweir.stores.verification import MOST_LISTED, PartResult, across

__all__ = ["DividedSink", "VerifyJobs", "divided"]

#: Parts for each process: whoever is done early takes the next. And how many rows one has at least.
_EACH = 4
_WORTH = 5000


@dataclass(slots=True)
class DividedSink:
    """One sink, and what was found in its parts.

    Attributes:
        name: The sink.
        parts: Its parts, in their order, without that which comes after all others.
        expected: About how many rows there are.
        stock: What there was before any part was verified, if that is known.
        results: What was found in each part; None until it is done.
    """

    name: str
    parts: Sequence[Part]
    expected: int
    stock: Stock | None = None
    results: list[PartResult | None] = field(init=False)

    def __post_init__(self) -> None:
        self.results = [None for _ in self.parts]

    def note(self, number: int, result: PartResult) -> None:
        """Note what was found in a part; of all parts, only what will be listed is kept."""
        self.results[number] = result
        left = MOST_LISTED
        for each in self.done:
            del each.listed[left:]
            left -= len(each.listed)

    @property
    def done(self) -> list[PartResult]:
        """What was found in the parts that are done."""
        return [result for result in self.results if result is not None]

    @property
    def is_done(self) -> bool:
        """Whether every part is done."""
        return None not in self.results

    @property
    def unlisted(self) -> int:
        """How many findings there were beside those that are listed."""
        return sum(result.found - len(result.listed) for result in self.done)

    def listed(self) -> Iterable[Finding]:
        """The findings of the parts, in the order of these."""
        return (finding for result in self.done for finding in result.listed)

    async def findings(self, sink: Chained, tally: Tally) -> AsyncIterator[Finding]:
        """Yield what was found, with what shows only where parts are looked at together.

        Args:
            sink: The sink, open.
            tally: Gets what was looked at.

        Raises:
            SinkUnavailable: The rows cannot be read.
        """
        tally.expected, tally.stock = self.expected, self.stock
        for result in self.done:
            tally.add(result.tally)
        async for finding in sink.beginning():
            yield finding
        for finding in self.listed():
            yield finding
        async for finding in across(sink, self.parts, self.done):
            yield finding
        async for finding in sink.verify_part(Part(PartKind.ROWLESS), tally, Seams()):
            yield finding
        async for finding in sink.unread(tally):
            yield finding


async def divided(name: str, config: RoutingConfig, jobs: int) -> DividedSink:
    """Divide a sink.

    Raises:
        SinkError: It cannot be opened or read.
    """
    tally = Tally()
    async with opened(name, config, read_only=True) as sink:
        parts = await sink.itself.divide(jobs * _EACH, _WORTH, tally)
    divided = [part for part in parts if part.kind is not PartKind.ROWLESS]
    return DividedSink(name, divided, tally.expected, tally.stock)


@dataclass(slots=True)
class VerifyJobs:
    """Processes that verify parts.

    Args:
        command: Starts one; the number of the descriptor for its answers is added.
        jobs: How many there are to be at most.
        interruption: Ends them.
        advance: Notes how many rows were read, and how many findings there are.

    Attributes:
        failure: Why not all of it is verified; empty without a reason.
    """

    command: Sequence[str]
    jobs: int
    interruption: Interruption
    advance: Callable[[int, int], object]
    failure: str = ""
    _tasks: deque[Task] = field(default_factory=deque)
    _sinks: dict[str, DividedSink] = field(default_factory=dict)
    _working: dict[Job, Task] = field(default_factory=dict)
    _group: JobGroup = field(init=False)

    def __post_init__(self) -> None:
        self._group = JobGroup(self.command, self.interruption, self._answer, self._note_end)

    def run(self, sinks: Sequence[DividedSink]) -> None:
        """Let them verify every part, which is noted with its sink.

        Raises:
            OSError: A process cannot be started.
        """
        self._sinks = {sink.name: sink for sink in sinks}
        tasks = [Task(sink.name, number, part) for sink in sinks for number, part in enumerate(sink.parts)]
        # What cannot be divided comes first: the others fill the time until it is done.
        self._tasks.extend(sorted(tasks, key=lambda task: task.part.kind is not PartKind.UNLINKED))
        self._group.run(min(self.jobs, len(tasks)))

    def _answer(self, job: Job, what: str, value: Any) -> None:
        if what == "read":
            self.advance(value, 0)
        elif what == "done":
            result = PartResult.of_message(value)
            task = self._working.pop(job)
            self._sinks[task.sink].note(task.number, result)
            self.advance(0, result.found + len(result.seams.suspects))
        elif what == "failed":
            at_work = self._working.get(job)
            self._fail(f"sink {at_work.sink!r} is not verified: {value}" if at_work else str(value))
        elif self._tasks and not self._group.is_ending:
            self._working[job] = self._tasks.popleft()
            job.say(self._working[job])
        else:
            job.say(None)

    def _note_end(self, job: Job, code: int) -> None:
        task = self._working.pop(job, None)
        if code or task is not None:
            what = f"process {job.process.pid} ended by {cause_of_end(code)}"
            of = f" of sink {task.sink!r}" if task is not None else ""
            self._fail(f"{what}: what it was to verify{of} is not verified")

    def _fail(self, why: str) -> None:
        """Give up, for the first reason; what ends after that was asked to."""
        if not self._group.is_ending:
            self.failure = why
            self._group.end()

    def require_success(self) -> None:
        """See that everything was verified.

        Raises:
            LogweirError: A process has failed, or has left something out.
        """
        left = [sink.name for sink in self._sinks.values() if not sink.is_done]
        if self.failure or left:
            raise LogweirError(self.failure or f"not all of {', '.join(left)} is verified")
