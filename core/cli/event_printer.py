"""Events on standard output, one to a line, at once or a moment later where many follow each other.

A terminal shows each line as it comes. A file or a pipe is given them together, for writing each by itself
takes longer than finding it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import typer

from logweir.cli.events import as_json, as_line
from logweir.cli.screen import Screen
from logweir.event import Event

__all__ = ["EventPrinter"]

#: Seconds after which a line is given on though no other one follows.
_LATEST = 0.05


class EventPrinter:
    """Prints events; used in a ``with`` block, at whose end everything is written.

    Args:
        json: One JSON object to a line, instead of a line for people.
    """

    def __init__(self, *, json: bool) -> None:
        self._json = json
        self._screen = Screen(soft_wrap=True, highlight=False)
        self._output = typer.get_text_stream("stdout", errors=None)
        self._due: asyncio.TimerHandle | None = None
        self._failure: OSError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._due is not None:
            self._due.cancel()
        if not isinstance(error, OSError):  # after which there may be nobody to write to
            self.flush()

    def show(self, event: Event, sinks: Sequence[str]) -> None:
        """Print an event, with the sinks that have it."""
        if self._json:
            self._output.write(as_json(event, sinks) + "\n")
        elif self._screen.color_system is None:  # a file or a pipe, for which rendering changes nothing
            self._output.write(as_line(event, sinks).plain + "\n")
        else:
            self._screen.print(as_line(event, sinks))

    def soon(self) -> None:
        """See to it, within a running event loop, that what was printed is written in a moment.

        Raises:
            OSError: What was printed before could not be written.
        """
        if self._failure is not None:
            raise self._failure
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(_LATEST, self._write_in_time)

    def flush(self) -> None:
        """Write what was printed.

        Raises:
            OSError: It cannot be written.
        """
        self._output.flush()

    def _write_in_time(self) -> None:
        self._due = None
        try:
            self.flush()
        except OSError as error:  # for whoever prints next, or for the end
            self._failure = error
