"""How the inputs of ``logweir run`` are divided among its processes, and put together again at the end."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from logweir.cli.run_outcome import Outcome, added
from logweir.cli.run_pieces import Piece, pieces_of_file
from logweir.cli.run_process import Options, is_file, joins_lines
from logweir.config.models import RoutingConfig
from logweir.stores.checkpoints import Checkpoints
from logweir.stores.ranges import Ranges

__all__ = ["Plan", "planned"]

_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")


@dataclass(slots=True)
class Plan:
    """What is to be read.

    Attributes:
        pieces: In the order in which they are given out.
        before: What is known before anything was read.
        ranges: Of the files that are divided.
        size: How many bytes there are, of files.
    """

    pieces: list[Piece] = field(default_factory=list)
    before: Outcome = field(default_factory=Outcome)
    ranges: list[Ranges] = field(default_factory=list)
    size: int = 0

    def ended(self, outcome: Outcome) -> Outcome:
        """Put the checkpoints of ranges together; what was done, with what was known before.

        Raises:
            OSError: A checkpoint cannot be read or written.
        """
        for ranges in self.ranges:
            ranges.join()
        return added([self.before, outcome])


def planned(
    names: list[str], config: RoutingConfig, checkpoints: Checkpoints, options: Options, *, ordered: bool
) -> Plan:
    """Divide the inputs.

    Args:
        names: Of files, pipes, and ``-``.
        config: The routing file.
        checkpoints: Which this process keeps from others.
        options: What the command was given.
        ordered: Whether the lines of a file stay in their order.

    Raises:
        OSError: A file or its checkpoint cannot be read, or that not written.
        MissingDependency: A package is needed to read a file.
        Unreadable: One is no log.
    """
    plan = Plan()
    known = set[tuple[int, int]]()
    for name in names:
        if not is_file(name):
            plan.pieces.append(Piece.of(name, descriptor=_descriptor(name) if options.jobs > 1 else None))
            continue
        status = Path(name).stat()
        place = (status.st_dev, status.st_ino)
        if place in known:
            continue
        if options.jobs == 1 and not checkpoints.ranges(status).exist():
            plan.pieces.append(Piece.of(name))
            plan.size += status.st_size
        else:
            _divide(plan, name, config, checkpoints, options, divides=not ordered)
        known.add(place)
    _say_what_is_idle(plan, options.jobs)
    return plan


def _divide(
    plan: Plan,
    name: str,
    config: RoutingConfig,
    checkpoints: Checkpoints,
    options: Options,
    *,
    divides: bool,
) -> None:
    real = str(Path(name).resolve()) if name.startswith(("/dev/", "/proc/")) else name  # the same in a child
    pieces, lines, note = pieces_of_file(
        real,
        checkpoints,
        lambda: options.parser(config.input),
        options.jobs,
        divides=divides and not joins_lines(config.input),
        from_start=options.from_start,
    )
    status = Path(real).stat()
    plan.pieces += pieces
    plan.before.skipped += lines
    plan.before.notes = [*plan.before.notes, *filter(None, [note])]
    plan.ranges.append(checkpoints.ranges(status))
    plan.size += sum((piece.end or status.st_size) - (piece.start or 0) for piece in pieces)


def _say_what_is_idle(plan: Plan, jobs: int) -> None:
    if 0 < len(plan.pieces) < jobs:
        note = (
            f"of {jobs} processes {len(plan.pieces)} had something to read: a pipe is read by one, and so is "
            "a file that is small, compressed, in another encoding, --ordered, or has events of several lines"
        )
        plan.before.notes = [*plan.before.notes, note]


def _descriptor(name: str) -> int | None:
    """The descriptor of a pipe that another process can only be given open."""
    found = _DESCRIPTOR.fullmatch(name)
    if name == "-":
        return os.dup(0)  # a child has another standard input
    return int(found[1]) if found else None
