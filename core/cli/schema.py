"""``logweir schema``: the JSON Schema of routing.yaml."""

from __future__ import annotations

import json

import typer

from logweir.config.schema import json_schema
from logweir.sinks import registry

__all__ = ["schema"]


def schema() -> None:
    """Print the JSON Schema of routing.yaml, for editors."""
    typer.echo(json.dumps(json_schema(registry.known_types(), registry.resolve), indent=2))
