"""``logweir broker status``: what waits in the brokers, who consumes it, and what a confirmation is worth."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from logweir.cli.options import ROUTING_FILE, ConfigOption, checked_seconds
from logweir.cli.printable import json_printable, printable, sized
from logweir.cli.screen import Screen
from logweir.cli.sinks import require_sink
from logweir.cli.tables import health_word
from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.sinks.results import HealthStatus
from logweir.stores.broker_status import BrokerStatus, broker_statuses, sinks_behind_brokers

__all__ = ["broker"]

#: With more partitions than these, only those are shown in which something waits.
_MOST_ROWS = 32

broker = typer.Typer(
    name="broker",
    help="Brokers: what carries events to worker processes.",
    no_args_is_help=True,
    add_completion=False,
)


@broker.callback()
def _broker() -> None:
    """Brokers: what carries events to worker processes."""


@broker.command()
def status(
    config: ConfigOption = ROUTING_FILE,
    sink: Annotated[
        list[str] | None, typer.Option(help="Of this sink alone; may be repeated. By default of all.")
    ] = None,
    max_lag: Annotated[
        int | None,
        typer.Option(help="Fail where more events than this wait for a worker.", min=0),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            help="Seconds for each broker to answer; its sink's retry.timeout by default.",
            min=0.01,
            callback=checked_seconds,
        ),
    ] = None,
    as_lines: Annotated[bool, typer.Option("--json", help="Answer in JSON, one sink to a line.")] = False,
) -> None:
    """Show what waits in the brokers and who consumes it; exit code 1 where nobody does."""
    settings = load_config(config)
    names = _names(settings, sink or [])
    statuses = asyncio.run(broker_statuses(settings, names, timeout))
    console = Screen(highlight=False)
    for each in statuses:
        if as_lines:
            typer.echo(_as_json(each, max_lag))
        else:
            _show(each, max_lag, console)
    if any(each.refused for each in statuses):
        raise typer.Exit(2)
    if any(each.problems(max_lag) for each in statuses):
        raise typer.Exit(1)


def _names(config: RoutingConfig, wanted: list[str]) -> list[str]:
    behind = sinks_behind_brokers(config)
    for name in wanted:
        if require_sink(name, config) not in behind:
            raise typer.BadParameter(f"sink {name!r} is not behind a broker")
    if not behind:
        raise typer.BadParameter(
            "no sink is behind a broker; queue: {type: redis, url: …}, or {type: kafka, brokers: […]}, puts "
            "one there"
        )
    return wanted or behind


def _as_json(status: BrokerStatus, max_lag: int | None) -> str:
    found: dict[str, Any] = {
        "sink": status.sink,
        "type": status.type,
        "status": status.health.status.value,
        "server": status.health.server,
        "durability": status.health.durability,
        "warnings": list(status.health.warnings),
        "problems": status.problems(max_lag),
        "lag": status.lag,
        "pending": status.pending,
        "oldest_seconds": status.oldest,
        "missing": status.missing,
        "partitions": [asdict(each) for each in status.partitions],
        "consumers": [asdict(each) | {"alive": status.is_alive(each)} for each in status.consumers],
        "dead_letters": asdict(status.letters),
    }
    return json_printable(json.dumps(found, ensure_ascii=False))


def _show(status: BrokerStatus, max_lag: int | None, console: Console) -> None:
    health = status.health
    head = Text(printable(status.sink), style="bold").append(f"  {status.type}  ", style="not bold")
    head.append(health_word(health.status))
    console.print(head.append(f"  {printable(health.server)}", style="default not bold"))
    for line in status.problems(max_lag):
        _say(console, line, "bold red")
    if health.status is HealthStatus.DOWN:
        return
    _say(console, health.durability)
    for warning in health.warnings:
        _say(console, f"warning: {warning}", "yellow")
    console.print(Padding(_partitions(status), (0, 0, 0, 2)))
    if status.consumers:
        console.print(Padding(_consumers(status), (0, 0, 0, 2)))
    letters = status.letters
    kept = f"{letters.count:,} ({sized(letters.size)}), the oldest for {letters.oldest:,.0f} s"
    _say(console, f"dead letters: {kept if letters.count else 'none'}", "yellow" if letters.count else "")


def _say(console: Console, line: str, style: str = "") -> None:
    console.print(Text("  " + printable(line), style=style), soft_wrap=True)


def _partitions(status: BrokerStatus) -> Table:
    table = Table("partition", box=None, header_style="bold", pad_edge=False)
    for heading in ("lag", "pending", "oldest", "consumers", "missing"):
        table.add_column(heading, justify="right")
    few = len(status.partitions) <= _MOST_ROWS
    shown = [each for each in status.partitions if few or each.lag or each.pending or each.missing]
    for each in shown:
        table.add_row(
            str(each.partition),
            f"{each.lag:,}",
            f"{each.pending:,}",
            f"{each.oldest:,.1f} s",
            f"{each.consumers}",
            Text(f"{each.missing:,}", style="bold red" if each.missing else ""),
        )
    rest = len(status.partitions) - len(shown)
    table.add_row(
        "all" if not rest else f"all, {rest} empty",
        f"{status.lag:,}",
        f"{status.pending:,}",
        f"{status.oldest:,.1f} s",
        "",
        f"{status.missing:,}",
        style="bold",
    )
    return table


def _consumers(status: BrokerStatus) -> Table:
    table = Table("consumer", box=None, header_style="bold", pad_edge=False)
    for heading in ("pending", "silent for"):
        table.add_column(heading, justify="right")
    for each in status.consumers:
        idle = "-" if each.idle is None else f"{each.idle:,.1f} s"
        style = "" if status.is_alive(each) else "bold red"
        table.add_row(Text(printable(each.name)), f"{each.pending:,}", Text(idle, style=style))
    return table
