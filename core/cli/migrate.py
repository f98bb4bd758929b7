"""``logweir migrate``: from one store to another, resumable, and verified at the end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from logweir.cli.options import ROUTING_FILE, ConfigOption
from logweir.cli.printable import utc
from logweir.cli.progress import ReportProgress, progress_bar
from logweir.cli.sinks import require_ability
from logweir.cli.times import MOMENT_HELP, moment
from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.encoding.counted import counted
from logweir.encoding.one_line import on_one_line
from logweir.event import Kind
from logweir.sinks.contract import Readable
from logweir.sinks.query_match import nanoseconds
from logweir.stores.migration import Checkpoint, Migration, Moved
from logweir.stores.migration import migrate as move
from logweir.stores.reading import opened

__all__ = ["migrate"]

#: Refused events that are shown one by one.
_SHOWN = 10


def migrate(
    source: Annotated[str, typer.Option("--from", help="The sink that has the events.")],
    target: Annotated[str, typer.Option("--to", help="The sink that they are copied into.")],
    since: Annotated[str | None, typer.Option(help=f"Only events not before: {MOMENT_HELP}.")] = None,
    until: Annotated[
        str | None, typer.Option(help=f"Only events before: {MOMENT_HELP}; now by default.")
    ] = None,
    kind: Annotated[Kind | None, typer.Option(help="Only events of this kind.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Where it is remembered how far it is; in data_dir by default.")
    ] = None,
    config: ConfigOption = ROUTING_FILE,
) -> None:
    """Copy all events of one sink into another, and prove that they are there.

    Begun again after it was ended by whatever, it goes on where it was.
    """
    settings = load_config(config)
    for name in (source, target):
        require_ability(name, settings, Readable, "cannot be read back")
    if source == target:
        raise typer.BadParameter("--from and --to name the same sink")
    wanted = Migration(source, target, moment(until) or datetime.now(UTC), moment(since), kind)
    place = Checkpoint(checkpoint or settings.data_dir / "migrations" / f"{source}-{target}.json")
    with progress_bar() as report:
        moved = asyncio.run(_move(settings, wanted, place, report))
    if moved.resumed:
        earlier, end = counted(moved.resumed, "event"), utc(nanoseconds(wanted.end))
        typer.echo(f"went on after {earlier} of an earlier run, up to {end}")
    typer.echo(
        f"{source} to {target}: {counted(moved.copied, 'event')} copied, {moved.present:,} there already; "
        f"{moved.verified:,} of {source} found in {target}"
    )
    _report_refused(moved)
    if moved.rejected or moved.missing:
        raise typer.Exit(1)


async def _move(
    config: RoutingConfig, migration: Migration, place: Checkpoint, report: ReportProgress
) -> Moved:
    async with (
        opened(migration.source, config, read_only=True) as source,
        opened(migration.target, config) as target,
    ):
        return await move(
            source,
            target,
            migration,
            place,
            report=lambda what, share, moved: report(
                what, share, f"{moved.copied:,} copied, {moved.verified:,} verified"
            ),
        )


def _report_refused(moved: Moved) -> None:
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    for event_id, reason in list(moved.rejected.items())[:_SHOWN]:
        console.print(Text(on_one_line(f"refused: event {event_id}: {reason}"), style="red"))
    if len(moved.rejected) > _SHOWN:
        console.print(Text(f"refused: {len(moved.rejected) - _SHOWN:,} more", style="red"))
    if moved.missing:
        ids = ", ".join(moved.missing[:_SHOWN])
        missing = counted(len(moved.missing), "event", "is", "are")
        console.print(Text(on_one_line(f"missing: {missing} not shown: {ids} …"), style="red"))
