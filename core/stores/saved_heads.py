"""Saved heads: files with the ends of audit chains, kept away from the database.

A chain proves its rows up to its head, and whoever may write to the database may cut off its end and move
the head back. What was written to a file elsewhere before that shows it. The file has one JSON object a
line: what it is about, then one for each head, and in the end how many there are and the SHA-256 of all lines
before, so that a file that was cut off or changed is none. Files of before (format 1) have no such end.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path

import msgspec

from logweir.errors import LogweirError
from logweir.process.threads import in_thread
from logweir.sinks.tamper_evidence import Chained, Finding, Head, Trouble

__all__ = [
    "SavedHeads",
    "SavedHeadsError",
    "lost_since",
    "open_saved_heads",
    "sink_of",
    "write_saved_heads",
]

_FORMAT = "logweir audit heads 2"
_UNCOUNTED = "logweir audit heads 1"
#: Heads that are read at once.
_STEP = 1000


class SavedHeadsError(LogweirError):
    """A file of heads cannot be used."""


class _About(msgspec.Struct, forbid_unknown_fields=True):
    format: str
    sink: str
    saved: str
    table: str = ""


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    writer: str
    seq: int
    hash: str


class _End(msgspec.Struct, forbid_unknown_fields=True):
    heads: int
    sha256: str


@dataclass(frozen=True, slots=True)
class SavedHeads:
    """A file of heads, which was found to be whole.

    Attributes:
        path: The file.
        saved: When it was written.
        table_id: The id of the table then; empty if it had none.
        count: How many heads it has.
        is_counted: Whether it says so itself; files of before do not.
    """

    path: Path
    saved: str
    table_id: str
    count: int
    is_counted: bool

    def pages(self) -> Iterator[list[Head]]:
        """Yield the heads, some at a time.

        Raises:
            SavedHeadsError: It cannot be read.
        """
        with _reading(self.path), self.path.open("rb") as file:
            lines = islice(file, 1, self.count + 1)
            while page := [msgspec.json.decode(line, type=_Line) for line in islice(lines, _STEP)]:
                yield [Head(line.writer, line.seq, line.hash) for line in page]


async def write_saved_heads(path: Path, sink: str, table_id: str, heads: AsyncIterator[Head]) -> int:
    """Write heads to a file, which is replaced only when all are there; return how many.

    Raises:
        OSError: The file cannot be written.
    """
    about = _About(_FORMAT, sink, datetime.now(UTC).isoformat(), table_id)
    file = await in_thread(lambda: _Unfinished(path))
    count, lines = 0, [msgspec.json.encode(about)]
    try:
        async for head in heads:
            lines.append(msgspec.json.encode(_Line(head.writer, head.seq, head.hash)))
            count += 1
            if len(lines) >= _STEP:
                await in_thread(partial(file.write, lines))
                lines = []
        await in_thread(partial(file.write, lines))
        await in_thread(partial(file.finish, count))
    except BaseException:
        await in_thread(file.abandon)
        raise
    return count


class _Unfinished:
    """A file beside the one that it replaces in the end; a pipe or a device is written itself, and stays.

    Args:
        path: The file; a link to it stays one.

    Raises:
        OSError: It cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._replaced = path.resolve()
        self._itself: Path | None = None
        if path.exists() and not path.is_file():
            self._file = path.open("wb")
        else:
            folder, name = self._replaced.parent, self._replaced.name
            descriptor, beside = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
            self._file = os.fdopen(descriptor, "wb")
            self._itself = Path(beside)
        self._hash = sha256()

    def write(self, lines: Iterable[bytes]) -> None:
        data = b"".join(line + b"\n" for line in lines)
        self._hash.update(data)
        self._file.write(data)

    def finish(self, count: int) -> None:
        self._file.write(msgspec.json.encode(_End(count, self._hash.hexdigest())) + b"\n")
        self._file.flush()
        if self._itself is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._itself.replace(self._replaced)
        self._file.close()

    def abandon(self) -> None:
        with suppress(OSError):  # what is left to be written does not fit either
            self._file.close()
        if self._itself is not None:
            self._itself.unlink(missing_ok=True)


def open_saved_heads(path: Path, sink: str) -> SavedHeads:
    """Read a file of heads once, to see that it is whole.

    Raises:
        SavedHeadsError: It cannot be read, was cut off or changed, or is about another sink.
    """
    with _reading(path), path.open("rb") as file:
        first = file.readline()
        about = msgspec.json.decode(first, type=_About)
        if about.format not in {_FORMAT, _UNCOUNTED}:
            raise SavedHeadsError(f"{path}: it is no file of heads that this logweir knows")
        if about.sink != sink:
            raise SavedHeadsError(f"{path}: it has the heads of sink {about.sink!r}, not of {sink!r}")
        is_counted = about.format == _FORMAT
        count, last = 0, b""
        seen = sha256(first)
        for line in file:
            if last:
                seen.update(last)
                count += 1
            last = line
        if is_counted and not _is_end(last, count, seen.hexdigest()):
            raise SavedHeadsError(f"{path}: its end is missing or does not fit: it was cut off or changed")
        if not is_counted:
            count += bool(last)
            if count == 0:
                raise SavedHeadsError(f"{path}: it has no heads: it was cut off")
    return SavedHeads(path, about.saved, about.table, count, is_counted)


def sink_of(path: Path) -> str:
    """Return the sink that a file of heads is about.

    Raises:
        SavedHeadsError: It cannot be read.
    """
    with _reading(path), path.open("rb") as file:
        return msgspec.json.decode(file.readline(), type=_About).sink


async def lost_since(saved: SavedHeads, sink: Chained) -> AsyncIterator[Finding]:
    """Yield what is in a file of heads and is no longer in the chains of an open sink."""
    if saved.table_id and saved.table_id not in {epoch.table_id for epoch in sink.epochs()}:
        detail = f"{saved.path} is of a table with another id: this one was made anew, or is another"
        yield Finding(Trouble.CHANGED, detail)
    pages = saved.pages()
    while heads := await in_thread(lambda: next(pages, None)):
        async for finding in sink.compare(heads):
            yield finding


def _is_end(line: bytes, count: int, digest: str) -> bool:
    try:
        return msgspec.json.decode(line, type=_End) == _End(count, digest)
    except ValueError:
        return False


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SavedHeadsError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:  # no JSON, not of this form, or no UTF-8
        raise SavedHeadsError(f"{path}: it is no file of heads: {error}") from None
