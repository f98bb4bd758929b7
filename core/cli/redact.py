"""``logweir redact``: an event as it would be stored, and by which rule each of its secrets is masked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from logweir.capture.asking import snapshotter_of
from logweir.cli.event_argument import parsed_event
from logweir.cli.options import ROUTING_FILE, ConfigOption
from logweir.cli.printable import json_printable, printable
from logweir.cli.screen import Screen
from logweir.cli.standard_input import standard_input
from logweir.cli.tables import table_of
from logweir.config.loading import load_config
from logweir.redaction.scan import Masked

__all__ = ["redact"]

_EXAMPLE = 'write an object such as \'{"event": "login", "password": "x"}\', or give a text with --text'


def redact(
    event: Annotated[
        str, typer.Argument(help="The event as a JSON object, as a log line would hold it; - reads stdin.")
    ],
    config: ConfigOption = ROUTING_FILE,
    text: Annotated[bool, typer.Option("--text", help="It is a text, as of a message or traceback.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
) -> None:
    """Show an event as it would be stored, and which rule masks what."""
    given = standard_input().read().decode("utf-8", "surrogateescape") if event == "-" else event
    settings = load_config(config)
    name, fields = (given, {}) if text else _parsed(given)
    snapshot = snapshotter_of(settings.redact, settings.limits)
    stored, masked = snapshot.explain(fields, name)
    clean = snapshot.text(name)
    if as_json:
        found = [{"path": place.path, "rule": place.rule} for place in masked]
        typer.echo(_json({"event": clean, "fields": stored, "masked": found}))
        return
    console = Screen(highlight=False)
    console.print(
        Text(printable(clean) if text else _json({"event": clean, "fields": stored}, indent=2)),
        soft_wrap=True,
    )
    console.print(_table(masked, console) if masked else Text("nothing is masked"))


def _parsed(event: str) -> tuple[str, dict[str, Any]]:
    parsed = parsed_event(event, _EXAMPLE)
    return parsed.name, parsed.fields


def _json(value: object, indent: int | None = None) -> str:
    return json_printable(json.dumps(value, ensure_ascii=False, indent=indent))


def _table(masked: Sequence[Masked], console: Screen) -> Table:
    """Paths and rules quote the event: they are text, never markup."""
    table = table_of(console, ["path", "rule"])
    for place in masked:
        table.add_row(Text(printable(place.path)), Text(printable(place.rule)))
    return table
