"""The lines of a pipe for ``logweir run``, as many as there are at a time; several of one event joined."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from logweir.cli.run_inputs import DAMAGED, LONGEST_LINE
from logweir.integrations.line_formats.continuations import Continuations

__all__ = ["events_of", "lines_of"]


def events_of(batches: Iterator[list[bytes]], joins: Continuations | None) -> Iterator[list[bytes]]:
    """Lines of a pipe that belong together, if they are joined at all."""
    if joins is None:
        yield from batches
        return
    try:
        for lines in batches:
            yield list(joins.joined(iter(lines)))
    except DAMAGED:
        if joins:
            yield [joins.rest()]
        raise
    if joins:
        yield [joins.rest()]


def lines_of(read: Callable[[], bytes]) -> Iterator[list[bytes]]:
    """The lines of a pipe, as many as there are at a time; after a signal, the one that was begun."""
    parts: list[bytes] = []
    size = 0
    try:
        while chunk := read():
            first, *others = chunk.split(b"\n")
            parts.append(first)
            size += len(first)
            if others:
                *whole, rest = others
                yield [line + b"\n" for line in (b"".join(parts), *whole)]
                parts, size = [rest], len(rest)
            elif size >= LONGEST_LINE:
                yield [b"".join(parts)]
                parts, size = [], 0
    except DAMAGED:
        if last := b"".join(parts):
            yield [last]
        raise
    if last := b"".join(parts):
        yield [last]
