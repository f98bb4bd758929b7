"""Tables that are read whole at any width: words break before anything is cut, and numbers never do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from logweir.cli.printable import printable
from logweir.sinks.results import HealthStatus

__all__ = ["counts_by_name", "health_word", "table_of"]

#: Below so many columns a table has no lines between its columns, which leaves room for what they hold.
_NARROW = 72
_HEALTH_STYLES = {HealthStatus.OK: "green", HealthStatus.DEGRADED: "yellow", HealthStatus.DOWN: "bold red"}


def table_of(
    console: Console, texts: Sequence[str], numbers: Sequence[str] = (), *, title: str | None = None
) -> Table:
    """A table without rows.

    Args:
        console: Where it is printed, which says how wide it may be.
        texts: The headings of columns of text; the first holds a name, which is broken last.
        numbers: The headings of columns of numbers, behind those.
        title: What it shows.
    """
    table = Table(title=title, title_justify="left")
    if console.width < _NARROW:
        table.box, table.padding, table.pad_edge = SIMPLE_HEAD, (0, 1, 0, 0), False
        table.collapse_padding = False
    for heading in texts:
        table.add_column(heading, overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True, overflow="fold")
    return table


def health_word(status: HealthStatus) -> Text:
    """How well a sink or a broker is, in its colour."""
    return Text(status.value, style=_HEALTH_STYLES[status])


def counts_by_name(
    console: Console, what: str, counts: Mapping[str, Mapping[str, int]], *, title: str | None = None
) -> RenderableType:
    """A row of counts for each name; where that is too wide, a line for each, of those that are not zero.

    Args:
        console: Where it is printed.
        what: What the names are of.
        counts: By name the counts by their headings, which are the same for all.
        title: What it shows.
    """
    headings = list(next(iter(counts.values()), {}))
    if console.width >= _NARROW:
        table = table_of(console, [what], headings, title=title)
        for name, row in counts.items():
            table.add_row(Text(printable(name)), *(f"{count:,}" for count in row.values()))
        return table
    lines = [] if title is None else [Text(title)]
    for name, row in counts.items():
        some = {heading: count for heading, count in row.items() if count} or {headings[0]: 0}
        text = ", ".join(f"{count:,} {heading}" for heading, count in some.items())
        lines.append(Text(printable(name), style="bold").append(f": {text}", style="not bold"))
    return Group(*lines)
