"""One file, or a range of one, on its way through ``logweir run``: its lines, and where it is among them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from logweir.cli.run_inputs import LONGEST_LINE, Input
from logweir.integrations.line_formats.continuations import Continuations
from logweir.integrations.log_lines import LineParser
from logweir.stores.checkpoints import Checkpoint

__all__ = ["Reading"]


class Reading:
    """A file on its way through the runtime.

    Attributes:
        name: What it was called when it was opened.
        source: The open file.
        checkpoint: How far it is stored.
        parser: Reads its lines.
        end: Where the range ends that is read; None for the end of the file.
        position: Where the next line begins.
        number: How many lines are before it.
        stored: Up to where lines were stored before.
        last: The line before it.
    """

    def __init__(
        self,
        name: str,
        source: Input,
        checkpoint: Checkpoint,
        parser: LineParser,
        joins: Continuations | None,
        end: int | None = None,
    ) -> None:
        self.name = name
        self.end = end
        self.source = source
        self.checkpoint = checkpoint
        self.parser = parser
        self.position = checkpoint.begun
        self.stored = checkpoint.offset
        # The last line had no end yet, if it begins before that, and may have grown.
        self.number = checkpoint.lines - (self.position < self.stored)
        self.last = b""
        self._held = b""
        self._joins = joins
        self._at_end = True

    def lines(self, *, to_the_end: bool) -> Iterator[bytes]:
        """The lines that are there; one without an end only where none will come."""
        if self._joins is not None:
            return self._events(self._joins, to_the_end)
        return self._parts() if to_the_end and not self._held else self._whole_lines(to_the_end)

    def _parts(self) -> Iterator[bytes]:
        """What stands in the file, line by line, up to where the range ends."""
        if self.end is None:
            return iter(partial(self.source.stream.readline, LONGEST_LINE), b"")
        return self._up_to(self.end - self.position)

    def _up_to(self, left: int) -> Iterator[bytes]:
        while left > 0 and (line := self.source.stream.readline(LONGEST_LINE)):
            left -= len(line)
            yield line

    def _events(self, joins: Continuations, to_the_end: bool) -> Iterator[bytes]:
        """Lines that belong together; the last ones only when nothing has come since the last look."""
        idle, self._at_end = self._at_end, False
        for line in self._whole_lines(to_the_end):
            idle = False
            if done := joins.add(line):
                yield done
        self._at_end = True
        if joins and (idle or to_the_end):
            yield joins.rest()

    def _whole_lines(self, to_the_end: bool) -> Iterator[bytes]:
        for part in self._parts():
            line, self._held = self._held + part, b""
            if not to_the_end and not line.endswith(b"\n") and len(line) < LONGEST_LINE:
                self._held = line
                return
            yield line
        if to_the_end and self._held:
            line, self._held = self._held, b""
            yield line

    def has_more(self, size: int) -> bool:
        """Whether a file of so many bytes has something unread, or a line whose end has not come."""
        if self.source.compressed:
            return not self.checkpoint.complete
        return size > self.source.consumed or bool(self._held) or bool(self._joins)

    def held(self) -> bytes:
        """The beginning of a line whose end has not come; from now on it is no longer kept."""
        line, self._held = self._held, b""
        return (self._joins.rest() if self._joins else b"") + line

    def place(self, number: int) -> str:
        """What a line is called in the dead letters; lines before a range are counted when one gets there."""
        saved = self.checkpoint.saved
        if saved.start and saved.before < 0:
            saved.before = self.source.count_lines(saved.start)
        return f"{self.name}:{max(saved.before, 0) + number}"

    def close(self) -> None:
        """Close the file."""
        self.source.close()
