"""One process of ``logweir run --jobs``: asks its parent for pieces, reads them, and says what it did."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from logweir.cli.interruption import Interruption
from logweir.cli.job_parent import JobParent
from logweir.cli.run_lines import LineReader
from logweir.cli.run_pieces import Piece
from logweir.cli.run_process import Options, read_here, read_pieces
from logweir.config.models import RoutingConfig
from logweir.stores.checkpoints import Checkpoints

__all__ = ["work_as_job"]


def work_as_job(answers: int, config: RoutingConfig, checkpoints: Path, options: Options) -> None:
    """Read pieces until there are no more.

    Args:
        answers: Where what is asked and said goes.
        config: The routing file.
        checkpoints: Their directory.
        options: What the command was given.
    """
    with Checkpoints(checkpoints) as own, Interruption() as interruption:
        parent = JobParent(answers, interruption.wait_for_input)
        outcome = read_here(config, own, interruption, options, partial(_read, parent, interruption))
        parent.say(["done", outcome])


def _read(parent: JobParent, interruption: Interruption, reader: LineReader) -> bool:
    next_piece = partial(parent.next, Piece)
    return read_pieces(reader, next_piece, interruption, lambda size: parent.say(["read", size]))
