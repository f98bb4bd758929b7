"""``logweir top``: what a running process delivers, sink by sink, from the metrics that it serves."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, NamedTuple

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from logweir.cli.metrics_client import Picture, SinkRow, look, look_at_each, url_of
from logweir.cli.options import ROUTING_FILE, ConfigOption, checked_seconds
from logweir.cli.printable import printable
from logweir.cli.screen import Screen
from logweir.cli.top_table import shown
from logweir.config.loading import load_config
from logweir.errors import LogweirError
from logweir.redaction.reasons import masked
from logweir.settings.urls import http_parts, may_hold_credentials

__all__ = ["top"]


def top(
    url: Annotated[
        str | None, typer.Option(help="Where the metrics are; by default as `metrics` of the file says.")
    ] = None,
    config: ConfigOption = ROUTING_FILE,
    interval: Annotated[
        float, typer.Option(help="Seconds between two looks.", min=0.1, callback=checked_seconds)
    ] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Look over one interval, print it, and end.")] = False,
    as_lines: Annotated[bool, typer.Option("--json", help="As --once, in JSON, one sink to a line.")] = False,
    processes: Annotated[
        bool, typer.Option("--processes", help="A row for each process too, where several serve together.")
    ] = False,
) -> None:
    """Watch the sinks of a running process, or of all processes of a service."""
    place = _checked(url) if url is not None else _of_config(config)
    before = _Look.at(place, processes)
    if once or as_lines:
        time.sleep(interval)
        _print(before, _Look.at(place, processes), as_lines=as_lines)
        return
    with contextlib.suppress(KeyboardInterrupt), Live(console=Screen(), auto_refresh=False) as live:
        _watch(place, before, interval, live, processes=processes)


class _Look(NamedTuple):
    """All processes together, and each by its id, if that was asked for."""

    all: Picture
    each: Mapping[str, Picture]

    @classmethod
    def at(cls, place: str, processes: bool) -> _Look:
        return cls(look(place), look_at_each(place) if processes else {})

    def since(self, before: _Look) -> dict[str, tuple[Picture, Picture]]:
        """Two looks at each process; one that is new has done nothing yet."""
        return {process: (before.each.get(process, now), now) for process, now in self.each.items()}


def _print(before: _Look, now: _Look, *, as_lines: bool) -> None:
    if as_lines:
        for name in now.all.sinks:
            typer.echo(json.dumps(asdict(SinkRow.between(name, before.all, now.all))))
        for process, looks in now.since(before).items():
            for name in looks[1].sinks:
                row = asdict(SinkRow.between(name, *looks))
                typer.echo(json.dumps({"process": int(process), **row}))
    else:
        console = Screen(highlight=False)
        console.print(_table(before, now, console.width))


def _table(before: _Look, now: _Look, width: int) -> Group:
    return shown(before.all, now.all, width, now.since(before))


def _watch(place: str, before: _Look, interval: float, live: Live, *, processes: bool) -> None:
    """Look for ever; a process that is away is said to be, and may come back."""
    width = live.console.width
    picture: RenderableType = _table(before, before, width)
    while True:
        live.update(picture, refresh=True)
        time.sleep(interval)
        width = live.console.width
        try:
            now = _Look.at(place, processes)
        except LogweirError as error:
            failure = Text(printable(str(error)), style="bold red")
            picture = Group(_table(before, before, width), failure)
        else:
            picture = _table(before, now, width)
            before = now


def _checked(url: str) -> str:
    if may_hold_credentials(url):
        raise typer.BadParameter(f"{masked(url)!r} has a user or a password, and none is sent; leave it out")
    parts = http_parts(url)
    if parts is None:
        raise typer.BadParameter(f"{masked(url)!r} is no URL; write http://127.0.0.1:9464/metrics")
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
