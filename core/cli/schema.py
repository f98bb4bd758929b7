"""``logweir schema``: the JSON Schema of routing.yaml."""

from __future__ import annotations

import json
from collections.abc import Iterator

import typer

from logweir.config.schema import json_schema
from logweir.errors import MissingDependency
from logweir.sinks import registry

__all__ = ["schema"]


def schema() -> None:
    """Print the JSON Schema of routing.yaml, for editors."""
    typer.echo(json.dumps(json_schema(_installed_types(), registry.resolve), indent=2))


def _installed_types() -> Iterator[str]:
    """The types whose drivers are there; what is left out is told."""
    for name in registry.known_types():
        try:
            registry.resolve(name)
        except MissingDependency as error:
            typer.echo(f"left out: {error}", err=True)
        else:
            yield name
