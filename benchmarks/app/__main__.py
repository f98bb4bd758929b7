"""``python -m logweir.benchmarks.app``: the benchmark of the application with options of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from logweir.benchmarks.app.cases import SINKS
from logweir.benchmarks.app.measuring import measure
from logweir.benchmarks.measure import environment


def main(
    seconds: Annotated[float, typer.Option(help="Of load at a fifth of the capacity, for each case.")] = 2.5,
    turns: Annotated[int, typer.Option(help="How often each case is measured.")] = 3,
    sinks: Annotated[str, typer.Option(help="logweir's sinks, by commas.")] = ",".join(SINKS),
    unpinned: Annotated[bool, typer.Option(help="Measure some without a core of their own too.")] = True,
    json_folder: Annotated[
        Path | None, typer.Option("--json", help="Where to write the figures as JSON.")
    ] = None,
) -> None:
    """Measure what an application feels of its log."""
    chosen = [sink.strip() for sink in sinks.split(",") if sink.strip()]
    if unknown := set(chosen) - set(SINKS):
        raise typer.BadParameter(
            f"there is no sink {', '.join(sorted(unknown))}; there are {', '.join(SINKS)}"
        )
    console = Console()
    console.print("  ".join(f"{key} {value}" for key, value in environment().items()), highlight=False)
    report = measure(seconds=seconds, turns=turns, sinks=chosen, unpinned=unpinned)
    report.show(console)
    if json_folder is not None:
        report.save(json_folder, "app")


if __name__ == "__main__":
    typer.run(main)
