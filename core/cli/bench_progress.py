"""How far a run of ``logweir bench`` is: a bar on a terminal, and a line now and then where there is none."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Coroutine
from typing import Any, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from logweir.benchmarks.suite.results import Results

__all__ = ["RunProgress", "run_to_the_end"]

#: Seconds between two lines about one step, where there is no terminal.
_EVERY = 30.0
_INTERRUPTED = 130


class RunProgress:
    """What is being measured, and how much of it is done; a context manager around the run.

    Args:
        console: Where to show it.
    """

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._console = console
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._bar.add_task("", total=None)
        self._began = self._said = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def step(self, done: int, total: int, what: str) -> None:
        """A step begins, or the last has ended."""
        self._bar.update(self._task, completed=done, total=total, description=what)
        self._say(f"{done} of {total} steps done; {what}")

    def note(self, line: str) -> None:
        """A step has come so far."""
        self._bar.update(self._task, description=line)
        if time.monotonic() - self._said >= _EVERY:
            self._say(line)

    def _say(self, line: str) -> None:
        if not self._console.is_terminal:
            self._said = time.monotonic()
            minutes, seconds = divmod(int(self._said - self._began), 60)
            typer.echo(f"[{minutes}:{seconds:02}] {line}", err=True)


def run_to_the_end(work: Coroutine[Any, Any, Results], console: Console) -> Results:
    """Run until it is done; Ctrl-C and SIGTERM end it in order, with a word on how to go on.

    Raises:
        typer.Exit: It was interrupted.
    """

    async def run() -> Results:
        task = asyncio.ensure_future(work)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await task

    try:
        return asyncio.run(run())
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print(Text("interrupted; the same command with --resume goes on from here"))
        raise typer.Exit(_INTERRUPTED) from None
