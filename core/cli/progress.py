"""The progress bars of long commands: on stderr, and only where a person looks at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

__all__ = ["ReportProgress", "progress_bar"]

#: Called with what is being done, the share that is done (None: nobody knows), and the counts in words.
ReportProgress = Callable[[str, float | None, str], None]


@contextmanager
def progress_bar() -> Iterator[ReportProgress]:
    """Show a bar for the length of a block."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=None, counts="")

        def report(what: str, share: float | None, counts: str) -> None:
            total = None if share is None else 1.0
            bar.update(task, description=what, total=total, completed=share or 0.0, counts=counts)

        yield report
