"""``logweir verify``: whether audit rows are what was written, and which are not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from logweir.cli.options import ROUTING_FILE, ConfigOption
from logweir.cli.printable import counted, printable
from logweir.cli.progress import ReportProgress, progress_bar
from logweir.cli.screen import Screen
from logweir.cli.sinks import require_chain, require_sink
from logweir.config.chains import can_chain
from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.process.garbage import kept
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

__all__ = ["verify"]

#: Findings that are listed one by one.
_MOST_LISTED = 1000


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
    config: ConfigOption = ROUTING_FILE,
) -> None:
    """Verify the chains of audit rows; names each row that was changed, deleted, moved or inserted.

    Ends with 0 if all is sound, with 1 if something was found.
    """
    settings = load_config(config)
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
            outcomes = [asyncio.run(_verify(name, settings, save_heads, heads)) for name in names]
    except SavedHeadsError as error:
        raise typer.BadParameter(str(error)) from None
    if not all(outcomes):
        raise typer.Exit(1)


def _chosen(sink: str | None, config: RoutingConfig) -> list[str]:
    if sink is not None:
        require_chain(sink, config)
        return [sink]
    return [name for name, settings in config.sinks.items() if can_chain(settings, registry.resolve)]


async def _verify(name: str, config: RoutingConfig, save: Path | None, known: Path | None) -> bool:
    """Verify one sink and say what was found; whether it is sound."""
    console, tally, found = Screen(soft_wrap=True, highlight=False), Tally(), 0
    saved = await in_thread(lambda: open_saved_heads(known, name)) if known is not None else None
    with progress_bar() as report:
        async with opened(name, config, read_only=True) as target:
            async for finding in _findings(name, target.itself, tally, saved, report):
                found += 1
                if found <= _MOST_LISTED:
                    console.print(_line(name, finding))
            if save is not None and not found:
                count = await write_saved_heads(save, name, _table_id(target.itself), target.itself.heads())
                console.print(f"{name}: {counted(count, 'head')} saved in {save}", markup=False)
            for line in _about_epochs(target.itself):
                console.print(f"{name}: {line}", markup=False)
    if found > _MOST_LISTED:
        console.print(f"{name}: … and {found - _MOST_LISTED:,} more", markup=False)
    console.print(_summary(name, tally, found), markup=False)
    if saved is not None:
        console.print(f"{name}: {_about_saved(saved)}", markup=False)
    if save is not None and found:
        console.print(f"{name}: no heads were saved, because these would not be sound", markup=False)
    return not found


async def _findings(
    name: str, sink: Chained, tally: Tally, saved: SavedHeads | None, report: ReportProgress
) -> AsyncIterator[Finding]:
    """What is wrong with the rows, and then with what ``data_dir`` and the file know of them."""
    reporting = asyncio.create_task(_report_tally(name, tally, report))
    try:
        async for finding in sink.verify(tally):
            yield finding
        async for finding in sink.lost():
            yield finding
        if saved is not None:
            async for finding in lost_since(saved, sink):
                yield finding
    finally:
        reporting.cancel()


async def _report_tally(name: str, tally: Tally, report: ReportProgress) -> None:
    while True:
        seen = tally.rows + tally.unlinked
        report(f"verifying {name}", seen / max(seen, tally.expected, 1), f"{seen:,} rows")
        await asyncio.sleep(0.1)


def _table_id(sink: Chained) -> str:
    """The id that the table has now."""
    epochs = sink.epochs()
    return epochs[-1].table_id if epochs else ""


def _about_epochs(sink: Chained) -> Iterator[str]:
    """What an auditor must know of breaks in the chains that are no findings."""
    epochs = sink.epochs()
    if not epochs:
        yield "its chains are bound to no table yet: the first start of this logweir will do it"
    for epoch in epochs:
        if epoch.reason == "accepted":
            when = datetime.fromtimestamp(epoch.started_us / 1e6, UTC).isoformat(timespec="seconds")
            yield f"on {when} an operator accepted a break: {epoch.detail}"


def _about_saved(saved: SavedHeads) -> str:
    text = f"compared with {saved.count:,} heads in {saved.path}, saved {saved.saved}"
    if saved.is_counted:
        return text
    return f"{text} by an older logweir, which did not count them: whether the file is whole is not known"


def _line(name: str, finding: Finding) -> Text:
    text = Text(f"{name}: ").append(finding.trouble.value, style="bold red")
    return text.append("".join(f" {part}" for part in _place(finding)) + f": {printable(finding.detail)}")


def _place(finding: Finding) -> list[str]:
    """Where it is, of all that is known."""
    parts: list[Any] = []
    if finding.writer is not None:
        parts.append(f"writer {finding.writer}")
    if finding.seq is not None:
        several = finding.last is not None and finding.last != finding.seq
        parts.append(f"seq {finding.seq}-{finding.last}" if several else f"seq {finding.seq}")
    if finding.event_id is not None:
        before = "before " if finding.trouble.value == "missing" else ""
        parts.append(f"{before}event {printable(finding.event_id)}")
    if finding.time is not None:
        parts.append(f"of {finding.time.isoformat()}")
    return parts


def _summary(name: str, tally: Tally, found: int) -> str:
    verdict = counted(found, "finding") if found else "sound"
    before = f"; {counted(tally.unlinked, 'row')} from before chaining" if tally.unlinked else ""
    verified = f"{counted(tally.rows, 'row')} of {counted(tally.writers, 'chain')} verified"
    return f"{name}: {verified}{before}: {verdict}"
