"""Sinks named on the command line."""

from __future__ import annotations

import difflib
from typing import Any

import typer

from logweir.config.models import RoutingConfig
from logweir.sinks import registry

__all__ = ["require_ability", "require_sink"]


def require_sink(name: str, config: RoutingConfig) -> str:
    """Return the name of a sink that is declared.

    Raises:
        BadParameter: It is not.
    """
    if name in config.sinks:
        return name
    nearest = difflib.get_close_matches(name, config.sinks, 1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"declared are {', '.join(config.sinks)}"
    raise typer.BadParameter(f"no sink is named {name!r}; {hint}")


def require_ability(name: str, config: RoutingConfig, ability: Any, lack: str) -> None:
    """See that a sink can do something.

    Raises:
        BadParameter: It is not declared, or cannot.
    """
    sink_type = config.sinks[require_sink(name, config)].type
    if not issubclass(registry.resolve(sink_type), ability):
        raise typer.BadParameter(f"sink {name!r} {lack}: sinks of type {sink_type} have no such ability")
