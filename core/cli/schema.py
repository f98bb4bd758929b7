"""``logweir schema``: the JSON Schema of routing.yaml, or what a sink would create in its backend."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from logweir.cli.options import ROUTING_FILE
from logweir.cli.sinks import require_chain
from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.config.route_tests import tests_schema
from logweir.config.schema import json_schema
from logweir.config.sinks import context_of
from logweir.encoding.one_line import on_one_line
from logweir.errors import ConfigError, ConfigProblem, MissingDependency
from logweir.runtime.lost_rows import lost_rows
from logweir.settings.suggestions import no_such
from logweir.sinks import registry
from logweir.sinks.contract import Provisionable
from logweir.sinks.tamper_evidence import summary_of

__all__ = ["readable_types", "schema"]


def schema(
    sink: Annotated[
        str | None, typer.Option("--sink", help="Print the DDL or template of this sink instead.")
    ] = None,
    config: Annotated[str, typer.Option("-c", "--config", help="The routing file of --sink.")] = ROUTING_FILE,
    accept_new_chain: Annotated[
        bool,
        typer.Option(
            "--accept-new-chain",
            help="Record in the audit table of --sink that rows are gone, and go on without them.",
        ),
    ] = False,
    tests: Annotated[
        bool, typer.Option("--tests", help="Print the schema of the files of `logweir test` instead.")
    ] = False,
) -> None:
    """Print the JSON Schema of routing.yaml, for editors, or the DDL of one of its sinks."""
    if accept_new_chain:
        typer.echo(asyncio.run(_accept(sink, load_config(config))))
    elif tests:
        typer.echo(json.dumps(tests_schema(), indent=2))
    elif sink is None:
        typer.echo(json.dumps(json_schema(readable_types(_say_left_out)), indent=2))
    else:
        typer.echo(_script(sink, config), nl=False)


async def _accept(sink: str | None, config: RoutingConfig) -> str:
    """Record a break in the chains of a sink; what was done, in words."""
    if sink is None:
        raise typer.BadParameter("say with --sink whose chains have a break")
    require_chain(sink, config)
    if not config.audit.chain:
        raise typer.BadParameter("rows are not chained; set audit: {chain: true} in the routing file")
    gone = [each async for each in lost_rows(sink, config, by_data_dir=False)]
    settings = config.sinks[sink]
    sink_class: Any = registry.resolve(settings.type)
    target = sink_class(settings, context_of(sink, config))
    try:
        accepted = await target.accept_new_chain(summary_of(gone))
    finally:
        await target.close()
    if not accepted:
        return f"{sink}: nothing is gone; nothing was recorded"
    return on_one_line(f"{sink}: recorded that an operator accepted: {accepted}")


def readable_types(left_out: Callable[[MissingDependency], object] = lambda _: None) -> Iterator[str]:
    """The sink types whose options can be read, which few need their driver for.

    Args:
        left_out: Called with the reason why another cannot be read.
    """
    for name in registry.known_types():
        try:
            registry.options_of(name)
        except MissingDependency as error:
            left_out(error)
        else:
            yield name


def _say_left_out(error: MissingDependency) -> None:
    typer.echo(f"left out: {error}", err=True)


def _script(name: str, path: str) -> str:
    config = load_config(path)
    if name not in config.sinks:
        raise ConfigError([ConfigProblem(no_such("sink", name, config.sinks), "sinks", path)])
    settings = config.sinks[name]
    context = context_of(name, config)
    sink_class: Any = registry.resolve(settings.type)
    sink = sink_class(settings, context)
    if not isinstance(sink, Provisionable):
        problem = f"a sink of type {settings.type} creates nothing that could be printed"
        raise ConfigError([ConfigProblem(problem, f"sinks.{name}", path)])
    return sink.provision_script()
