"""The option that every command has: which routing file."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["ROUTING_FILE", "ConfigOption"]

#: The file that is read where none is named.
ROUTING_FILE = "routing.yaml"

ConfigOption = Annotated[str, typer.Option("-c", "--config", help="The routing file.")]
