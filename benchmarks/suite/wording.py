"""The keys of a run's file in words: stores, the machine, the workload, and what has no figure. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from logweir.benchmarks.suite.results import Results
from logweir.benchmarks.suite.truth import CLASSES
from logweir.benchmarks.suite.units import count, duration, figure

__all__ = ["environment_of", "missing", "moment", "not_cold", "store_name", "workload_of", "wrong"]

_NAMES = {
    "sqlite": "SQLite",
    "file": "File",
    "mysql": "MySQL",
    "postgresql": "PostgreSQL",
    "mongodb": "MongoDB",
    "elasticsearch": "Elasticsearch",
    "opensearch": "OpenSearch",
    "loki": "Loki",
    "victorialogs": "VictoriaLogs",
    "loopback": "Loopback",
}
_LIMITS = {
    "minutes": "the time that a store may take was up",
    "disk": "the disk that a store may take was full",
}


def store_name(results: Results, backend: str) -> str:
    """A store's proper name, where the run gives it no other; with what really answers to it."""
    found = results.backends.get(backend)
    if found is None or backend != found.type:
        return backend
    speaks = found.server.startswith("FerretDB")
    return f"{_NAMES.get(backend, backend)}{' (FerretDB)' if speaks else ''}"


def moment(text: str) -> str:
    """A time of the file without its seconds: `2026-11-25 03:39 UTC`; anything else as it is."""
    try:
        return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return text


def environment_of(environment: dict[str, Any]) -> str:
    """The machine and the versions."""
    known: dict[str, Callable[[Any], str]] = {
        "cores": lambda value: f"{value} cores",
        "memory_gib": lambda value: f"{value} GiB of memory",
        "python": lambda value: f"Python {value}",
        "system": str,
        "logweir": lambda value: f"logweir {value}",
    }
    said = [say(environment[key]) for key, say in known.items() if key in environment]
    rest = [f"{key.replace('_', ' ')} {value}" for key, value in environment.items() if key not in known]
    return ", ".join([*said, *rest])


def workload_of(results: Results) -> str:
    """Which events were stored."""
    described = results.workload
    source = (
        f"the events of {described['file']}" if "file" in described else "made-up events of a mixed shape"
    )
    seed = f", drawn with the seed {described['seed']}" if "seed" in described else ""
    if "first_ns" not in described or "step_ns" not in described:
        return f"{source}{seed}"
    first = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=described["first_ns"] // 1000)
    apart = duration(described["step_ns"] / 1e6)
    return f"{source}{seed}, {apart} apart from {first:%Y-%m-%d %H:%M} UTC on"


def wrong(results: Results) -> Iterator[str]:
    """What a store answered wrongly, and what it lost."""
    for measure in results.select("query_right"):
        if measure.median < 1:
            question = CLASSES[measure.labels["class"]]  # type: ignore[index]
            where = f"{store_name(results, measure.backend)} at {count(int(measure.labels['volume']))} events"
            yield f"Wrong answers: {where}, {question}: {measure.median:.0%} of the answers were right"
    for measure in results.select("lost"):
        if measure.high > 0:
            name = store_name(results, measure.backend)
            yield f"Lost: {name} did not have {figure(measure.high)} confirmed events after a kill"


def not_cold(results: Results) -> Iterator[str]:
    """The stores whose cold questions made nobody read from a disk."""
    for name, backend in results.backends.items():
        read = list(results.select("bytes_read", name))
        if backend.cold and read and not any(measure.high for measure in read):
            yield (
                f"No byte was read from a disk for the cold questions of {store_name(results, name)}: "
                "its files are in memory, and its cold answers are not cold"
            )


def missing(results: Results) -> Iterator[str]:
    """Why something that was asked for has no figure; a store's steps of one reason together."""
    together: dict[tuple[str, bool, str, str], list[str]] = {}
    for entry in results.not_run:
        reason = (entry.backend, entry.failed, entry.limit, entry.why)
        together.setdefault(reason, []).append(entry.what)
    for (backend, failed, limit, why), steps in together.items():
        word = "Failed" if failed else "Not measured"
        stopped = f" ({_LIMITS[limit]})" if limit in _LIMITS else ""
        yield f"{word}: {store_name(results, backend)}, {', '.join(steps)}{stopped}: {why}"
