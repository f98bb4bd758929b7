"""``logweir verify``: whether audit rows are what was written, and which are not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from logweir.cli.interruption import Interruption, end_by
from logweir.cli.options import ROUTING_FILE, ConfigOption
from logweir.cli.progress import ReportProgress, progress_bar
from logweir.cli.screen import Screen
from logweir.cli.sinks import require_chain, require_sink
from logweir.cli.verify_job import verify_as_job
from logweir.cli.verify_jobs import DividedSink, VerifyJobs, divided
from logweir.cli.verify_report import about_epochs, about_saved, line, summary
from logweir.config.chains import can_chain
from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.encoding.counted import counted
from logweir.errors import LogweirError, SinkError
from logweir.process.garbage import kept
from logweir.process.own_modules import command_of
from logweir.process.threads import in_thread
from logweir.sinks import registry
from logweir.sinks.tamper_evidence import Chained, Finding, Tally
from logweir.stores.reading import opened
from logweir.stores.saved_heads import (
    SavedHeads,
    SavedHeadsError,
    lost_since,
    open_saved_heads,
    write_saved_heads,
)
from logweir.stores.verification import MOST_LISTED

__all__ = ["verify"]

_JobsOption = Annotated[
    int,
    typer.Option(
        "--jobs",
        help="So many processes, which verify sinks, chains and parts of chains.",
        min=1,
        max=256,
        metavar="N",
    ),
]


def verify(
    sink: Annotated[
        str | None, typer.Option(help="The sink to verify; by default every one with a chain.")
    ] = None,
    save_heads: Annotated[
        Path | None, typer.Option(help="Write the ends of the chains to this file, to be kept elsewhere.")
    ] = None,
    heads: Annotated[
        Path | None, typer.Option(help="Prove that nothing known to this file of --save-heads was cut off.")
    ] = None,
    jobs: _JobsOption = 1,
    config: ConfigOption = ROUTING_FILE,
    job: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Verify the chains of audit rows; names each row that was changed, deleted, moved or inserted.

    Ends with 0 if all is sound, with 1 if something was found or a sink could not be read.
    """
    settings = load_config(config)
    if job is not None:
        verify_as_job(job, settings)
        return
    if sink is not None:
        require_sink(sink, settings)
    if not settings.audit.chain:
        raise typer.BadParameter("rows are not chained; set audit: {chain: true} in the routing file")
    names = _chosen(sink, settings)
    if len(names) > 1 and (save_heads or heads):
        raise typer.BadParameter(f"say with --sink whose heads: {', '.join(names)}")
    if save_heads is not None and not save_heads.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {save_heads.absolute().parent} for --save-heads")
    try:
        with kept():
            if jobs > 1:
                outcomes = _verify_by_jobs(names, settings, _command(config), jobs, save_heads, heads)
            else:
                outcomes = _verify_here(names, settings, save_heads, heads)
    except SavedHeadsError as error:
        raise typer.BadParameter(str(error)) from None
    if not all(outcomes):
        raise typer.Exit(1)


def _chosen(sink: str | None, config: RoutingConfig) -> list[str]:
    if sink is not None:
        require_chain(sink, config)
        return [sink]
    return [name for name, settings in config.sinks.items() if can_chain(settings, registry.resolve)]


def _command(config: str) -> list[str]:
    """What starts one of several processes; a descriptor is still missing."""
    return command_of("logweir", "verify", "-c", config, "--job")


@contextmanager
def _noted(name: str, unread: list[str]) -> Iterator[None]:
    """Note why a sink cannot be read: it keeps no other from being verified."""
    try:
        yield
    except SinkError as error:
        unread.append(f"sink {name!r} is not verified: {error}")


def _require_all(unread: list[str]) -> None:
    """See that every sink could be read.

    Raises:
        LogweirError: It names those that could not.
    """
    if unread:
        raise LogweirError("\n".join(unread))


def _verify_here(
    names: list[str], config: RoutingConfig, save: Path | None, known: Path | None
) -> list[bool]:
    """Verify the sinks, and say what is found; which of them are sound."""
    outcomes, unread = list[bool](), list[str]()
    for name in names:
        with _noted(name, unread):
            outcomes.append(asyncio.run(_verify(name, config, save, known)))
    _require_all(unread)
    return outcomes


def _verify_by_jobs(
    names: list[str],
    config: RoutingConfig,
    command: list[str],
    jobs: int,
    save: Path | None,
    known: Path | None,
) -> list[bool]:
    """Let processes verify the sinks, and say what they found, sink by sink; which of them are sound."""
    if known is not None:
        open_saved_heads(known, names[0])  # refused now, and not when all is read
    sinks, outcomes, unread = list[DividedSink](), list[bool](), list[str]()
    for name in names:
        with _noted(name, unread):
            sinks.append(asyncio.run(divided(name, config, jobs)))
    with progress_bar() as report, Interruption() as interruption:
        rows = _Rows(sinks, report)
        group = VerifyJobs(command, jobs, interruption, rows.advance)
        group.run(sinks)
    for sink in sinks:
        if sink.is_done and interruption.asked is None:
            with _noted(sink.name, unread):
                outcomes.append(asyncio.run(_verify(sink.name, config, save, known, sink)))
        else:
            _list(sink.name, sink.listed())
    if interruption.asked is not None:
        end_by(interruption.asked)
    try:
        group.require_success()
    except LogweirError as error:
        unread.append(str(error))
    _require_all(unread)
    return outcomes


class _Rows:
    """How many rows several processes have read.

    Args:
        sinks: What they verify.
        report: Shows it.
    """

    def __init__(self, sinks: Sequence[DividedSink], report: ReportProgress) -> None:
        self._what = f"verifying {', '.join(sink.name for sink in sinks)}"
        self._expected = sum(sink.expected for sink in sinks)
        self._report = report
        self._rows, self._found = 0, 0

    def advance(self, rows: int, found: int) -> None:
        """Count further rows and findings, and show both."""
        self._rows, self._found = self._rows + rows, self._found + found
        share = self._rows / max(self._rows, self._expected, 1)
        more = f", {counted(self._found, 'finding')}" if self._found else ""
        self._report(self._what, share, f"{counted(self._rows, 'row')}{more}")


def _list(name: str, found: Iterable[Finding]) -> None:
    console = Screen(soft_wrap=True, highlight=False)
    for finding in islice(found, MOST_LISTED):
        console.print(line(name, finding))


async def _verify(
    name: str, config: RoutingConfig, save: Path | None, known: Path | None, parts: DividedSink | None = None
) -> bool:
    """Verify one sink, or take what was found in its parts, and say it; whether it is sound."""
    console, tally, found = Screen(soft_wrap=True, highlight=False), Tally(), 0
    saved = await in_thread(lambda: open_saved_heads(known, name)) if known is not None else None
    with progress_bar() as report:
        async with opened(name, config, read_only=True) as target, _reported(name, tally, report):
            chained: Chained = target.itself
            in_rows = chained.verify(tally) if parts is None else parts.findings(chained, tally)
            async for finding in _findings(chained, in_rows, saved):
                found += 1
                if found <= MOST_LISTED:
                    console.print(line(name, finding))
            found += 0 if parts is None else parts.unlisted
            if save is not None and not found:
                count = await write_saved_heads(save, name, _table_id(chained), chained.heads())
                console.print(f"{name}: {counted(count, 'head')} saved in {save}", markup=False)
            for text in about_epochs(chained):
                console.print(f"{name}: {text}", markup=False)
    if found > MOST_LISTED:
        console.print(f"{name}: … and {found - MOST_LISTED:,} more", markup=False)
    console.print(summary(name, tally, found), markup=False)
    if saved is not None:
        console.print(f"{name}: {about_saved(saved)}", markup=False)
    if save is not None and found:
        console.print(f"{name}: no heads were saved, because these would not be sound", markup=False)
    return not found


async def _findings(
    sink: Chained, in_rows: AsyncIterator[Finding], saved: SavedHeads | None
) -> AsyncIterator[Finding]:
    """What is wrong with the rows, and then with what ``data_dir`` and the file know of them."""
    async for finding in in_rows:
        yield finding
    async for finding in sink.lost():
        yield finding
    if saved is not None:
        async for finding in lost_since(saved, sink):
            yield finding


@asynccontextmanager
async def _reported(name: str, tally: Tally, report: ReportProgress) -> AsyncIterator[None]:
    """Show how far a verification is, for the length of a block."""
    reporting = asyncio.create_task(_report_tally(name, tally, report))
    try:
        yield
    finally:
        reporting.cancel()


async def _report_tally(name: str, tally: Tally, report: ReportProgress) -> None:
    while True:
        seen = tally.rows + tally.unlinked
        report(f"verifying {name}", seen / max(seen, tally.expected, 1), counted(seen, "row"))
        await asyncio.sleep(0.1)


def _table_id(sink: Chained) -> str:
    """The id that the table has now."""
    epochs = sink.epochs()
    return epochs[-1].table_id if epochs else ""
