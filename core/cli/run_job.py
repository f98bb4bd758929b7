"""One process of ``logweir run --jobs``: asks its parent for pieces, reads them, and says what it did.

Its standard input is a pipe from the parent, on which the pieces come: where that ends, the parent is gone,
and the process ends as if it had been asked to. What it says goes to a descriptor of its own, for the
standard output belongs to the sinks.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from logweir.cli.interruption import Interruption
from logweir.cli.run_lines import LineReader
from logweir.cli.run_pieces import Piece
from logweir.cli.run_process import Options, read_here, read_pieces
from logweir.config.models import RoutingConfig
from logweir.stores.checkpoints import Checkpoints

__all__ = ["work_as_job"]

_CHUNK = 1 << 16
_STDIN = 0


def work_as_job(answers: int, config: RoutingConfig, checkpoints: Path, options: Options) -> None:
    """Read pieces until there are no more.

    Args:
        answers: Where what is asked and said goes.
        config: The routing file.
        checkpoints: Their directory.
        options: What the command was given.
    """
    with Checkpoints(checkpoints) as own, Interruption() as interruption:
        threading.Thread(target=_end_with_the_parent, daemon=True).start()
        parent = _Parent(answers, interruption)
        outcome = read_here(config, own, interruption, options, partial(_read, parent, interruption))
        parent.say(["done", outcome])


def _read(parent: _Parent, interruption: Interruption, reader: LineReader) -> bool:
    return read_pieces(reader, parent.next_piece, interruption, lambda size: parent.say(["read", size]))


class _Parent:
    """The process that divides the work."""

    def __init__(self, answers: int, interruption: Interruption) -> None:
        self._answers = answers
        self._interruption = interruption
        self._heard = b""

    def say(self, message: list[Any]) -> None:
        """Say something; a parent that is gone hears nothing, and needs not."""
        left = memoryview(msgspec.json.encode(message) + b"\n")
        with suppress(BrokenPipeError):
            while left:
                left = left[os.write(self._answers, left) :]

    def next_piece(self) -> Piece | None:
        """Ask for the next piece; None where there is none, or a signal came."""
        self.say(["next"])
        while b"\n" not in self._heard:
            if not self._interruption.wait_for_input(_STDIN):
                return None
            data = os.read(_STDIN, _CHUNK)
            if not data:
                return None
            self._heard += data
        line, _, self._heard = self._heard.partition(b"\n")
        return msgspec.json.decode(line, type=Piece | None)


def _end_with_the_parent() -> None:
    """Wait until nobody has the other end of the pipe that is our standard input."""
    poll = select.poll()
    poll.register(_STDIN, 0)  # only for its end, which is always reported
    while not any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll()):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
