"""The files of a queue directory: their names, who owns them, and what becomes of damaged ones.

::

    queues/4711-9f3a2c1e.db            one process's events, with SQLite's -wal and -shm beside it
    queues/4711-9f3a2c1e.lock          locked while that process lives
    queues/4711-9f3a2c1e.db.corrupt-…  a damaged file, quarantined for a human

Ownership is a POSIX record lock (``fcntl.lockf``) on the ``.lock`` file, held from before the database
is made until after it is gone. The kernel drops it when the process dies, however it dies; a fork's
child does not inherit it. The process number in the name is for humans: a reused number cannot be
mistaken, because names carry 32 random bits and only the lock decides.

Two properties of such locks shape the code. Closing *any* descriptor of a locked file gives the lock
up, so a process never opens the lock files that it holds. And a lock on a deleted file protects
nothing, so a lock counts only while its file is still the one in the directory.

The directory must be on a local file system: neither SQLite's WAL mode nor record locks are dependable
over NFS.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from logweir.delivery.quarantine import SUFFIXES, quarantine
from logweir.process import fork
from logweir.process.fork import Stage
from logweir.process.reentry import registered

__all__ = ["FileLock", "claim_new", "forget_after_fork", "orphans", "quarantine", "remove", "sync_directory"]

_HELD: set[Path] = set()
_INHERITED: set[Path] = set()
#: Two threads of one process would both get the same record lock.
_guard = registered(threading.RLock())


class FileLock:
    """The ownership of one queue file; held until :meth:`release`.

    Attributes:
        database: The queue file that it stands for.
    """

    def __init__(self, database: Path, descriptor: int) -> None:
        self.database = database
        self._descriptor = descriptor
        _HELD.add(database)

    @classmethod
    def take(cls, database: Path) -> FileLock | None:
        """Take the ownership of a queue file; None while somebody, also this process, has it.

        Raises:
            OSError: The lock file cannot be made or locked.
        """
        with _guard:
            return None if database in _HELD or database in _INHERITED else cls._take(database)

    @classmethod
    def _take(cls, database: Path) -> FileLock | None:
        path = _lock_path(database)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_same_file(descriptor, path):
                return cls(database, descriptor)
        except BlockingIOError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    def release(self) -> None:
        """Give the ownership up; a lock file without a database is removed. Idempotent."""
        with _guard:
            if self.database not in _HELD:
                return
            # Deleted while it is still locked: afterwards it could be another process's, just taken.
            if not self.database.exists():
                with suppress(OSError):
                    _lock_path(self.database).unlink()
            os.close(self._descriptor)
            _HELD.discard(self.database)

    def disown(self) -> None:
        """In a fork's child, let go of what is the parent's, but no database: to be taken when that ends."""
        with _guard:
            if self.database in _INHERITED:
                _INHERITED.discard(self.database)
                os.close(self._descriptor)


def claim_new(directory: Path) -> FileLock:
    """Make the directory if need be, and take the ownership of a new name in it.

    Raises:
        OSError: The directory cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    while True:
        lock = FileLock.take(directory / f"{os.getpid()}-{secrets.token_hex(4)}.db")
        if lock is not None:
            return lock


def orphans(directory: Path) -> Iterator[FileLock]:
    """Take the queue files whose processes are dead, one after the other; the caller releases each.

    Files that this process inherited open through a fork are left to others: SQLite cannot use a file
    on both sides of a fork.
    """
    with suppress(FileNotFoundError):
        for path in sorted([*directory.glob("*.db"), *directory.glob("*.lock")]):
            database = path.with_suffix(".db")
            with suppress(OSError):
                lock = FileLock.take(database)
                if lock is None:
                    continue
                if database.exists():
                    yield lock
                else:
                    lock.release()


def remove(database: Path) -> None:
    """Delete a queue file with all that SQLite keeps beside it."""
    for suffix in SUFFIXES:
        with suppress(FileNotFoundError):
            Path(f"{database}{suffix}").unlink()
    # Of the lines to workers, see delivery/elsewhere.
    for fifo in database.parent.glob(f"{database.stem}.*.settled"):
        fifo.unlink(missing_ok=True)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def forget_after_fork() -> None:
    """Own nothing in a fork's child: locks are not inherited, and open files are the parent's."""
    # Inherited, not free: the parent's lock may end at any time, and this process, which has the file open,
    # could then take it for an orphan's.
    global _guard  # noqa: PLW0603 - a lock must not be shared with another process
    _guard = registered(threading.RLock())
    _INHERITED.update(_HELD)
    _HELD.clear()


def _lock_path(database: Path) -> Path:
    return database.with_suffix(".lock")


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


fork.register(Stage.SPOOL_OWNERSHIP, in_child=forget_after_fork)
