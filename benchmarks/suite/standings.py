"""What a match with the rivals came to, arranged for people: the same rows for the terminal and the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from logweir.benchmarks.suite.results import Measure, Results

__all__ = ["Standing", "standings"]

_OWN = "logweir"


@dataclass(frozen=True, slots=True)
class Standing:
    """One contender of one backend.

    Attributes:
        backend: In this run.
        rival: The contender's name.
        durability: Where its events waited, and what was true of those that had arrived.
        events: How many each turn had.
        rate: Events a second, from the first log call until the store had them all.
        cpu: Microseconds of CPU for each event, of the process and its children.
        ratio: logweir's rate by this one's, turn by turn; None for logweir itself, or where it did not play.
        lost: The most events that did not arrive in a turn.
    """

    backend: str
    rival: str
    durability: str
    events: int
    rate: Measure
    cpu: Measure
    ratio: Measure | None
    lost: int


def standings(results: Results) -> Iterator[Standing]:
    """Every contender, in the order of the match."""
    for rate in results.select("rival", of="rate"):
        name = rate.labels["rival"]
        cpu = results.one("rival", rate.backend, rival=name, of="cpu")
        lost = results.one("rival", rate.backend, rival=name, of="lost")
        if cpu is not None and lost is not None:
            yield Standing(
                rate.backend,
                str(name),
                str(rate.labels["durability"]),
                int(rate.labels["events"]),
                rate,
                cpu,
                _ratio(results, rate),
                int(lost.high),
            )


def _ratio(results: Results, rate: Measure) -> Measure | None:
    own = results.one("rival", rate.backend, rival=_OWN, of="rate")
    if own is None or own is rate or not all(rate.values):
        return None
    values = [mine / theirs for mine, theirs in zip(own.values, rate.values, strict=True)]
    return Measure(backend=rate.backend, name="rival_ratio", unit="×", values=values)
