"""The standard input of a command, which may have been started without one (``<&-``)."""

from __future__ import annotations

import sys
from typing import BinaryIO

import typer

__all__ = ["standard_input"]


def standard_input() -> BinaryIO:
    """The standard input, as bytes.

    Raises:
        typer.BadParameter: It is closed.
    """
    if sys.stdin is None or sys.stdin.closed:
        raise typer.BadParameter("the standard input is closed; leave - out, or begin the command with one")
    return sys.stdin.buffer
