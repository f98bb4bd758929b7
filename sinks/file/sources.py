"""The files of one search: the current one, rotated ones and compressed ones, each read from any place.

What is known of a file (:class:`Notes`) belongs to the file and not to its name. A file of the same inode
that was cut and written anew is recognised by the bytes before the place up to which it is known.
"""

from __future__ import annotations

import contextlib
import gzip
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from logweir.sinks.file.blocks import Block, Blocks

__all__ = ["Current", "Identity", "Notes", "Packed", "Rotated", "Source", "Unpacking", "Vanished"]

#: Bytes by which a file is known to be the one that was read.
_TAIL = 1024
#: Blocks of a compressed file that are kept, and the most bytes of one.
_KEPT = 4
_LONGEST = 2**22

#: Which file it is, whatever its name: the device and the number on it.
Identity = tuple[int, int]


def _identity_of(status: os.stat_result) -> Identity:
    """Return which file a status is of."""
    return status.st_dev, status.st_ino


class Vanished(Exception):
    """A file was compressed or deleted after the files were listed."""


@dataclass(slots=True)
class Notes:
    """What is known of a file.

    Attributes:
        blocks: Its blocks.
        tail: The last bytes of these.
        state: Its size and the time of its last change when it was read to its end, after which nothing is
            added; None before that.
    """

    blocks: Blocks = field(default_factory=Blocks)
    tail: bytes = b""
    state: tuple[int, int] | None = None

    def clear(self) -> None:
        """Forget everything: the file is read from its beginning."""
        self.blocks, self.tail, self.state = Blocks(), b"", None


class Source(ABC):
    """A file of one search.

    Args:
        path: Its name.
        status: What was there when the search began.
        known: What is known of files.

    Attributes:
        path: Its name.
        identity: Which file it is.
        notes: What is known of it.
    """

    #: Whether lines may still be added.
    grows = False

    def __init__(self, path: Path, status: os.stat_result, known: Mapping[Identity, Notes]) -> None:
        self.path = path
        self.identity = _identity_of(status)
        self._state = status.st_size, status.st_mtime_ns
        self.notes = known.get(self.identity) or Notes()

    @abstractmethod
    def opened(self, at: int) -> AbstractContextManager[IO[bytes]]:
        """Return the file, open at a place.

        Raises:
            Vanished: It is not there any more.
        """

    def blocks(self, *, newest_first: bool) -> Sequence[Block]:
        """Return the blocks to read it by, for a reader who goes by time."""
        return self.notes.blocks.all()

    def lines_of(self, block: Block) -> Iterable[bytes]:
        """Return the lines of a block."""
        left = block.end - block.start
        with self.opened(block.start) as lines:
            for line in lines:
                yield line
                left -= len(line)
                if left <= 0:
                    return

    @property
    def is_read(self) -> bool:
        """Whether all of it is noted."""
        return self.notes.state == self._state

    def check(self) -> None:
        """Forget what is known of it if it is another by now.

        Raises:
            Vanished: It is not there any more.
        """
        if self.notes.blocks.end and not self.is_read and self.notes.tail != self._tail():
            self.notes.clear()

    def note_end(self) -> None:
        """Note how far it was read, and whether that was all.

        Raises:
            Vanished: It is not there any more.
        """
        if not self.grows:
            self.notes.state = self._state
        self.notes.tail = self._tail()

    def _tail(self) -> bytes:
        end = self.notes.blocks.end
        start = max(0, end - _TAIL)
        with self.opened(start) as file:
            return file.read(end - start)


class Current(Source):
    """The file that is written, which is open: it may be rotated meanwhile."""

    grows = True

    def __init__(self, path: Path, file: IO[bytes], known: Mapping[Identity, Notes]) -> None:
        super().__init__(path, os.fstat(file.fileno()), known)
        self._file = file

    @contextlib.contextmanager
    def opened(self, at: int) -> Iterator[IO[bytes]]:
        """See :meth:`Source.opened`."""
        self._file.seek(at)
        yield self._file


class Rotated(Source):
    """A rotated file, which is opened when it is read, for there may be many."""

    @contextlib.contextmanager
    def opened(self, at: int) -> Iterator[IO[bytes]]:
        """See :meth:`Source.opened`."""
        with _open(self.path, self.identity) as file:
            file.seek(at)
            yield file


class Packed(Source):
    """A rotated file that is compressed; places are those of the unpacked bytes."""

    def __init__(
        self, path: Path, status: os.stat_result, known: Mapping[Identity, Notes], unpacking: Unpacking
    ) -> None:
        super().__init__(path, status, known)
        self._unpacking = unpacking

    @contextlib.contextmanager
    def opened(self, at: int) -> Iterator[IO[bytes]]:
        """See :meth:`Source.opened`."""
        file = self._unpacking.open(self.path, self.identity)
        file.seek(at)
        yield file

    def blocks(self, *, newest_first: bool) -> Sequence[Block]:
        """Return its blocks; all as one where going by time would unpack the file again and again."""
        blocks = self.notes.blocks
        return blocks.as_one() if newest_first or not blocks.are_in_order else blocks.all()

    def lines_of(self, block: Block) -> Iterable[bytes]:
        """See :meth:`Source.lines_of`."""
        lines = super().lines_of(block)
        if block.end - block.start > _LONGEST:
            return lines
        return self._unpacking.kept((self.identity, block), lines)

    def check(self) -> None:
        """See :meth:`Source.check`; a compressed file is never changed, only replaced."""
        if not self.is_read:
            self.notes.clear()

    def _tail(self) -> bytes:
        return b""


class Unpacking:
    """The compressed file that is read at the moment.

    To go back in a compressed file is to unpack it again from its beginning. So it stays open from one page
    to the next, and the last blocks are kept: a page begins in the block in which the one before it ended.
    """

    def __init__(self) -> None:
        self._raw: IO[bytes] | None = None
        self._file: gzip.GzipFile | None = None
        self._identity: Identity | None = None
        self._kept: dict[tuple[Identity, Block], list[bytes]] = {}

    def open(self, path: Path, identity: Identity) -> IO[bytes]:
        """Return a compressed file, wherever in it reading ended.

        Raises:
            Vanished: It is not there any more.
        """
        if self._file is None or self._identity != identity:
            self.close()
            self._raw = _open(path, identity)
            self._file, self._identity = gzip.GzipFile(fileobj=self._raw), identity
        return cast("IO[bytes]", self._file)

    def kept(self, place: tuple[Identity, Block], lines: Iterable[bytes]) -> list[bytes]:
        """Return the lines of a block, read only if they are not kept."""
        found = self._kept.pop(place, None)
        self._kept[place] = found = list(lines) if found is None else found
        if len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]
        return found

    def close(self) -> None:
        """Close the file, and keep nothing."""
        if self._file is not None:
            self._file.close()
        if self._raw is not None:
            self._raw.close()
        self._file, self._raw, self._kept = None, None, {}


def _open(path: Path, identity: Identity) -> IO[bytes]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise Vanished from None
    if _identity_of(os.fstat(file.fileno())) != identity:
        file.close()
        raise Vanished
    return file
