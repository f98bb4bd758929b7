"""Saved heads: files with the ends of audit chains, kept away from the database.

A chain proves its rows up to its head, and whoever may write to the database may cut off its end and move
the head back. What was written to a file elsewhere before that shows it. The file has one JSON object a
line: what it is about, then one for each head.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path

import msgspec

from logweir.errors import LogweirError
from logweir.process.threads import in_thread
from logweir.sinks.tamper_evidence import Head

__all__ = ["SavedHeadsError", "read_saved_heads", "write_saved_heads"]

_FORMAT = "logweir audit heads 1"
#: Heads that are read at once.
_STEP = 1000


class SavedHeadsError(LogweirError):
    """A file of heads cannot be used."""


class _About(msgspec.Struct, forbid_unknown_fields=True):
    format: str
    sink: str
    saved: str


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    writer: str
    seq: int
    hash: str


async def write_saved_heads(path: Path, sink: str, heads: AsyncIterator[Head]) -> int:
    """Write heads to a file, which is replaced only when all are there; return how many.

    Raises:
        OSError: The file cannot be written.
    """
    about = _About(_FORMAT, sink, datetime.now(UTC).isoformat())
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
        await in_thread(file.finish)
    except BaseException:
        await in_thread(file.abandon)
        raise
    return count


class _Unfinished:
    """A file beside the one that it replaces in the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        descriptor, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
        self._file = os.fdopen(descriptor, "wb")
        self._itself = Path(name)

    def write(self, lines: Iterable[bytes]) -> None:
        self._file.writelines(line + b"\n" for line in lines)

    def finish(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._itself.replace(self._path)

    def abandon(self) -> None:
        self._file.close()
        self._itself.unlink(missing_ok=True)


def read_saved_heads(path: Path, sink: str) -> Iterator[list[Head]]:
    """Yield the heads in a file, some at a time.

    Raises:
        SavedHeadsError: It cannot be read, or is about another sink.
    """
    try:
        with path.open("rb") as file:
            about = msgspec.json.decode(file.readline(), type=_About)
            if about.format != _FORMAT:
                raise SavedHeadsError(f"{path}: it is no file of heads that this logweir knows")
            if about.sink != sink:
                raise SavedHeadsError(f"{path}: it has the heads of sink {about.sink!r}, not of {sink!r}")
            while lines := list(islice(file, _STEP)):
                read = (msgspec.json.decode(line, type=_Line) for line in lines)
                yield [Head(line.writer, line.seq, line.hash) for line in read]
    except OSError as error:
        raise SavedHeadsError(f"{path} cannot be read: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise SavedHeadsError(f"{path}: it is no file of heads: {error}") from None
