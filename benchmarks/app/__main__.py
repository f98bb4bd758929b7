"""``python -m logweir.benchmarks.app``: the benchmark of the application with options of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from logweir.benchmarks.app.brokers import BROKERS
from logweir.benchmarks.app.cases import SINKS
from logweir.benchmarks.app.measuring import measure
from logweir.benchmarks.measure import environment


def main(
    seconds: Annotated[float, typer.Option(help="Of load at a fifth of the capacity, for each case.")] = 2.5,
    turns: Annotated[int, typer.Option(help="How often each case is measured.")] = 3,
    sinks: Annotated[str, typer.Option(help="logweir's sinks, by commas.")] = ",".join(SINKS),
    brokers: Annotated[str, typer.Option(help="Before MySQL, or the file, by commas.")] = ",".join(BROKERS),
    only: Annotated[str, typer.Option(help="Cases, such as 'logweir to mysql over redis*'.")] = "*",
    unpinned: Annotated[bool, typer.Option(help="Measure some without a core of their own too.")] = True,
    json_folder: Annotated[
        Path | None, typer.Option("--json", help="Where to write the figures as JSON.")
    ] = None,
) -> None:
    """Measure what an application feels of its log."""
    chosen, over = _names(sinks, "sink", SINKS), _names(brokers, "broker", BROKERS)
    console = Console()
    console.print("  ".join(f"{key} {value}" for key, value in environment().items()), highlight=False)
    report = measure(seconds=seconds, turns=turns, sinks=chosen, unpinned=unpinned, over=over, only=only)
    report.show(console)
    if json_folder is not None:
        report.save(json_folder, "app")


def _names(text: str, what: str, known: Sequence[str]) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := set(names) - set(known):
        raise typer.BadParameter(
            f"there is no {what} {', '.join(sorted(unknown))}; there are {', '.join(known)}"
        )
    return names


if __name__ == "__main__":
    typer.run(main)
