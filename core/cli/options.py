"""The option that every command has: which routing file. What is wrong in it is reported under its name."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["ROUTING_FILE", "ConfigOption"]

#: The file that is read where none is named.
ROUTING_FILE = "routing.yaml"


def _remember(context: typer.Context, value: str) -> str:
    context.find_root().obj = value
    return value


ConfigOption = Annotated[str, typer.Option("-c", "--config", help="The routing file.", callback=_remember)]
