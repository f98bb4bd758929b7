"""Sinks named on the command line."""

from __future__ import annotations

from typing import Any

import typer

from logweir.config.models import RoutingConfig
from logweir.settings.suggestions import no_such
from logweir.sinks import registry
from logweir.sinks.shared.destinations import template_of
from logweir.sinks.tamper_evidence import Chained

__all__ = ["require_ability", "require_chain", "require_sink"]


def require_sink(name: str, config: RoutingConfig) -> str:
    """Return the name of a sink that is declared.

    Raises:
        BadParameter: It is not.
    """
    if name in config.sinks:
        return name
    raise typer.BadParameter(no_such("sink", name, config.sinks))


def require_ability(name: str, config: RoutingConfig, ability: Any, lack: str) -> None:
    """See that a sink can do something.

    Raises:
        BadParameter: It is not declared, or cannot.
    """
    sink_type = config.sinks[require_sink(name, config)].type
    if not issubclass(registry.resolve(sink_type), ability):
        raise typer.BadParameter(f"sink {name!r} {lack}: sinks of type {sink_type} have no such ability")


def require_chain(name: str, config: RoutingConfig) -> None:
    """See that the rows of a sink can be chained.

    Raises:
        BadParameter: It is not declared, or they cannot.
    """
    require_ability(name, config, Chained, "has no chains")
    if (template := template_of(config.sinks[name])) is not None:
        raise typer.BadParameter(
            f"sink {name!r} has no chains: {template.text!r} spreads its rows over tables"
        )
