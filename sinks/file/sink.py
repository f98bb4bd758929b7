"""The file sink: each batch is appended in one piece, whole lines only, whoever else writes to the file.

Processes (and the threads of one) take turns by a lock beside the file; each looks, when it is its turn,
whether another has rotated the file away. What a crash left unfinished at the end is cut off from the
next line when the file is opened. A write that fails half-way is taken back.

A batch that is sent again is not stored again: the sink remembers the ids of the last 50,000 events
that it wrote, and at opening those in the last megabyte of the file. Beyond that, and across processes
that write to one file at once, an event whose answer was lost may stand in the file twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gzip
import heapq
import os
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from logweir.diagnostics import tell
from logweir.encoding import decode_event, encode_event
from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.results import Health, HealthStatus, WriteResult
from logweir.sinks.contract import Query, SinkContext, SyncSink
from logweir.sinks.file.config import FileConfig
from logweir.sinks.file.rotation import is_due, put_aside, rotated_files, tidy
from logweir.sinks.searching import matches

__all__ = ["FileSink"]

_REMEMBERED_IDS = 50_000
_TAIL_BYTES = 1 << 20
_OPTIONS = os.O_APPEND | os.O_CREAT | os.O_RDWR | os.O_CLOEXEC


class FileSink(SyncSink[FileConfig]):
    """Appends events to a file, one JSON object a line."""

    Config = FileConfig

    def __init__(self, config: FileConfig, context: SinkContext | None = None) -> None:
        super().__init__(config, context)
        self._path = config.path
        self._file: int | None = None
        self._lock_file: int | None = None
        self._turn = threading.Lock()
        self._recent: dict[str, None] = {}

    def open(self) -> None:
        """Make the folder, open the file, and mend its end.

        Raises:
            SinkUnavailable: The file cannot be opened.
        """
        with self._turn, _told(self._path):
            if self._file is not None:
                return
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock_file = os.open(self._path.parent / f".{self._path.name}.lock", _OPTIONS, 0o644)
            self._file = os.open(self._path, _OPTIONS, 0o644)
            with self._alone():
                self._follow_rotation()
                self._mend_end()
        self._tidy()

    def close(self) -> None:
        """Close the file."""
        with self._turn:
            for descriptor in (self._file, self._lock_file):
                if descriptor is not None:
                    os.close(descriptor)
            self._file = self._lock_file = None

    def check(self) -> Health:
        """Say whether the file can be written and how large it is."""
        try:
            with self._turn, _told(self._path):
                size = os.fstat(self._opened()).st_size
        except SinkUnavailable as error:
            return Health(HealthStatus.DOWN, str(error))
        return Health(HealthStatus.OK, f"{self._path}, {size:,} bytes")

    def write(self, batch: Sequence[Event]) -> WriteResult:
        """Append a batch; see :meth:`SyncSink.write`."""
        with self._turn, _told(self._path):
            fresh: dict[str, Event] = {}
            duplicate = set[int]()
            for index, event in enumerate(batch):
                if event.id in self._recent or event.id in fresh:
                    duplicate.add(index)
                else:
                    fresh[event.id] = event
            rotated = self._append(b"".join([encode_event(event) + b"\n" for event in fresh.values()]))
            self._remember(fresh)
        if rotated:
            self._tidy()
        return WriteResult(duplicate=frozenset(duplicate))

    def _append(self, data: bytes) -> bool:
        """Write in one piece, or not at all; whether the file was rotated before."""
        if not data:
            return False
        with self._alone():
            self._follow_rotation()
            status = os.fstat(self._opened())
            now = datetime.now(UTC)
            due = is_due(self.config.rotate, status, len(data), now)
            if due:
                put_aside(self._path, now)
                self._follow_rotation()
            size = os.fstat(self._opened()).st_size
            try:
                _write_all(self._opened(), data)
                if self.config.fsync:
                    os.fsync(self._opened())
            except OSError:
                os.ftruncate(self._opened(), size)
                raise
        return due

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes out."""
        assert self._lock_file is not None  # noqa: S101 - opened together with the file
        fcntl.flock(self._lock_file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    def _follow_rotation(self) -> None:
        """Open the file anew if the one that is open was put aside, or removed, by somebody."""
        ours = os.fstat(self._opened())
        try:
            there = self._path.stat()
        except FileNotFoundError:
            there = None
        if there is None or (there.st_ino, there.st_dev) != (ours.st_ino, ours.st_dev):
            os.close(self._opened())
            self._file = None
            self._file = os.open(self._path, _OPTIONS, 0o644)

    def _mend_end(self) -> None:
        """Cut off what a crash left unfinished, and learn the ids at the end."""
        descriptor = self._opened()
        size = os.fstat(descriptor).st_size
        tail = os.pread(descriptor, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
        if tail and not tail.endswith(b"\n"):
            _write_all(descriptor, b"\n")
            tell(
                f"{self._path}.torn",
                "%s ended in an unfinished line, which was cut off from what follows",
                self._path,
            )
        for event in _decoded(tail.split(b"\n")):
            self._recent[event.id] = None

    def _remember(self, ids: dict[str, Event]) -> None:
        self._recent.update(dict.fromkeys(ids))
        for event_id in list(self._recent)[: max(0, len(self._recent) - _REMEMBERED_IDS)]:
            del self._recent[event_id]

    def _tidy(self) -> None:
        try:
            tidy(self._path, self.config.rotate)
        except OSError as error:
            tell(f"{self._path}.tidy", "rotated files of %s were not tidied: %s", self._path, error)

    def _opened(self) -> int:
        if self._file is None:
            raise SinkUnavailable("the sink is not open")
        return self._file

    # -- reading ------------------------------------------------------------------------------------

    async def search(self, query: Query) -> AsyncIterator[Event]:
        """Yield the events that match, in order of time, out of the file and the rotated ones."""
        for event in await asyncio.to_thread(self._find, query):
            yield event

    def _find(self, query: Query) -> list[Event]:
        found = {event.id: event for event in self._read_all() if matches(event, query)}.values()
        limit = len(found) if query.limit is None else query.limit
        choose = heapq.nlargest if query.newest_first else heapq.nsmallest
        return choose(limit, found, key=lambda event: (event.time, event.id))

    def _read_all(self) -> Iterator[Event]:
        for path in [*rotated_files(self._path), self._path]:
            try:
                with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
                    yield from _decoded(lines)
            except (FileNotFoundError, EOFError):
                continue  # compressed or deleted by another process just now


def _decoded(lines: Iterator[bytes] | Sequence[bytes]) -> Iterator[Event]:
    """The events of these lines; a line that is none is passed over."""
    for line in lines:
        with contextlib.suppress(ValueError):
            yield decode_event(line)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Tell the worker in its own terms what the disk said."""
    try:
        yield
    except OSError as error:
        raise SinkUnavailable(f"{path}: {error.strerror or error}") from None
