"""The file sink: each batch is appended in one piece, whole lines only, whoever else writes to the file.

Processes (and the threads of one) take turns by a lock beside the file; each looks, when it is its turn,
whether another has rotated the file away, and whether a crash has left an unfinished line at its end,
which then gets a line of its own. A write that fails half-way is taken back.

A batch that is sent again is not stored again: the sink remembers the ids of the last 50,000 events
that it wrote, and at opening those in the last four megabytes of the file and of the rotated ones. Beyond
that, and across processes that write to one file at once, an event whose answer was lost may stand in the
file twice; searching yields it once.

A path may be a symbolic link: what it names is written, locked and rotated, and the link stays.

Of the files of a template only those that were written to last are open. The others are opened anew when
their next batch comes; what is known of them stays.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from logweir.diagnostics import report
from logweir.encoding.events import encode_event, encode_lines
from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.process.pacing import in_slices_of_thread
from logweir.sinks.contract import Query, SinkContext, SyncSink
from logweir.sinks.file.cleanup import Cleanup
from logweir.sinks.file.config import FileConfig
from logweir.sinks.file.open_files import OpenFiles
from logweir.sinks.file.reading import Reader, files_of, latest_ids
from logweir.sinks.file.recent_ids import RecentIds
from logweir.sinks.file.rotation import is_due, put_aside, rotated_files
from logweir.sinks.results import Health, HealthStatus, WriteResult
from logweir.sinks.shared.destinations import Template
from logweir.sinks.shared.permissions import make_folder, open_file

__all__ = ["FileSink"]

_REMEMBERED_IDS = 50_000
_TAIL_BYTES = 4 << 20
#: Seconds that closing waits for rotated files to be compressed.
_CLEANUP_SECONDS = 2.0


class FileSink(SyncSink[FileConfig]):
    """Appends events to a file, one JSON object a line."""

    Config = FileConfig
    scans = True

    def __init__(self, config: FileConfig, context: SinkContext | None = None) -> None:
        super().__init__(config, context)
        self._mode = int(config.mode, 8)
        self._place(config.path)
        self._turn = threading.Lock()
        self._file: int | None = None
        self._lock_file: int | None = None
        self._is_resting = False
        self._open_files = OpenFiles()
        self._recent = RecentIds(_REMEMBERED_IDS)
        self._reader = Reader()
        self._owns_reader = True

    def _place(self, path: Path) -> None:
        self._path = path
        self._cleanup = Cleanup(path, self.config.rotate, self._mode)

    # -- life ---------------------------------------------------------------------------------------

    def beside(self, config: FileConfig) -> FileSink:
        """Make a sink for another file, which shares what this one has read and the number of open files."""
        sink = FileSink(config, self.context)
        sink._reader, sink._owns_reader = self._reader, False
        sink._open_files = self._open_files
        return sink

    def open(self) -> None:
        """Make the folder, open the file, and learn what was written to it last.

        Raises:
            SinkUnavailable: The file cannot be opened.
        """
        with self._turn, _as_sink_errors(self._path):
            if self._file is not None or self._is_resting:
                return
            if self.context.read_only:
                self._open_to_read()
                return
            self._open_files.use(self)
            self._open_at(_real(self.config.path))
            self._recent.add(latest_ids(self._require_open(), self._path, _TAIL_BYTES))
        self._cleanup.begin()

    def close(self) -> None:
        """Close the file."""
        with self._turn:
            self._close_files()
            self._is_resting = False
        self._open_files.forget(self)
        if self._owns_reader:
            self._reader.close()
        self._cleanup.wait(_CLEANUP_SECONDS)

    def let_go(self) -> bool:
        """Close the file until the next batch; False if one is being written."""
        if not self._turn.acquire(blocking=False):
            return False
        try:
            self._is_resting = self._is_resting or self._file is not None
            self._close_files()
        finally:
            self._turn.release()
        return True

    def check(self) -> Health:
        """Say whether the file is open and how large it is."""
        try:
            with self._turn, _as_sink_errors(self._path):
                self._wake()
                size = os.fstat(self._require_open()).st_size
        except SinkUnavailable as error:
            return Health(HealthStatus.DOWN, str(error))
        return Health(HealthStatus.OK, f"{self._path}, {size:,} bytes")

    def _open_to_read(self) -> None:
        path = _real(self.config.path)
        if not path.exists() and not rotated_files(path):
            raise SinkUnavailable(
                f"{path} does not exist; nothing was stored yet, or the path is another one"
            )

    def _open_at(self, path: Path) -> None:
        """Open the file and its lock at a place that may be a new one; what is open there stays so."""
        if path.exists() and not path.is_file():
            raise SinkUnavailable(
                f"{path} is no regular file; name another one, or take a sink of type stdout"
            )
        if path != self._path:
            self._place(path)
            self._close_lock()
        make_folder(path.parent, self._mode)
        if self._lock_file is None:
            self._lock_file = open_file(path.parent / f".{path.name}.lock", self._mode)
        self._open_file()

    def _wake(self) -> None:
        """Open the file anew if it was closed for others to be open."""
        self._open_files.use(self)
        if self._is_resting:
            self._open_at(_real(self.config.path))
            self._is_resting = False

    def _close_files(self) -> None:
        for descriptor in (self._file, self._lock_file):
            if descriptor is not None:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        self._file = self._lock_file = None

    def _close_lock(self) -> None:
        descriptor, self._lock_file = self._lock_file, None
        if descriptor is not None:
            os.close(descriptor)

    def _open_file(self, like: os.stat_result | None = None) -> None:
        """Open the file, or open it anew; if that fails, the one that is open stays so.

        Args:
            like: The file whose place a new one takes.
        """
        before = self._file
        self._file = open_file(self._path, self._mode, like)
        if before is not None:
            os.close(before)
        if self.config.fsync:
            _sync_folder(self._path.parent)

    def _require_open(self) -> int:
        if self._file is None:
            raise SinkUnavailable("the sink is not open")
        return self._file

    # -- writing ------------------------------------------------------------------------------------

    def write(self, batch: Sequence[Event]) -> WriteResult:
        """Append a batch; see :meth:`SyncSink.write`."""
        with self._turn, _as_sink_errors(self._path):
            ids = {event.id for event in batch}
            data = b""
            if len(ids) == len(batch) and not self._recent.has_any(ids):
                with contextlib.suppress(TypeError, ValueError):  # which event it is will be found below
                    data = b"".join([encode_lines(part) for part in in_slices_of_thread(batch)])
            if not data:
                return self._write_each(batch)
            self._append(data)
            self._recent.add(ids)
        return WriteResult.all_stored()

    def _write_each(self, batch: Sequence[Event]) -> WriteResult:
        """Append a batch of which some may be known, or may not be JSON."""
        fresh: dict[str, bytes] = {}
        duplicate = set[int]()
        rejected = dict[int, str]()
        for index, event in enumerate(batch):
            if event.id in self._recent or event.id in fresh:
                duplicate.add(index)
                continue
            try:
                fresh[event.id] = encode_event(event)
            except (TypeError, ValueError) as error:
                rejected[index] = f"cannot be written as JSON: {type(error).__name__}"
        if fresh:
            self._append(b"\n".join([*fresh.values(), b""]))
            self._recent.add(fresh)
        return WriteResult(duplicate=frozenset(duplicate), rejected=rejected)

    def _append(self, data: bytes) -> None:
        """Write in one piece, or not at all."""
        self._wake()
        place = _real(self.config.path)
        if place != self._path:  # a symbolic link names another file now
            self._open_at(place)
        with self._alone():
            self._follow_rotation()
            self._rotate_if_due(len(data))
            descriptor = self._require_open()
            size = os.fstat(descriptor).st_size
            if self._ends_torn(size):
                data = b"\n" + data
            try:
                _write_all(descriptor, data)
                if self.config.fsync:
                    os.fsync(descriptor)
            except OSError:
                with contextlib.suppress(OSError):  # what remains is isolated by the next write
                    os.ftruncate(descriptor, size)
                raise

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes out."""
        if self._lock_file is None:
            raise SinkUnavailable("the sink is not open")
        fcntl.flock(self._lock_file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    def _follow_rotation(self) -> None:
        """Open the file anew if the one that is open was put aside, or removed, by somebody."""
        ours = os.fstat(self._require_open())
        try:
            there = self._path.stat()
        except FileNotFoundError:
            make_folder(self._path.parent, self._mode)
            self._open_file(like=ours)
        else:
            if (there.st_ino, there.st_dev) != (ours.st_ino, ours.st_dev):
                self._open_file()

    def _rotate_if_due(self, more: int) -> None:
        now = datetime.now(UTC)
        full = os.fstat(self._require_open())
        if is_due(self.config.rotate, full, more, now):
            put_aside(self._path, now)
            self._open_file(like=full)
            self._cleanup.begin()

    def _ends_torn(self, size: int) -> bool:
        """Whether somebody was killed in the middle of a line."""
        torn = size > 0 and os.pread(self._require_open(), 1, size - 1) != b"\n"
        if torn:
            report(
                f"{self._path}.torn",
                "%s ended in an unfinished line, which was given a line of its own",
                self._path,
            )
        return torn

    # -- reading ------------------------------------------------------------------------------------

    async def search(self, query: Query) -> AsyncIterator[Event]:
        """Yield the events that match, in order of time, out of the file and the rotated ones."""
        with _as_sink_errors(self._path):
            found = await asyncio.to_thread(lambda: self._reader.find(_real(self.config.path), query))
        for event in found:
            yield event

    async def known_destinations(self, options: FileConfig, template: Template) -> list[str]:
        """The files of a template that are there, or of which rotated ones are.

        Raises:
            SinkUnavailable: A folder cannot be read.
        """
        with _as_sink_errors(options.path):
            return await asyncio.to_thread(lambda: files_of(template))


def _real(path: Path) -> Path:
    """The file that a path names; links in a circle stay as they are, and cannot be opened."""
    return Path(os.path.realpath(path))


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_folder(folder: Path) -> None:
    """Make sure that the name of a new file outlasts a power cut too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _as_sink_errors(path: Path) -> Iterator[None]:
    """Turn what the disk says into what a worker understands."""
    try:
        yield
    except OSError as error:
        raise SinkUnavailable(f"{path}: {error.strerror or error}") from None
