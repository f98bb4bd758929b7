"""``logweir query`` and ``logweir trace``: what the sinks have, in one order of time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from logweir.cli import filters
from logweir.cli.event_printer import EventPrinter
from logweir.cli.options import ROUTING_FILE, ConfigOption
from logweir.cli.printable import printable
from logweir.cli.times import moment
from logweir.config.loading import load_config
from logweir.sinks.contract import Query
from logweir.stores.reading import Sighting, merged, search_each, stream_each

__all__ = ["query", "trace"]

_LIMIT = 100


def query(
    sink: filters.SinkOption = None,
    kind: filters.KindOption = None,
    level: filters.LevelOption = None,
    service: filters.ServiceOption = None,
    since: filters.SinceOption = None,
    until: filters.UntilOption = None,
    name: filters.NameOption = None,
    trace_id: filters.TraceOption = None,
    field: filters.FieldOption = None,
    text: filters.TextOption = None,
    limit: Annotated[int, typer.Option(help="At most this many events; 0 for all.", min=0)] = _LIMIT,
    newest_first: Annotated[bool, typer.Option("--newest-first", help="The newest first.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object for each event.")] = False,
    config: ConfigOption = ROUTING_FILE,
) -> None:
    """Find events in one sink, or in all that can be read back."""
    settings = load_config(config)
    names = filters.chosen_sinks(sink, settings)
    wanted = filters.query_of(
        kind=kind,
        level=level,
        service=service,
        name=name,
        trace_id=trace_id,
        field=field,
        text=text,
        start=moment(since),
        end=moment(until),
        limit=limit + 1 if limit else None,  # one more shows whether there are more
        newest_first=newest_first,
    )
    if not limit:
        silent: dict[str, str] = {}
        any_shown = asyncio.run(_show_all(stream_each(settings, wanted, names, silent), json=json))
        _end_of_search(any_shown, names, silent, wanted, json=json)
        return
    answers = asyncio.run(search_each(settings, wanted, names))
    found = merged(answers.found)
    with EventPrinter(json=json) as printer:
        for item in found[:limit]:
            printer.show(item.event, item.sinks)
    if len(found) > limit and not json:
        shown = "the first event is" if limit == 1 else f"the first {limit:,} events are"
        _remark(f"{shown} shown; --limit shows more")
    _end_of_search(bool(found), names, answers.silent, wanted, json=json)


def trace(
    trace_id: Annotated[str, typer.Argument(help="The trace's id: 32 hex digits.")],
    level: filters.LevelOption = None,
    service: filters.ServiceOption = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object for each event.")] = False,
    config: ConfigOption = ROUTING_FILE,
) -> None:
    """Show one trace across all sinks, each event once, with the sinks that have it."""
    settings = load_config(config)
    names = filters.chosen_sinks(None, settings)
    wanted = Query(trace_id=trace_id, levels=filters.levels_of(level), service=service, limit=None)
    silent: dict[str, str] = {}
    any_shown = asyncio.run(_show_all(stream_each(settings, wanted, names, silent), json=json))
    if not any_shown:
        _remark(f"no event of trace {trace_id} in {_answering(names, silent)}")
    _end(silent)


async def _show_all(found: AsyncGenerator[Sighting, None], *, json: bool) -> bool:
    """Print as it comes; whether there was any."""
    any_shown = False
    with EventPrinter(json=json) as printer:
        async with aclosing(found) as items:
            async for item in items:
                printer.show(item.event, item.sinks)
                printer.soon()
                any_shown = True
    return any_shown


def _end_of_search(
    any_shown: bool, names: Sequence[str], silent: Mapping[str, str], wanted: Query, *, json: bool
) -> None:
    if not any_shown and not json:
        _remark(f"no event matches in {_answering(names, silent)}")
        if meant := filters.hint(wanted):
            _remark(meant)
    _end(silent)


def _answering(names: Sequence[str], silent: Mapping[str, str]) -> str:
    return ", ".join(name for name in names if name not in silent) or "any sink"


def _remark(text: str) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False).print(Text(printable(text), style="dim"))


def _end(silent: Mapping[str, str]) -> None:
    """Report which sinks did not answer; their absence fails the command, after all others were shown."""
    for name, reason in silent.items():
        message = Text("not read: ", style="bold red").append(
            printable(f"sink {name!r}: {reason}"), style="not bold"
        )
        Console(stderr=True, soft_wrap=True, highlight=False).print(message)
    if silent:
        raise typer.Exit(1)
