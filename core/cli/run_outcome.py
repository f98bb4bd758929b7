"""What ``logweir run`` did: counted by each process, added up, and printed as one table."""

from __future__ import annotations

import signal
from collections.abc import Iterable

import msgspec
from rich.console import Console, RenderableType
from rich.filesize import decimal

from logweir.cli.run_lines import LineReader
from logweir.cli.tables import counts_by_name
from logweir.encoding.counted import counted
from logweir.encoding.values import clean_text
from logweir.telemetry.model import Metrics

__all__ = ["Outcome", "added", "rates", "summary"]

_SINK_COUNTS = ("accepted", "stored", "duplicate", "retried", "dropped", "dead")


class Outcome(msgspec.Struct):
    """What one process did, or all of them.

    Attributes:
        complete: Whether everything was read, and is stored or safe on disk.
        read: How many events were made.
        size: How many bytes of lines were read.
        malformed: How many lines could not be read.
        given_up: How many lines became dead letters because no queue took their events.
        skipped: How many lines were stored before.
        damaged: How many files had compressed data that are damaged.
        unrouted: How many events no route took.
        truncated: How many were cut.
        sinks: Of each sink the counts of the table.
        notes: What is worth saying about the files.
    """

    complete: bool = True
    read: int = 0
    size: int = 0
    malformed: int = 0
    given_up: int = 0
    skipped: int = 0
    damaged: int = 0
    unrouted: int = 0
    truncated: int = 0
    sinks: dict[str, list[int]] = {}
    notes: list[str] = []

    @classmethod
    def of(cls, reader: LineReader, metrics: Metrics, *, complete: bool) -> Outcome:
        """What this process did."""
        sinks = {
            name: [
                sink.accepted,
                sink.stored,
                sink.duplicate,
                sink.retried,
                sum(sink.dropped.values()),
                sink.dead,
            ]
            for name, sink in metrics.sinks.items()
        }
        return cls(
            complete,
            reader.read,
            reader.size,
            reader.malformed,
            reader.given_up,
            reader.skipped,
            reader.damaged,
            metrics.unrouted,
            metrics.truncated,
            sinks,
            [clean_text(note) for note in reader.notes],  # a name in one need not be UTF-8
        )

    @property
    def is_well(self) -> bool:
        """Whether nothing is left, lost or damaged."""
        nothing_fits = self.malformed and not self.read
        dropped = any(counts[_SINK_COUNTS.index("dropped")] for counts in self.sinks.values())
        return self.complete and not (nothing_fits or self.damaged or self.given_up or dropped)


def added(outcomes: Iterable[Outcome]) -> Outcome:
    """What several processes did, as one."""
    total = Outcome()
    for one in outcomes:
        total.complete = total.complete and one.complete
        for name in (
            "read", "size", "malformed", "given_up", "skipped", "damaged", "unrouted", "truncated",
        ):  # fmt: skip
            setattr(total, name, getattr(total, name) + getattr(one, name))
        for name, counts in one.sinks.items():
            before = total.sinks.get(name, [0] * len(_SINK_COUNTS))
            total.sinks[name] = [a + b for a, b in zip(before, counts, strict=True)]
        total.notes = [*total.notes, *(note for note in one.notes if note not in total.notes)]
    return total


def summary(outcome: Outcome, ended_by: int | None, console: Console) -> RenderableType:
    """The table of what became of the events, under one sentence about the lines."""
    title = f"{counted(outcome.read, 'event')} read, {counted(outcome.malformed, 'malformed line')}"
    if outcome.malformed:
        title += " (in the dead letters)"
    if outcome.given_up:
        title += f", {counted(outcome.given_up, 'line')} that no queue took (in the dead letters)"
    if outcome.skipped:
        title += f", {counted(outcome.skipped, 'line')} stored before"
    if outcome.unrouted:
        title += f", {outcome.unrouted:,} taken by no route"
    if outcome.truncated:
        title += f", {outcome.truncated:,} cut to fit `limits`"
    if ended_by is not None:
        title += f"; ended by {signal.Signals(ended_by).name}"
    rows = {name: dict(zip(_SINK_COUNTS, counts, strict=True)) for name, counts in outcome.sinks.items()}
    return counts_by_name(console, "sink", rows, title=title)


def rates(outcome: Outcome, seconds: float, jobs: int) -> str:
    """How fast it went, from the first byte that was read until all of it was settled."""
    per_second = 1 / max(seconds, 0.001)
    by = f" by {jobs} processes" if jobs > 1 else ""
    return (
        f"{outcome.read * per_second:,.0f} events/s, {decimal(int(outcome.size * per_second))}/s "
        f"({decimal(outcome.size)} in {seconds:.1f} s{by})"
    )
