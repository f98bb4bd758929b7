"""Where commands print: rich's console, which by itself ends a command whose reader has seen enough."""

from __future__ import annotations

from typing import NoReturn

from rich.console import Console

__all__ = ["Screen"]


class Screen(Console):
    """A console that lets the command line decide what a closed pipe means."""

    def on_broken_pipe(self) -> NoReturn:
        """Go on with the error that is being handled."""
        raise  # noqa: PLE0704 - rich calls this where it handles the error
