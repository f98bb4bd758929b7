"""The figures of a run, arranged for people: the same rows for the terminal, the page and the comparison."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from logweir.benchmarks.suite.results import Label, Measure, Results
from logweir.benchmarks.suite.truth import CLASSES
from logweir.benchmarks.suite.units import count, size

__all__ = ["Row", "best_ingest", "emptied", "headline", "largest_volume", "volumes"]


#: How far two values that were not repeated may lie apart, each way, and still be called alike.
_UNREPEATED = 0.03
#: The questions that decide most often.
_CHIEF = frozenset({"exact", "trace", "full_text", "aggregation"})


@dataclass(frozen=True, slots=True)
class Row:
    """One property of every backend.

    Attributes:
        group: What it belongs to: `Writing`, `Keeping, at 50,000 events`, …
        what: The property, in words.
        unit: Of the values.
        more_is_better: How values compare.
        values: By backend; those without a value have none.
        remarks: What must be known beside a value, by backend.
        apart: Backends whose value cannot be compared, for it is of another volume.
        chief: Whether it is one of the few that decide most often.
    """

    group: str
    what: str
    unit: str
    more_is_better: bool
    values: dict[str, Measure]
    remarks: dict[str, str] = field(default_factory=dict)
    apart: frozenset[str] = frozenset()
    chief: bool = False

    def leaders(self) -> list[str]:
        """The backend with the best median, and those whose ranges overlap its range; none of one alone.

        A value that was not repeated has no range; what is within 3 % of it either way counts as one.
        """
        compared = {name: measure for name, measure in self.values.items() if name not in self.apart}
        if len(compared) < 2:
            return []
        choose = max if self.more_is_better else min
        first = choose(compared, key=lambda name: compared[name].median)
        low, high = _range(compared[first])
        near = [
            name for name, other in compared.items() if _range(other)[0] <= high and low <= _range(other)[1]
        ]
        return [first, *(name for name in near if name != first)]

    def best(self) -> str | None:
        """The backend that is better than all others beyond the ranges; None where there is no such one."""
        leaders = self.leaders()
        return leaders[0] if len(leaders) == 1 else None


def _range(measure: Measure) -> tuple[float, float]:
    spread = _UNREPEATED if len(measure.values) == 1 else 0.0
    return measure.low * (1 - spread), measure.high * (1 + spread)


def volumes(results: Results) -> list[int]:
    """The volumes that were measured, rising."""
    return sorted({int(measure.labels["volume"]) for measure in results.select("growth")})


def largest_volume(results: Results) -> int:
    """The largest volume that was measured; 0 if there is none."""
    return max(volumes(results), default=0)


def best_ingest(results: Results, backend: str) -> Measure | None:
    """The fastest cell of the ingest matrix."""
    return max(results.select("ingest", backend), key=lambda measure: measure.median, default=None)


def emptied(results: Results) -> bool:
    """Whether caches were emptied before the cold questions of any backend."""
    return any(backend.cold for backend in results.backends.values())


def headline(results: Results) -> Iterator[Row]:
    """The rows of the decision matrix that have values."""
    for row in (*_writing(results), *_reading(results), *_keeping(results)):
        if row.values:
            yield row


def _writing(results: Results) -> Iterator[Row]:
    best = {name: best_ingest(results, name) for name in results.backends}
    cells = {name: _cell(measure) for name, measure in best.items() if measure}
    empty = "into an empty store, best of all cells"
    yield _row("Writing", empty, "events/s", best, more=True, remarks=cells, chief=True)
    yield _grown(
        results, "growth", "Writing", "while the store grows to {}", "events/s", more=True, chief=True
    )
    cpu = {name: results.one("cpu", name, **cell.labels) for name, cell in best.items() if cell}
    yield _row("Writing", "processor time of the client", "µs/event", cpu, remarks=cells)
    bare = {name: _last(results, "ingest_to_bare", name, workers=1) for name in results.backends}
    yield _row("Writing", "rate beside the bare driver's, 1 worker", "×", bare, more=True)
    amplified = "bytes written for each byte of an event, growing to {}"
    yield _grown(results, "write_amplification", "Writing", amplified, "×")


def _reading(results: Results) -> Iterator[Row]:
    for by, what in (("id", "written to searchable"), ("tail", "written to seen by a tail")):
        fresh = {name: results.one("freshness", name, by=by) for name in results.backends}
        yield _row("Being seen", what, "ms", fresh)
    for phase in ("warm", "cold") if emptied(results) else ("warm",):
        for kind, words in CLASSES.items():
            labels: dict[str, Label] = {"class": kind, "phase": phase}
            group = f"Asking, {phase}, at {{}} events"
            chief = phase == "warm" and kind in _CHIEF
            row = _grown(results, "query", group, words, "ms", labels, chief=chief)
            if phase == "cold":
                _add_bytes_read(results, row, kind)
            yield row


def _add_bytes_read(results: Results, row: Row, kind: str) -> None:
    for name, measure in row.values.items():
        read = results.one("bytes_read", name, volume=measure.labels["volume"], **{"class": kind})
        if read is not None and read.median:
            row.remarks[name] = "; ".join(
                [*filter(None, [row.remarks.get(name)]), f"{size(read.median)} read"]
            )


def _keeping(results: Results) -> Iterator[Row]:
    total: dict[str, Label] = {"part": "total"}
    group = "Keeping, at {} events"
    yield _grown(results, "storage", group, "on disk", "bytes/event", total, chief=True)
    yield _grown(results, "storage_compacted", group, "on disk, after compaction", "bytes/event", total)
    yield _grown(results, "memory", group, "memory of the server", "MiB")
    killed = {name: results.one("recovery", name) for name in results.backends}
    yield _row("Recovering", "storing again after its writer was killed", "ms", killed)


def _row(
    group: str,
    what: str,
    unit: str,
    found: dict[str, Measure | None],
    *,
    more: bool = False,
    remarks: dict[str, str] | None = None,
    chief: bool = False,
) -> Row:
    values = {name: measure for name, measure in found.items() if measure}
    return Row(group, what, unit, more, values, dict(remarks or {}), chief=chief)


def _grown(
    results: Results,
    name: str,
    group: str,
    what: str,
    unit: str,
    labels: dict[str, Label] | None = None,
    *,
    more: bool = False,
    chief: bool = False,
) -> Row:
    """A row of each backend's value at the largest volume that it was measured at."""
    largest: dict[str, Measure] = {}
    for measure in results.select(name, None, **(labels or {})):
        if not measure.median:  # as of bytes of a store in memory, where there is nothing to count
            continue
        known = largest.get(measure.backend)
        if known is None or _volume(measure) > _volume(known):
            largest[measure.backend] = measure
    most = max(map(_volume, largest.values()), default=0)
    before = {backend: _volume(measure) for backend, measure in largest.items() if _volume(measure) < most}
    remarks = {backend: f"at {count(volume)}" for backend, volume in before.items()}
    values = {backend: largest[backend] for backend in results.backends if backend in largest}
    said = count(most)
    return Row(group.format(said), what.format(said), unit, more, values, remarks, frozenset(before), chief)


def _volume(measure: Measure) -> int:
    return int(measure.labels["volume"])


def _cell(measure: Measure) -> str:
    workers, batch = int(measure.labels["workers"]), int(measure.labels["batch"])
    return f"{workers} worker{'s' if workers > 1 else ''}, batches of {batch:,}"


def _last(results: Results, name: str, backend: str, **labels: Label) -> Measure | None:
    found = list(results.select(name, backend, **labels))
    return found[-1] if found else None
