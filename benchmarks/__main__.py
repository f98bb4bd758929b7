"""``python -m logweir.benchmarks``: every benchmark, or those that are named."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from logweir.benchmarks import (
    audit_chain,
    dead_sink,
    durable,
    elsewhere,
    hostile,
    jobs,
    producer,
    router,
    run,
    starting,
)
from logweir.benchmarks.measure import Report, environment

_ALL: dict[str, Any] = {
    "producer": producer.measure,
    "router": router.measure,
    "run": run.measure,
    "jobs": jobs.measure,
    "durable": durable.measure,
    "elsewhere": elsewhere.measure,
    "dead-sink": dead_sink.measure,
    "audit-chain": audit_chain.measure,
    "starting": starting.measure,
    "hostile-calls": hostile.measure,
}
#: These need a server (each module names the variable with its URL) and a driver: only when named.
_BACKENDS = ("broker", "elasticsearch", "kafka", "loki", "mongodb", "mysql", "sinks-cpu")
#: Only when named, for it needs a web framework and some minutes.
_APPLICATION = "app"
#: Only when named, for it takes minutes.
_LONG = ("moving",)
_NAMES = (*_ALL, *_BACKENDS, *_LONG, _APPLICATION)
_QUICK: dict[str, dict[str, Any]] = {
    "producer": {"calls": 300, "runs": 2},
    "router": {"calls": 300, "runs": 2},
    "run": {"events": 2000, "runs": 1},
    "jobs": {"events": 20_000, "runs": 1, "steps": 100_000},
    "durable": {"seconds": 0.05, "runs": 2},
    "elsewhere": {"seconds": 0.1, "runs": 1, "callers": (8,)},
    "audit-chain": {"batches": 2, "batch": 100, "runs": 1},
    "starting": {"runs": 1},
    "hostile-calls": {"turns": 1, "every": 10},
    "dead-sink": {"seconds": 3.0, "rate": 20_000},
    "broker": {"events": 2000, "runs": 1},
    "kafka": {"events": 2000, "runs": 1},
    "mongodb": {"events": 2000, "runs": 1},
    "elasticsearch": {"events": 2000, "runs": 1},
    "loki": {"events": 2000, "runs": 1},
    "moving": {"rows": 500},
    "app": {"seconds": 0.5, "turns": 1, "unpinned": False},
    "mysql": {"batches": 2, "batch": 100, "runs": 1},
    "sinks-cpu": {"events": 1000, "runs": 1},
}


def main(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help=f"Which of {', '.join(_NAMES)}; by default all but app, moving and those of servers."
        ),
    ] = None,
    quick: Annotated[bool, typer.Option(help="Tiny sizes, to see that they run.")] = False,
    json_folder: Annotated[
        Path | None, typer.Option("--json", help="Where to write the figures as JSON.")
    ] = None,
) -> None:
    """Measure what logweir costs, beside its rivals."""
    console = Console()
    console.print("  ".join(f"{key} {value}" for key, value in environment().items()), highlight=False)
    for name in names or list(_ALL):
        report: Report = _measure_of(name)(**(_QUICK[name] if quick else {}))
        report.show(console)
        if json_folder is not None:
            report.save(json_folder, name)


def _measure_of(name: str) -> Any:
    if name in _BACKENDS or name in _LONG:
        return import_module(f"logweir.benchmarks.{name.replace('-', '_')}").measure
    if name == _APPLICATION:
        return import_module("logweir.benchmarks.app.measuring").measure
    if name not in _ALL:
        raise typer.BadParameter(f"there is no benchmark {name!r}; there are {', '.join(_NAMES)}")
    return _ALL[name]


if __name__ == "__main__":
    typer.run(main)
