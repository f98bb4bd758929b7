"""The options by which ``query`` and ``tail`` choose events."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
import typer

from logweir.cli.sinks import require_ability
from logweir.cli.times import MOMENT_HELP
from logweir.config.levels import levels_meant
from logweir.config.models import RoutingConfig
from logweir.errors import ConfigError, ConfigProblem
from logweir.event import LEVELS, Kind, known_level
from logweir.sinks.contract import Query, Readable
from logweir.stores.reading import readable

__all__ = [
    "FieldOption",
    "KindOption",
    "LevelOption",
    "NameOption",
    "ServiceOption",
    "SinceOption",
    "SinkOption",
    "TextOption",
    "TraceOption",
    "UntilOption",
    "chosen_sinks",
    "hint",
    "levels_of",
    "query_of",
]

SinkOption = Annotated[
    list[str] | None, typer.Option("--sink", help="Only this sink; may be given several times.")
]
KindOption = Annotated[Kind | None, typer.Option(help="Only events of this kind.")]
LevelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--level",
        metavar="LEVEL",
        help="Only events of this level; warning+ is at least that one; may be repeated.",
    ),
]
ServiceOption = Annotated[str | None, typer.Option(help="Only events of this service.")]
NameOption = Annotated[str | None, typer.Option(help="Only events of this name (for audit: the action).")]
TraceOption = Annotated[str | None, typer.Option(help="Only events of this trace.")]
FieldOption = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        metavar="NAME=VALUE",
        help="Only events whose field, or an item of it, has this value, written as in JSON or as text; "
        "dots reach inside (user.id, tags.0); may be repeated.",
    ),
]
TextOption = Annotated[
    str | None, typer.Option(help="Only events with this text in their name or their fields.")
]
SinceOption = Annotated[str | None, typer.Option(help=f"Only events not before: {MOMENT_HELP}.")]
UntilOption = Annotated[str | None, typer.Option(help=f"Only events before: {MOMENT_HELP}.")]

#: What an event has beside its fields, and the option that asks for it.
_ATTRIBUTES = {
    "level": "--level",
    "service": "--service",
    "kind": "--kind",
    "event": "--name",
    "name": "--name",
    "trace_id": "--trace-id",
}


def query_of(
    *,
    kind: Kind | None,
    name: str | None,
    trace_id: str | None,
    field: list[str] | None,
    text: str | None,
    level: list[str] | None = None,
    service: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    limit: int | None = None,
    newest_first: bool = False,
) -> Query:
    """Return the query that the options mean.

    Raises:
        BadParameter: A field has no value, or a level is none.
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
        levels=levels_of(level),
        service=service,
    )


def levels_of(given: list[str] | None) -> frozenset[str] | None:
    """Return the levels that any of the options means; None for all.

    Raises:
        BadParameter: One is no level.
    """
    return frozenset[str]().union(*map(_levels, given)) if given else None


def _levels(item: str) -> frozenset[str]:
    """``warning`` is that level alone, as for Loki; ``warning+`` also what is worse, as for journalctl."""
    text = item.strip()
    name = known_level(text.removesuffix("+"))
    if name is None:
        known = ", ".join(LEVELS)
        raise typer.BadParameter(f"--level {item!r}: write one of {known}, or one with a + for at least that")
    return levels_meant(f">={name}" if text.endswith("+") else name)


def hint(query: Query) -> str | None:
    """What may have been meant by a query that found nothing: an event's own attribute is no field."""
    for name in query.fields:
        if name in _ATTRIBUTES:
            return f"--field {name} looks at fields; {_ATTRIBUTES[name]} is the event's own {name}"
    return None


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
