"""``logweir top``: what a running process delivers, sink by sink, from the metrics that it serves."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import asdict
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from logweir.cli.metrics_client import Picture, SinkRow, look, url_of
from logweir.cli.options import ROUTING_FILE, ConfigOption
from logweir.cli.printable import printable, sized
from logweir.config.loading import load_config
from logweir.errors import LogweirError

__all__ = ["top"]

_STYLES = {"healthy": "green", "opening": "yellow", "degraded": "yellow", "down": "bold red"}
_ALARM = "bold red"
#: A queue is shown as nearly full from this share on.
_NEARLY_FULL = 0.8


def top(
    url: Annotated[
        str | None, typer.Option(help="Where the metrics are; by default as `metrics` of the file says.")
    ] = None,
    config: ConfigOption = ROUTING_FILE,
    interval: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.1)] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Look over one interval, print it, and end.")] = False,
    as_lines: Annotated[bool, typer.Option("--json", help="As --once, in JSON, one sink to a line.")] = False,
) -> None:
    """Watch the sinks of a running process."""
    place = _checked(url) if url is not None else _of_config(config)
    before = look(place)
    if once or as_lines:
        time.sleep(interval)
        _print(before, look(place), as_lines=as_lines)
        return
    with contextlib.suppress(KeyboardInterrupt), Live(console=Console(), auto_refresh=False) as live:
        _watch(place, before, interval, live)


def _print(before: Picture, now: Picture, *, as_lines: bool) -> None:
    if as_lines:
        for name in now.sinks:
            typer.echo(json.dumps(asdict(SinkRow.between(name, before, now))))
    else:
        Console(highlight=False).print(_shown(before, now))


def _watch(place: str, before: Picture, interval: float, live: Live) -> None:
    """Look for ever; a process that is away is said to be, and may come back."""
    shown: RenderableType = _shown(before, before)
    while True:
        live.update(shown, refresh=True)
        time.sleep(interval)
        try:
            now = look(place)
        except LogweirError as error:
            shown = Group(_shown(before, before), Text(str(error), style="bold red"))
        else:
            shown = _shown(before, now)
            before = now


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise typer.BadParameter(f"{url!r} is no URL; write http://127.0.0.1:9464/metrics")
    return url if parts.path.strip("/") else f"{url.rstrip('/')}/metrics"


def _of_config(config: str) -> str:
    metrics = load_config(config).metrics
    if metrics is None:
        raise typer.BadParameter(f"{config} serves no metrics; add metrics: {{port: 9464}}, or give --url")
    if metrics.port == 0:
        raise typer.BadParameter(
            f"{config} takes a free port for its metrics; give the one that it reported by --url"
        )
    return url_of(metrics.host, metrics.port)


def _shown(before: Picture, now: Picture) -> Group:
    table = Table("sink", "state", box=None, header_style="bold", pad_edge=False)
    for heading in (
        "waiting",
        "aside",
        "bytes",
        "oldest",
        "in/s",
        "out/s",
        "p50",
        "p99",
        "fails",
        "dropped",
        "dead",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for name in now.sinks:
        row = SinkRow.between(name, before, now)
        table.add_row(
            Text(printable(name)),
            Text(row.state, style=_STYLES.get(row.state, "")),
            Text(f"{row.waiting:,.0f}", style=_ALARM if row.waiting >= row.limit * _NEARLY_FULL > 0 else ""),
            _alarming(row.set_aside),
            sized(row.waiting_bytes),
            f"{row.oldest_seconds:,.1f} s",
            f"{row.accepted_per_second:,.0f}",
            f"{row.stored_per_second:,.0f}",
            _milliseconds(row.write_p50),
            _milliseconds(row.write_p99),
            f"{row.failures:,.0f}",
            _alarming(row.dropped),
            _alarming(row.dead_letters),
        )
    notes = {
        "events unrouted": now.value("events_unrouted_total"),
        "unreadable lines": now.value("dead_letters"),
    }
    noted = ", ".join(f"{count:,.0f} {what}" for what, count in notes.items() if count)
    return Group(table, Text(noted, style="yellow")) if noted else Group(table)


def _alarming(count: float) -> Text:
    return Text(f"{count:,.0f}", style=_ALARM if count else "")


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:,.1f} ms"
