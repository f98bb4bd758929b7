"""The option that every command has: which routing file. What is wrong in it is reported under its name."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from logweir.process.patience import LONGEST_ASKED

__all__ = ["ROUTING_FILE", "ConfigOption", "checked_seconds"]

#: The file that is read where none is named.
ROUTING_FILE = "routing.yaml"


def _remember(context: typer.Context, value: str) -> str:
    context.find_root().obj = value
    return value


def checked_seconds(value: float | None) -> float | None:
    """Return the seconds of an option if they can be waited for.

    Raises:
        typer.BadParameter: They are less than none, no number, or longer than 100 years.
    """
    if value is not None and not 0 <= value <= LONGEST_ASKED:
        what = "no number" if math.isnan(value) else f"{value:g}"
        raise typer.BadParameter(f"it is {what}; give seconds from 0 to {LONGEST_ASKED:.0f}")
    return value


ConfigOption = Annotated[str, typer.Option("-c", "--config", help="The routing file.", callback=_remember)]
