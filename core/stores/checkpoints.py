"""Checkpoints: how far a file of log lines is stored, so that reading it again goes on from there.

A file is known by its device and inode, a digest of its first bytes, and a digest of the last line that was
stored: one that was renamed by a rotation is the same file, and one that was truncated, rewritten or that
only inherited the inode is another. A checkpoint passes a line only when the events of this and of all lines
before it are settled. What was read and not yet passed is read again after a kill, with the same event ids,
which are derived from the file and the place in it: sinks recognise those events as duplicates.

One small file for each input, replaced as a whole: two runs over two files do not disturb each other. Two
over one file would settle lines in each other's name, so a checkpoint belongs to one process, by the lock
that queue files have. Where several processes share a file, each has checkpoints of its ranges; see
:mod:`.ranges`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple, Self

from logweir.delivery.spool.ownership import FileLock
from logweir.encoding.values import clean_text
from logweir.sinks.shared.sqlite_repair import corrupt_name
from logweir.stores.checkpoint_file import VERSION, Saved, digest, load, save
from logweir.stores.ranges import Ranges

__all__ = ["Checkpoint", "Checkpoints", "Mark"]

#: Reads so many bytes at a place.
ReadAt = Callable[[int, int], bytes]
_HEAD = 1024
_TAIL = 1024
#: Odd, so that multiplying by it gives each place in a file an id of its own.
_SPREAD = 0x2E6B_3F1D_9A77_51C4_5DB
_RANDOM_BITS = (1 << 74) - 1
_TIME_BITS = (1 << 48) - 1
_MS = 1_000_000


class Mark(NamedTuple):
    """A place between two lines.

    Attributes:
        offset: Where the next line begins.
        lines: How many lines are before it.
        last: The line before it, with its end if it has one.
    """

    offset: int = 0
    lines: int = 0
    last: bytes = b""


@dataclass(slots=True)
class Checkpoint:
    """How far one file is stored.

    Attributes:
        path: Where it is saved.
        saved: What stands there.
        settled: Up to where everything is settled.
        read: Up to where events were made; kept by whoever reads.
        note: What is worth saying about how the file was recognised; empty for the usual.
        complete: Whether nothing more will be read from the file.
    """

    path: Path
    saved: Saved
    read: Mark
    settled: Mark
    note: str = ""
    complete: bool = False
    _base: int = 0

    def __post_init__(self) -> None:
        self._base = int(self.saved.token, 16)

    @property
    def offset(self) -> int:
        """Where the first line begins that is not stored."""
        return self.saved.offset

    @property
    def lines(self) -> int:
        """How many lines are before it."""
        return self.saved.lines

    @property
    def begun(self) -> int:
        """Where the last stored line begins, if it had no end yet; else the same as ``offset``."""
        return self.saved.last_start

    def line_id(self, place: int) -> str:
        """An id for the line whose text ends at ``place``, whatever its time; it outlives the checkpoint."""
        return self.event_id(place, 1)

    def event_id(self, place: int, time_ns: int | None) -> str:
        """The UUIDv7 of the line whose text ends at ``place``: the same whenever it is read."""
        milliseconds = time_ns // _MS & _TIME_BITS if time_ns and time_ns > 0 else self.saved.first_seen
        bits = (self._base + place * _SPREAD) & _RANDOM_BITS
        stamp = f"{milliseconds:012x}"
        rest = f"{bits & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000:016x}"
        return f"{stamp[:8]}-{stamp[8:]}-7{bits >> 62:03x}-{rest[:4]}-{rest[4:]}"


class Checkpoints:
    """The checkpoints in one directory.

    Args:
        directory: Where they are kept; made when the first is saved.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._saving = threading.Lock()  # of whoever reads and of whoever settles
        self._locks: dict[Path, FileLock] = {}

    def claim(self, status: os.stat_result) -> bool:
        """Keep the checkpoint of a file from other processes until the block ends; False while one has it.

        Raises:
            OSError: The directory cannot be written.
        """
        path = self._path(status)
        if path not in self._locks:
            self._directory.mkdir(parents=True, exist_ok=True)
            lock = FileLock.take(path)
            if lock is None:
                return False
            self._locks[path] = lock
            return self.ranges(status).are_free()
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave all checkpoints to others."""
        while self._locks:
            self._locks.popitem()[1].release()

    def _path(self, status: os.stat_result) -> Path:
        return self._directory / f"{status.st_dev:x}-{status.st_ino:x}.json"

    def ranges(self, status: os.stat_result) -> Ranges:
        """The checkpoints of the ranges of a file."""
        return Ranges(self._path(status))

    def open_range(self, name: str, descriptor: int, start: int) -> Checkpoint:
        """The checkpoint of a range of a file whose own was opened, by whoever keeps it from others.

        Args:
            name: What the file is called.
            descriptor: Of the file.
            start: Where the range begins: behind what is settled, or at a line.

        Raises:
            OSError: It cannot be read or written, or another process has it.
        """
        ranges = self.ranges(os.fstat(descriptor))
        path, saved = ranges.beginning_at(start)
        if path not in self._locks:
            lock = FileLock.take(path)
            if lock is None:
                raise BlockingIOError(f"{name}: another run goes on with its checkpoint {path}")
            self._locks[path] = lock
        mark = Mark(saved.offset, saved.lines)
        return Checkpoint(path, saved, mark, mark)

    def release(self, checkpoint: Checkpoint) -> None:
        """Leave a checkpoint to others."""
        lock = self._locks.pop(checkpoint.path, None)
        if lock is not None:
            lock.release()

    def open(
        self, name: str, descriptor: int, read_at: ReadAt | None = None, *, from_start: bool = False
    ) -> Checkpoint:
        """The checkpoint of an open file: what was saved for it, or a new one, which is saved at once.

        Args:
            name: What the file is called now.
            descriptor: Of the file.
            read_at: Reads the lines at a place, where they are not what stands in the file.
            from_start: Begin anew; lines that were stored get the ids that they had.

        Raises:
            OSError: The checkpoint cannot be read or written, or another process has it.
        """
        status = os.fstat(descriptor)
        path = self._path(status)
        if not self.claim(status):  # not seen at the start: the file came to its name since
            raise BlockingIOError(f"{name}: another run goes on with its checkpoint {path}")
        found, note = load(path)
        read = read_at or partial(_pread, descriptor)
        if found is not None:
            size = None if read_at else status.st_size
            ranges = self.ranges(status)
            changed = next(
                (what for one in (found, *ranges.of(found)) if (what := _what_changed(one, read, size))), ""
            )
            if changed or from_start:
                ranges.forget()
            if not changed:
                found.name = clean_text(name)
                grown = _measure_head(found, read)
                if from_start:
                    found.offset = found.lines = found.last_start = found.tail_length = 0
                    found.tail = ""
                if grown or from_start:
                    save(path, found)
                mark = Mark(found.offset, found.lines)
                return Checkpoint(path, found, mark, mark, note and f"{name}: {note}")
            note = f"{name}: {changed}; it is read from its beginning"
        elif path.exists():
            kept = path.rename(corrupt_name(path))
            note = (
                f"{name}: its checkpoint {path} cannot be read and is kept as {kept}; the file is read from "
                "its beginning, and lines of it may be stored once more"
            )
        generation = found.generation + 1 if found is not None else 0
        saved = _begin(path, name, read, status.st_ino, generation)
        return Checkpoint(path, saved, Mark(), Mark(), note)

    def keep_head(self, checkpoint: Checkpoint, read_at: ReadAt) -> None:
        """Save what the file begins with, if that has grown: the file is known by it.

        Before the first event of a line that is not settled yet. Else the next run might take for this file
        what has come in its place, and give the ids of these lines to those.

        Args:
            checkpoint: Of the file.
            read_at: Reads the lines at a place.

        Raises:
            OSError: It cannot be written.
        """
        with self._saving:
            if checkpoint.saved.head_length < _HEAD and _measure_head(checkpoint.saved, read_at):
                save(checkpoint.path, checkpoint.saved)

    def begin_anew(self, checkpoint: Checkpoint, descriptor: int, read_at: ReadAt) -> None:
        """Save that the content of a file is gone: the lines that come in its place have ids of their own.

        Args:
            checkpoint: Of what is gone; it is settled no more.
            descriptor: Of the file.
            read_at: Reads the lines at a place.

        Raises:
            OSError: It cannot be written.
        """
        with self._saving:
            before = checkpoint.saved
            _begin(checkpoint.path, before.name, read_at, os.fstat(descriptor).st_ino, before.generation + 1)

    def settle(self, checkpoint: Checkpoint, mark: Mark) -> None:
        """Note that everything before ``mark`` is settled.

        Raises:
            OSError: It cannot be written.
        """
        saved, last = checkpoint.saved, mark.last
        tail = last[-_TAIL:]
        with self._saving:
            saved.offset, saved.lines = mark.offset, mark.lines
            saved.last_start = mark.offset if last.endswith(b"\n") else mark.offset - len(last)
            saved.tail_length, saved.tail = len(tail), digest(tail)
            save(checkpoint.path, saved)
        checkpoint.settled = mark


def _pread(descriptor: int, length: int, offset: int) -> bytes:
    return os.pread(descriptor, length, offset)


def _what_changed(saved: Saved, read: ReadAt, size: int | None) -> str:
    """Why this is not the file that the checkpoint is about; empty if it is."""
    if size is not None and size < saved.offset:
        return f"it was truncated to {size:,} bytes, of which {saved.offset:,} had been stored"
    if digest(read(saved.head_length, 0)) != saved.head:
        return "it is another file than the one read before, or was rewritten"
    tail = read(saved.tail_length, saved.offset - saved.tail_length) if saved.tail_length else b""
    if digest(tail) != saved.tail:
        return "it was rewritten since it was read"
    return ""


def _begin(path: Path, name: str, read: ReadAt, inode: int, generation: int) -> Saved:
    """Save that nothing of a file is stored; before the first event, for ids depend on what stands there."""
    token = _token(read, inode, generation)
    saved = Saved(VERSION, clean_text(name), time.time_ns() // _MS, generation, token, 0, "", 0, 0, 0, 0, "")
    _measure_head(saved, read)
    save(path, saved)
    return saved


def _measure_head(saved: Saved, read: ReadAt) -> bool:
    """Note what the file begins with; whether that is more than before."""
    head, before = read(_HEAD, 0), saved.head_length
    saved.head_length, saved.head = len(head), digest(head)
    return len(head) > before


def _token(read: ReadAt, inode: int, generation: int) -> str:
    """A number for this file, which it keeps while it grows."""
    first_line = read(_HEAD, 0).split(b"\n", 1)[0]
    seed = b"%d %d " % (inode, generation) + first_line
    return blake2b(seed, digest_size=9).hexdigest()
