"""What ``logweir verify`` prints: a line for each finding, and what an auditor must know beside."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from logweir.encoding.counted import counted
from logweir.encoding.one_line import on_one_line
from logweir.sinks.tamper_evidence import Chained, Finding, Tally
from logweir.stores.saved_heads import SavedHeads

__all__ = ["about_epochs", "about_saved", "line", "summary"]


def about_epochs(sink: Chained) -> Iterator[str]:
    """What an auditor must know of breaks in the chains that are no findings."""
    epochs = sink.epochs()
    if not epochs:
        yield "its chains are bound to no table yet: the first start of this logweir will do it"
    for epoch in epochs:
        if epoch.reason == "accepted":
            when = datetime.fromtimestamp(epoch.started_us / 1e6, UTC).isoformat(timespec="seconds")
            yield on_one_line(f"on {when} an operator accepted a break: {epoch.detail}")


def about_saved(saved: SavedHeads) -> str:
    """Which file of heads it was compared with."""
    text = on_one_line(f"compared with {saved.count:,} heads in {saved.path}, saved {saved.saved}")
    if saved.is_counted:
        return text
    return f"{text} by an older logweir, which did not count them: whether the file is whole is not known"


def line(name: str, finding: Finding) -> Text:
    """What is wrong, and where: on one line, whatever whoever changed the row wrote into it."""
    text = Text(f"{name}: ").append(finding.trouble.value, style="bold red")
    said = "".join(f" {part}" for part in _place(finding)) + f": {finding.detail}"
    return text.append(on_one_line(said))


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
        parts.append(f"{before}event {finding.event_id}")
    if finding.time is not None:
        parts.append(f"of {finding.time.isoformat()}")
    return parts


def summary(name: str, tally: Tally, found: int) -> str:
    """How much was looked at, and whether it is sound."""
    verdict = counted(found, "finding") if found else "sound"
    before = f"; {counted(tally.unlinked, 'row')} from before chaining" if tally.unlinked else ""
    verified = f"{counted(tally.rows, 'row')} of {counted(tally.writers, 'chain')} verified"
    return f"{name}: {verified}{before}: {verdict}"
