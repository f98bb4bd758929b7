"""Why two figures of one run that seem to say the same differ, said where they stand. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from logweir.benchmarks.suite.results import Measure, Results
from logweir.benchmarks.suite.summary import best_ingest
from logweir.benchmarks.suite.units import count, figure
from logweir.benchmarks.suite.wording import store_name

__all__ = ["differing_rates"]

#: Rates that differ by less need no explanation.
_WORTH_SAYING = 1.3


def differing_rates(results: Results) -> Iterator[str]:
    """For each store whose rate into an empty store is not the one while it grows: what lies between."""
    for name in results.backends:
        best = best_ingest(results, name)
        grown = list(results.select("growth", name))
        if best is None or not grown:
            continue
        last = max(grown, key=lambda measure: int(measure.labels["volume"]))
        ratio = max(best.median, last.median) / max(min(best.median, last.median), 1e-9)
        if ratio >= _WORTH_SAYING:
            yield f"{store_name(results, name)}: {'; '.join(_parts(results, best, last))}."


def _parts(results: Results, best: Measure, last: Measure) -> Iterator[str]:
    volume = int(last.labels["volume"])
    yield f"{figure(best.median, 'events/s')} with {_writers(best)} into an empty store"
    same = {key: last.labels[key] for key in ("workers", "batch") if key in last.labels}
    alike = next(results.select("ingest", best.backend, **same), None)
    if alike is not None and alike is not best:
        yield f"{figure(alike.median, 'events/s')} there with the {_writers(alike)} of the growing store"
    spread = "" if last.low == last.high else f" ({figure(last.low)} to {figure(last.high)} in its parts)"
    yield f"{figure(last.median, 'events/s')}{spread} by them while the store grows to {count(volume)} events"
    if alike is None:
        return
    if alike.low <= last.high and last.low <= alike.high:
        yield "the last two are within each other's ranges: it is the workers and batches that differ"
    elif last.median < alike.median:
        yield "so what is already stored, or the longer run (checkpoints, merges), costs the rest"
    else:
        yield "so a longer run is faster: what a new store costs at first is spread over more events"


def _writers(measure: Measure) -> str:
    workers, batch = int(measure.labels["workers"]), int(measure.labels["batch"])
    return f"{workers} worker{'s' if workers > 1 else ''} and batches of {batch:,}"
