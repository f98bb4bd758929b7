"""``logweir tail``: new events as they arrive in the sinks, until Ctrl-C."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from logweir.cli import filters
from logweir.cli.event_printer import EventPrinter
from logweir.cli.options import ROUTING_FILE, ConfigOption, checked_seconds
from logweir.cli.printable import printable
from logweir.cli.times import MOMENT_HELP, moment
from logweir.config.loading import load_config
from logweir.encoding.one_line import on_one_line
from logweir.stores.tailing import Follower

__all__ = ["tail"]


def tail(
    sink: filters.SinkOption = None,
    kind: filters.KindOption = None,
    level: filters.LevelOption = None,
    service: filters.ServiceOption = None,
    name: filters.NameOption = None,
    trace_id: filters.TraceOption = None,
    field: filters.FieldOption = None,
    text: filters.TextOption = None,
    since: Annotated[
        str | None, typer.Option(help=f"Begin with the events since then: {MOMENT_HELP}; now by default.")
    ] = None,
    interval: Annotated[
        float, typer.Option(help="Seconds between two looks.", min=0.05, callback=checked_seconds)
    ] = 1.0,
    json: Annotated[bool, typer.Option("--json", help="One JSON object for each event.")] = False,
    config: ConfigOption = ROUTING_FILE,
) -> None:
    """Follow the events of one sink, or of all that can be read back; ends by Ctrl-C."""
    settings = load_config(config)
    names = filters.chosen_sinks(sink, settings)
    wanted = filters.query_of(
        kind=kind, level=level, service=service, name=name, trace_id=trace_id, field=field, text=text
    )
    start = moment(since) or datetime.now(UTC)
    follower = Follower(settings, names, wanted, start, on_change=_report, on_unreadable=_report_fault)
    try:
        asyncio.run(_print(follower, interval, json=json))
    except KeyboardInterrupt:
        return


async def _print(follower: Follower, interval: float, *, json: bool) -> None:
    with EventPrinter(json=json) as printer:
        async with aclosing(follower.follow(interval)) as events:
            async for found in events:
                printer.show(found.event, [found.sink])
                printer.flush()


def _report_fault(name: str, fault: str) -> None:
    message = Text("not read: ", style="bold red").append(on_one_line(f"sink {name!r}: {fault}"))
    Console(stderr=True, soft_wrap=True, highlight=False).print(message)


def _report(name: str, reason: str | None) -> None:
    message = f"sink {name!r} does not answer: {reason}" if reason else f"sink {name!r} answers again"
    Console(stderr=True, soft_wrap=True, highlight=False).print(
        Text(printable(message), style="red" if reason else "dim")
    )
