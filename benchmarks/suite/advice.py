"""A recommendation as a table for each kind of event: what is expected, how far it may be wrong, and why."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from logweir.benchmarks.suite.predictions import Answer
from logweir.benchmarks.suite.recommend import Candidate, Recommendation
from logweir.benchmarks.suite.truth import CLASSES
from logweir.benchmarks.suite.units import count, duration, figure, size, span

__all__ = ["explained", "show_recommendation"]

#: A fit that may be wrong by more than this says little; within what is possible, that is.
_LOOSE = 10


def show_recommendation(item: Recommendation, console: Console) -> None:
    """Print the ranking for one kind of event."""
    reach = max((candidate.reach for candidate in item.candidates), default=1.0)
    beyond = f", {figure(reach)} × the most that were measured" if reach > 1 else ""
    console.print(Text(f"{item.kind}: {count(item.volume)} events kept{beyond}", style="bold"))
    for place, candidate in enumerate(item.candidates, start=1):
        if candidate.out:
            console.print(Text(f"  out  {candidate.backend}: {'; '.join(candidate.out)}", style="dim"))
            continue
        console.print(Text(f"  {place}.   {candidate.backend}: {'; '.join(_in_short(candidate))}"))
        console.print(_answers(candidate))
        for caution in _cautions(candidate, reach):
            console.print(Text(f"       {caution}", style="yellow"))
    console.print(Text(f"  {item.verdict}.\n"))


def _in_short(candidate: Candidate) -> Iterator[str]:
    if candidate.rate is not None:
        rate = candidate.rate
        said = span(rate.low, rate.high) if rate.basis == "bounds" else figure(rate.value)
        yield f"takes {said} events/s ({figure(candidate.peak)} needed at the peak)"
    if candidate.storage_gb is not None:
        yield f"keeps {size(candidate.storage_gb * 1e9)}, {figure(candidate.cost)} a month"


def _answers(candidate: Candidate) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(min_width=5)
    table.add_column(ratio=2)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(ratio=3, style="dim")
    for question, answer in candidate.answers.items():
        shown = f"at most {duration(answer.high)}" if answer.basis == "bounds" else duration(answer.value)
        table.add_row("", CLASSES[question], shown, explained(answer))
    return table


def explained(answer: Answer) -> str:
    """How an answer's time is known, and how far it may be wrong."""
    cold = "" if answer.phase == "warm" else ", with the caches empty"
    match answer.basis:
        case "measured":
            return f"{'a scan, ' if answer.scans else ''}within what was measured{cold}"
        case "fit":
            error = max(answer.high / answer.value, answer.value / answer.low)
            said = f"wrong by up to {figure(error)} ×: {span(answer.low, answer.high, 'ms')}{cold}"
            return f"a {'loose ' if error > _LOOSE else ''}fit, {said}"
        case "bounds":
            least = duration(answer.low)
            return f"at least {least}; too few doublings for a fit{cold}"
        case "scan":
            between = f", at best {duration(answer.low)}" if answer.low < 0.95 * answer.high else ""
            if answer.reads is None or answer.speed is None:
                return f"a scan, in proportion to the volume{between}{cold}"
            return f"a scan of {size(answer.reads)}, at {size(answer.speed)}/s as measured{between}{cold}"


def _cautions(candidate: Candidate, reach: float) -> Iterator[str]:
    if 1 < candidate.reach < reach:
        yield f"It was measured up to a {figure(candidate.reach)}th of the volume."
    yield from candidate.cautions
