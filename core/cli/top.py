"""``logweir top``: what a running process delivers, sink by sink, from the metrics that it serves."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import asdict
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from logweir.cli.metrics_client import Picture, SinkRow, look, url_of
from logweir.cli.options import ROUTING_FILE, ConfigOption
from logweir.cli.printable import printable
from logweir.cli.screen import Screen
from logweir.cli.top_table import shown
from logweir.config.loading import load_config
from logweir.errors import LogweirError

__all__ = ["top"]


def top(
    url: Annotated[
        str | None, typer.Option(help="Where the metrics are; by default as `metrics` of the file says.")
    ] = None,
    config: ConfigOption = ROUTING_FILE,
    interval: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.1)] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Look over one interval, print it, and end.")] = False,
    as_lines: Annotated[bool, typer.Option("--json", help="As --once, in JSON, one sink to a line.")] = False,
) -> None:
    """Watch the sinks of a running process, or of all processes of a service."""
    place = _checked(url) if url is not None else _of_config(config)
    before = look(place)
    if once or as_lines:
        time.sleep(interval)
        _print(before, look(place), as_lines=as_lines)
        return
    with contextlib.suppress(KeyboardInterrupt), Live(console=Screen(), auto_refresh=False) as live:
        _watch(place, before, interval, live)


def _print(before: Picture, now: Picture, *, as_lines: bool) -> None:
    if as_lines:
        for name in now.sinks:
            typer.echo(json.dumps(asdict(SinkRow.between(name, before, now))))
    else:
        console = Screen(highlight=False)
        console.print(shown(before, now, console.width))


def _watch(place: str, before: Picture, interval: float, live: Live) -> None:
    """Look for ever; a process that is away is said to be, and may come back."""
    width = live.console.width
    picture: RenderableType = shown(before, before, width)
    while True:
        live.update(picture, refresh=True)
        time.sleep(interval)
        width = live.console.width
        try:
            now = look(place)
        except LogweirError as error:
            picture = Group(shown(before, before, width), Text(printable(str(error)), style="bold red"))
        else:
            picture = shown(before, now, width)
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
