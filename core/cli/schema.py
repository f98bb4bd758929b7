"""``logweir schema``: the JSON Schema of routing.yaml, or what a sink would create in its backend."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from logweir.config.loading import load_config
from logweir.config.schema import json_schema
from logweir.config.sinks import context_of
from logweir.errors import ConfigError, ConfigProblem, MissingDependency
from logweir.sinks import registry
from logweir.sinks.contract import Provisionable

__all__ = ["schema"]


def schema(
    sink: Annotated[
        str | None, typer.Option("--sink", help="Print the DDL or template of this sink instead.")
    ] = None,
    config: Annotated[
        str, typer.Option("-c", "--config", help="The routing file of --sink.")
    ] = "routing.yaml",
) -> None:
    """Print the JSON Schema of routing.yaml, for editors, or the DDL of one of its sinks."""
    if sink is None:
        typer.echo(json.dumps(json_schema(_installed_types(), registry.resolve), indent=2))
    else:
        typer.echo(_script(sink, config), nl=False)


def _installed_types() -> Iterator[str]:
    """The types whose drivers are there; what is left out is reported."""
    for name in registry.known_types():
        try:
            registry.resolve(name)
        except MissingDependency as error:
            typer.echo(f"left out: {error}", err=True)
        else:
            yield name


def _script(name: str, path: str) -> str:
    config = load_config(path)
    if name not in config.sinks:
        known = ", ".join(config.sinks)
        raise ConfigError([ConfigProblem(f"there is no sink {name!r}; there are {known}", "sinks", path)])
    settings = config.sinks[name]
    context = context_of(name, config)
    sink_class: Any = registry.resolve(settings.type)
    sink = sink_class(settings, context)
    if not isinstance(sink, Provisionable):
        problem = f"a sink of type {settings.type} creates nothing that could be printed"
        raise ConfigError([ConfigProblem(problem, f"sinks.{name}", path)])
    return sink.provision_script()
