"""The Parquet files of an archive: written, verified, and read a row group at a time.

Everything here blocks: asynchronous code calls it through threads, and steps through the readers with
:func:`in_steps`.
"""

from __future__ import annotations

import posixpath
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import suppress
from typing import TypeVar

from logweir.encoding.counted import counted
from logweir.errors import ArchiveError
from logweir.event import Event
from logweir.process.threads import in_thread
from logweir.stores.archive.manifest import ArchivedFile
from logweir.stores.archive.parquet import ContentHash, Writer, read_events, read_ids
from logweir.stores.archive.storage import Storage

__all__ = ["Part", "events_of", "ids_of", "in_steps", "verify"]

T = TypeVar("T")


class Part:
    """A file that is being written.

    Args:
        storage: Where it stands.
        folder: Its folder.
        name: Its name.
        group: Rows of a row group.

    Attributes:
        rows: How many rows it has up to now.
    """

    def __init__(self, storage: Storage, folder: str, name: str, group: int) -> None:
        self._storage = storage
        self._name = name
        self._new = storage.create(posixpath.join(folder, name))
        self._writer = Writer(self._new.file, group)
        self.rows = 0

    def write(self, events: Sequence[Event]) -> None:
        """Write the next events.

        Raises:
            ArchiveError: It cannot be written.
        """
        with self._storage.in_our_terms(self._new.path):
            self._writer.write(events)
        self.rows += len(events)

    def finish(self) -> ArchivedFile:
        """Complete the file.

        Raises:
            ArchiveError: It cannot be.
        """
        with self._storage.in_our_terms(self._new.path):
            self._writer.close()
        self._new.finish()
        content = self._writer.content
        return ArchivedFile(name=self._name, rows=content.rows, sha256=content.hexdigest())

    def abandon(self) -> None:
        """Take back what was written."""
        with suppress(Exception):
            self._writer.close()
        self._new.abandon()


def events_of(storage: Storage, folder: str, file: ArchivedFile) -> Generator[list[Event]]:
    """Yield the events of a file, a part of a row group at a time.

    Raises:
        ArchiveError: It cannot be read, or a row is not what was written.
    """
    path = posixpath.join(folder, file.name)
    with storage.open(path) as opened:
        yield from read_events(opened)


def ids_of(storage: Storage, folder: str, file: ArchivedFile) -> Generator[list[str]]:
    """Yield the ids of a file, a row group at a time.

    Raises:
        ArchiveError: It cannot be read.
    """
    with storage.open(posixpath.join(folder, file.name)) as opened:
        yield from read_ids(opened)


def verify(storage: Storage, folder: str, file: ArchivedFile) -> None:
    """Read all of a file and compare it with what was written.

    Raises:
        ArchiveError: It differs, or cannot be read.
    """
    place = storage.shown(posixpath.join(folder, file.name))
    content = ContentHash()
    try:
        for events in events_of(storage, folder, file):
            content.update(events)
    except ArchiveError as error:
        raise error if str(error).startswith(place) else ArchiveError(f"{place}: {error}") from None
    if (content.rows, content.hexdigest()) != (file.rows, file.sha256):
        raise ArchiveError(f"{place}: {counted(content.rows, 'row')} there, and {file.rows:,} were archived")


async def in_steps(items: Generator[T]) -> AsyncIterator[T]:
    """Step through a generator that blocks, each step in a thread."""
    try:
        while (item := await in_thread(lambda: next(items, None))) is not None:
            yield item
    finally:
        with suppress(ValueError):  # cancelled in the middle of a step, which goes on in its thread
            await in_thread(items.close)
