"""``make mutants``: how much of a room's code its tests hold fast."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mutants.runner import ROOMS, Outcome, run

_KEPT = Path(".mutants")


def main(
    rooms: Annotated[
        list[str] | None, typer.Argument(help=f"Which of {', '.join(ROOMS)}; by default all.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="How many tests run at once.", min=1)] = 2,
    most: Annotated[int | None, typer.Option(help="The most new mutants of a room to try now.")] = None,
    again: Annotated[bool, typer.Option(help="Try those again that no test has noticed so far.")] = False,
) -> None:
    """Break one thing at a time, and say what no test notices. Begun again, it goes on where it was."""
    unknown = sorted(set(rooms or ()) - ROOMS.keys())
    if unknown:
        raise typer.BadParameter(f"no such room: {', '.join(unknown)}; there are {', '.join(ROOMS)}")
    console = Console(highlight=False, soft_wrap=True)
    table = Table("room", "mutants", "killed", "survived", "unreached", "score", title="Mutants")
    for room in rooms or list(ROOMS):
        states: Counter[str] = Counter()
        for outcome in run(room, _KEPT, jobs=jobs, most=most, again=again):
            states[outcome.state] += 1
            if outcome.state != "killed":
                console.print(Text(_described(outcome)))
        number = states.total()
        score = f"{states['killed'] / number:.0%}" if number else "-"
        table.add_row(
            room, *map(str, (number, *(states[s] for s in ("killed", "survived", "unreached")))), score
        )
    console.print(table)


def _described(outcome: Outcome) -> str:
    mutant = outcome.mutant
    old = " ".join(mutant.old.split())
    return f"{outcome.state}: {outcome.file}:{mutant.line}: {old[:90]} -> {mutant.new[:90]}"


if __name__ == "__main__":
    typer.run(main)
