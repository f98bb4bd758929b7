"""The options by which ``query`` and ``tail`` choose events."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
import typer

from logweir.cli.sinks import require_ability
from logweir.cli.times import MOMENT_HELP
from logweir.config.models import RoutingConfig
from logweir.errors import ConfigError, ConfigProblem
from logweir.event import Kind
from logweir.sinks.contract import Query, Readable
from logweir.stores.reading import readable

__all__ = [
    "FieldOption",
    "KindOption",
    "NameOption",
    "SinceOption",
    "SinkOption",
    "TextOption",
    "TraceOption",
    "UntilOption",
    "chosen_sinks",
    "query_of",
]

SinkOption = Annotated[
    list[str] | None, typer.Option("--sink", help="Only this sink; may be given several times.")
]
KindOption = Annotated[Kind | None, typer.Option(help="Only events of this kind.")]
NameOption = Annotated[str | None, typer.Option(help="Only events of this name (for audit: the action).")]
TraceOption = Annotated[str | None, typer.Option(help="Only events of this trace.")]
FieldOption = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        metavar="NAME=VALUE",
        help="Only events whose field has this value, written as in JSON or as plain text; may be repeated.",
    ),
]
TextOption = Annotated[str | None, typer.Option(help="Only events that contain this text.")]
SinceOption = Annotated[str | None, typer.Option(help=f"Only events not before: {MOMENT_HELP}.")]
UntilOption = Annotated[str | None, typer.Option(help=f"Only events before: {MOMENT_HELP}.")]


def query_of(
    *,
    kind: Kind | None,
    name: str | None,
    trace_id: str | None,
    field: list[str] | None,
    text: str | None,
    start: datetime | None = None,
    end: datetime | None = None,
    limit: int | None = None,
    newest_first: bool = False,
) -> Query:
    """Return the query that the options mean.

    Raises:
        BadParameter: A field has no value.
    """
    return Query(
        start=start,
        end=end,
        kind=kind,
        name=name,
        trace_id=trace_id,
        fields=dict(_field(item) for item in field or ()),
        text=text,
        limit=limit,
        newest_first=newest_first,
    )


def _field(item: str) -> tuple[str, Any]:
    """``user_id=7`` is a number and ``user_id='"7"'`` a text, as in JSON; what is not JSON is text."""
    name, equals, value = item.partition("=")
    if not name or not equals:
        raise typer.BadParameter(f"--field {item!r}: write NAME=VALUE, such as --field user_id=7")
    try:
        return name, msgspec.json.decode(value)
    except (msgspec.DecodeError, ValueError):
        return name, value


def chosen_sinks(names: list[str] | None, config: RoutingConfig) -> list[str]:
    """Return the sinks to ask: those named, or all that can be.

    Raises:
        BadParameter: One is not declared, or cannot be read back.
        ConfigError: None can be.
    """
    for name in names or ():
        require_ability(name, config, Readable, "cannot be read back")
    chosen = list(dict.fromkeys(names or readable(config)))
    if not chosen:
        raise ConfigError([ConfigProblem("no sink can be read back; add one that stores events", "sinks")])
    return chosen
