"""What a run says of one backend at a volume: its rate, size, and time for each class of question. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from logweir.benchmarks.suite.fitting import Basis, estimate, estimate_scan, grows_like_a_scan
from logweir.benchmarks.suite.results import Label, Measure, Results
from logweir.benchmarks.suite.scans import reads_bodies, scans
from logweir.benchmarks.suite.truth import QueryClass

__all__ = ["Answer", "Rate", "bytes_at", "outgrows_memory", "predict_answer", "predict_rate"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The time of a class of question at a volume, in milliseconds.

    Attributes:
        value: What is expected; with the basis `bounds`, the worst.
        low: The best that is possible or likely.
        high: The worst that is.
        basis: How it is known.
        error: The factor by which a fit may be wrong either way, with nine chances in ten.
        phase: Of the figures that it is made of: `warm`, or `cold` where the store outgrows the memory.
        scans: Whether everything is gone through.
        reads: The bytes of it; None where that is not known.
        speed: Bytes a second, the highest that was measured; None with the above.
    """

    value: float
    low: float
    high: float
    basis: Basis
    error: float | None
    phase: str
    scans: bool
    reads: float | None = None
    speed: float | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """Events a second that a store takes when it holds a volume.

    Attributes:
        value: What is expected; with the basis `bounds`, the least that is possible.
        low: The least that is possible or likely.
        high: The most.
        basis: How it is known.
        error: The factor by which a fit may be wrong either way, with nine chances in ten.
    """

    value: float
    low: float
    high: float
    basis: Basis
    error: float | None


def predict_rate(results: Results, backend: str, volume: float) -> Rate | None:
    """The rate at a volume; None if none was measured."""
    points = [(at, 1 / rate) for at, rate in _points(results.select("growth", backend)) if rate > 0]
    found = estimate(points, volume)  # of the time that an event takes, which grows as times do
    if found is None:
        return None
    return Rate(1 / found.value, 1 / found.high, 1 / found.low, found.basis, found.error)


def bytes_at(results: Results, backend: str, volume: float, *, bodies: bool = False) -> float | None:
    """The store's bytes at a volume, or those of its events alone; None if its size is not known."""
    points = _sizes(results, backend, bodies=bodies)
    if not points:
        return None
    largest, each = points[-1]
    if volume >= largest:
        return each * volume
    return next(each for at, each in points if at >= volume) * volume


def predict_answer(
    results: Results, backend: str, question: QueryClass, volume: float
) -> tuple[Answer, float] | None:
    """The time of a question at a volume, and how far that is beyond what was measured; None if not asked."""
    phase = _phase(results, backend, volume)
    labels: dict[str, Label] = {"phase": phase, "class": question}
    points = _points(results.select("query", backend, **labels))
    kind = results.backends[backend].type
    known = scans(kind, question)
    scan = known or grows_like_a_scan(points)
    amount = _amount(results, backend, question, phase)
    found = estimate_scan(points, volume, amount or float) if scan else estimate(points, volume)
    if found is None:
        return None
    reads = amount(volume) if amount and known and reads_bodies(kind) else None
    answer = Answer(
        found.value,
        found.low,
        found.high,
        found.basis,
        found.error,
        phase,
        scan,
        reads,
        _speed(points, amount) if amount and reads is not None else None,
    )
    return answer, found.reach


def outgrows_memory(results: Results, backend: str, volume: float) -> bool:
    """Whether the store at a volume is larger than the memory of the machine that was measured."""
    memory, total = results.environment.get("memory_gib"), bytes_at(results, backend, volume)
    return bool(memory and total and total > float(memory) * 2**30)


def _phase(results: Results, backend: str, volume: float) -> str:
    """Where a store outgrows the memory, cold answers count, if caches were emptied for them."""
    emptied = results.backends[backend].cold
    return "cold" if emptied and outgrows_memory(results, backend, volume) else "warm"


def _amount(
    results: Results, backend: str, question: QueryClass, phase: str
) -> Callable[[float], float] | None:
    """The bytes that a scan reads at a volume: what the disk gave, or the store's without indexes."""
    labels: dict[str, Label] = {"class": question}
    found = _points(results.select("bytes_read", backend, **labels)) if phase == "cold" else []
    read = {volume: size for volume, size in found if size > 0}
    if read:
        largest = max(read)
        return lambda volume: read.get(volume) or read[largest] * volume / largest
    if not _sizes(results, backend, bodies=True):
        return None
    return lambda volume: bytes_at(results, backend, volume, bodies=True) or volume


def _speed(points: Sequence[tuple[float, float]], amount: Callable[[float], float]) -> float | None:
    """The bytes a second of the fastest scan of these points."""
    rates = (1000 * amount(at) / milliseconds for at, milliseconds in points if milliseconds > 0)
    return max(rates, default=None)


def _sizes(results: Results, backend: str, *, bodies: bool) -> list[tuple[float, float]]:
    """Bytes for each event at each measured volume."""
    found: dict[float, float] = {}
    for measure in results.select("storage", backend):
        at, part = float(measure.labels["volume"]), str(measure.labels.get("part"))
        if part == "total":
            found[at] = found.get(at, 0.0) + measure.median
        elif bodies and part.startswith("index "):
            found[at] = found.get(at, 0.0) - measure.median
    return sorted((at, each) for at, each in found.items() if each > 0)


def _points(measures: Iterable[Measure]) -> list[tuple[float, float]]:
    return [(float(measure.labels["volume"]), measure.median) for measure in measures]
