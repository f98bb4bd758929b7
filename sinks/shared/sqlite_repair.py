"""The damaged log of a SQLite database is put right before SQLite opens it.

SQLite reads a log up to the first damage, and deletes the rest when it has moved the beginning into the
database: transactions that were committed are gone silently. So the log is checked before a database is
opened (:func:`repair_log`). A log in use by another connection is left alone: that one has read it already.

The new log has the frames of the damaged one with checksums made anew, without those whose checksums do not
suffice to repair them. That costs nothing where the same page was written once more behind the damage; where
it was not, the log can only be cut off before it.

Source: SQLite documentation, "WAL-mode File Format" and "File Locking And Concurrency".
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from logweir.sinks.shared.write_ahead_log import Frame, Log, checksum, log_path, read_log

__all__ = ["Repair", "corrupt_name", "log_damage", "repair_log"]

#: The bytes of a database on which SQLite locks: a new connection takes the first for a moment, and each one
#: to a database in WAL mode has one of the others for as long as it lives.
_PENDING, _SHARED, _SHARED_SIZE = 0x40000000, 0x40000002, 510
_MAGIC, _VERSION, _ORDER = 0x377F0683, 3_007_000, ">"
_USUAL_PAGE = 4096
_PAGES = {2**power for power in range(9, 17)}


@dataclass(frozen=True, slots=True)
class Repair:
    """What was done about a damaged log.

    Attributes:
        damage: What is wrong with it.
        lost: Pages of committed transactions that cannot be kept.
        quarantined: Where the damaged log is kept for a human; None if it was left as it is.
    """

    damage: str
    lost: int
    quarantined: Path | None

    def __str__(self) -> str:
        fate = f"{self.lost} pages of it are lost" if self.lost else "all of it was kept"
        return f"{self.damage}; {fate}, and it was quarantined as {self.quarantined}"


def corrupt_name(database: Path) -> Path:
    """The name under which a damaged database, with what stands beside it, is kept for a human."""
    time = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return Path(f"{database}.corrupt-{time}")


def log_damage(database: Path) -> str:
    """What is wrong with the log of a database, as it looks without a lock; empty when nothing is.

    Raises:
        OSError: It cannot be read.
    """
    size = _page_size(database)
    return read_log(database, size).damage if size else ""


def repair_log(database: Path, *, cut: bool) -> Repair | None:
    """Put the log of a database right, unless somebody has that open; None where nothing is to be done.

    Blocks. The caller's process must not open the database meanwhile.

    Args:
        database: The database.
        cut: Whether what cannot be put right is cut off; otherwise such a log is left as it is.

    Raises:
        OSError: It cannot be read or written.
    """
    if not log_damage(database):
        return None
    size = _page_size(database)
    with _alone(database) as alone:
        log = read_log(database, size) if alone else Log()
        if not log.damage:
            return None
        end = _whole_end(log.frames)
        lost = len(log.frames) - end
        if lost and not cut:
            return Repair(log.damage, lost, None)
        return Repair(log.damage, lost, _exchange(database, _encoded(log.frames[:end], log.salts, size)))


def _page_size(database: Path) -> int:
    """The size of pages that the log says; 0 without a log."""
    with suppress(FileNotFoundError, NotADirectoryError), log_path(database).open("rb") as file:
        head = file.read(12)
        size = int.from_bytes(head[8:])
        return (size if size in _PAGES else _USUAL_PAGE) if head else 0
    return 0


def _whole_end(frames: Sequence[Frame]) -> int:
    """The last end of a transaction at which the newest image of each page is whole."""
    damaged = set[int]()
    end = 0
    for number, frame in enumerate(frames, 1):
        if not frame.sound:
            damaged.add(frame.page)
            continue
        damaged.discard(frame.page)
        if frame.pages and not damaged:
            end = number
    return end


def _encoded(frames: Sequence[Frame], salts: bytes, page_size: int) -> bytes:
    head = struct.pack(">4I", _MAGIC, _VERSION, page_size, 0) + salts
    last = checksum(head, (0, 0), _ORDER)
    parts = [head, struct.pack(">2I", *last)]
    for frame in (frame for frame in frames if frame.sound):
        numbers = struct.pack(">2I", frame.page, frame.pages)
        last = checksum(numbers + frame.image, last, _ORDER)
        parts += [numbers, salts, struct.pack(">2I", *last), frame.image]
    return b"".join(parts)


def _exchange(database: Path, content: bytes) -> Path:
    """Put a new log in the place of the damaged one, which is kept under the name that is returned."""
    log = log_path(database)
    mode = log.stat().st_mode & 0o777
    kept = log_path(corrupt_name(database))
    _write(kept, log.read_bytes(), mode)
    draft = Path(f"{log}.draft")
    _write(draft, content, mode)
    draft.replace(log)
    folder = os.open(database.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return kept


def _write(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)


@contextmanager
def _alone(database: Path) -> Iterator[bool]:
    """Keep others from opening a database; False if somebody has it open."""
    if _is_open_here(database):
        yield False
        return
    descriptor = os.open(database, os.O_RDWR | os.O_CLOEXEC)
    try:
        yield _lock(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        for start, length in ((_PENDING, 1), (_SHARED, _SHARED_SIZE)):
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, length, start)
    except (BlockingIOError, PermissionError):  # the system may say either
        return False
    return True


def _is_open_here(database: Path) -> bool:
    """Whether this process has it open: closing it once more would give up the locks of SQLite."""
    wanted = database.stat()
    for entry in Path("/dev/fd").iterdir():
        with suppress(OSError):
            status = os.fstat(int(entry.name))
            if (status.st_dev, status.st_ino) == (wanted.st_dev, wanted.st_ino):
                return True
    return False
