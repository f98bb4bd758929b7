"""The counts of several processes in one directory, so that any of them can answer for all.

::

    4711-9f3a2c1e.counts    what one process has counted, replaced about once a second
    4711-9f3a2c1e.lock      locked while that process lives
    ended.json              the counts of all that ended, and the names of files that are in them already
    group.lock              locked while somebody reads what all have counted

A process that ends, or is killed, leaves its file. Whoever reads next adds it to those that ended: first
their sum is replaced, which also names the file, then the file is deleted, so that a reader who dies in
between counts nothing twice. Whoever answers writes its own counts down before; so no answer shows what the
next one, after a ``kill -9``, does not know. When nobody has lived for a minute, the counts begin anew.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from logweir.delivery.spool.ownership import FileLock
from logweir.diagnostics import report, say
from logweir.errors import LogweirError
from logweir.process import fork
from logweir.process.fork import Stage
from logweir.telemetry.model import Metrics
from logweir.telemetry.summing import NOTHING, counts_of, document_of, picture_of, states_of, summed

__all__ = ["SharedCounts", "give_back", "take"]

#: Seconds to wait for another process that reads; it needs milliseconds.
_PATIENCE = 2.0
_PAUSE = 0.002
#: Seconds without a living process after which the counts begin anew.
_FORGOTTEN_AFTER = 60.0

# Held while files are open or the group is locked, so that a fork copies nothing half done.
_busy = threading.RLock()
#: What a fork's child must give up: it may take it itself when the parent has ended.
_taken: set[FileLock] = set()


class SharedCounts:
    """This process among those that count into one directory.

    Args:
        directory: The directory, on a local file system.
        read: What this process has counted up to now.
    """

    def __init__(self, directory: Path, read: Callable[[], Metrics]) -> None:
        self._directory = directory
        self._read = read
        self._own: FileLock | None = None
        self._written = ""
        self._readings = 0
        self._ended = self._failing = False
        fork.install()

    def publish(self) -> None:
        """Write down what this process has counted, if that has changed; reports what fails."""
        self._write_down(self._read)

    def all(self, read: Callable[[], Metrics]) -> Metrics:
        """What all have counted.

        Args:
            read: What this process has counted; called again where another thread wrote down a newer count.

        Raises:
            LogweirError: Another process keeps the group locked.
        """
        here, is_known = self._write_down(read)
        if not is_known:
            return here
        with _busy, self._alone():
            others, ended = self._living_and_ended()
            mine = states_of(here) if self._ended else here
        return summed([mine, *others.values()], ended)

    def each(self, read: Callable[[], Metrics]) -> dict[int, Metrics]:
        """What each that lives has counted, by its process id; this process is the first.

        Args:
            read: As for :meth:`all`.

        Raises:
            LogweirError: Another process keeps the group locked.
        """
        here, is_known = self._write_down(read)
        if not is_known:
            return {os.getpid(): here}
        with _busy, self._alone():
            others, _ = self._living_and_ended()
        return {os.getpid(): here, **others}

    def end(self) -> None:
        """Leave the last counts to those who go on; idempotent.

        Whoever asked before, and is answered only now, still learns what all have counted.
        """
        try:
            self._write_down(self._read)
        except LogweirError as error:
            report("metrics.end", "what this process counted is in no metrics any more: %s", error)
        with _busy:
            self._ended = True
            self._leave()

    def _write_down(self, read: Callable[[], Metrics]) -> tuple[Metrics, bool]:
        """Read, and write that down; whether the others know it, or what came after it.

        No reading replaces a newer one: counts would fall for whoever asks another process next.
        """
        while True:
            before = self._readings
            here = read()  # not under the lock, for it takes others
            with _busy:
                if self._readings == before:
                    self._readings += 1
                    return here, self._ended or self._publish(here)

    def _publish(self, here: Metrics) -> bool:
        try:
            own = self._own = self._own or self._join()
            text = json.dumps(document_of(here))
            if text != self._written:
                _replace(own.database, text)
                self._written = text
            else:
                os.utime(own.database)  # a sign of life
        except OSError as error:
            self._leave()
            if not self._failing:  # once: it is tried again each second
                self._failing = True
                say(
                    logging.WARNING,
                    "metrics are those of this process alone: %s cannot be written (%s)",
                    self._directory,
                    error.strerror or error,
                )
            return False
        self._failing = False
        return True

    def _join(self) -> FileLock:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._alone():
            self._forget_what_is_old()
            self._living_and_ended()  # files do not pile up where nobody ever asks
            while (own := take(self._directory / f"{os.getpid()}-{secrets.token_hex(4)}.counts")) is None:
                pass
            return own

    def _leave(self) -> None:
        own, self._own, self._written = self._own, None, ""
        if own is not None:
            give_back(own)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        deadline = time.monotonic() + _PATIENCE
        while (lock := take(self._directory / "group")) is None:
            if time.monotonic() > deadline:
                raise LogweirError(
                    f"{self._directory / 'group.lock'} is held by a process that does not go on"
                )
            time.sleep(_PAUSE)
        try:
            yield
        finally:
            give_back(lock)

    def _living_and_ended(self) -> tuple[dict[int, Metrics], Metrics]:
        dead: list[FileLock] = []
        try:
            return self._living(dead), self._added_to_ended(dead)
        finally:  # who keeps the lock of one that is dead makes it one of the living
            for lock in dead:
                give_back(lock)

    def _living(self, dead: list[FileLock]) -> dict[int, Metrics]:
        """What the others have counted that live; ``dead`` gets the locks of those that do not."""
        living: dict[int, Metrics] = {}
        for path in sorted({found.with_suffix(".counts") for found in self._directory.glob("*-*.*")}):
            lock = take(path)
            if lock is not None:
                dead.append(lock)
            elif self._own is None or path != self._own.database:
                living |= {int(path.name.partition("-")[0]): picture for picture in _pictures(path)}
        return living

    def _added_to_ended(self, dead: list[FileLock]) -> Metrics:
        """What all have counted that ended, with these; their files are gone then."""
        ended, added = self._read_ended()
        new = [lock.database for lock in dead if lock.database.name not in added and lock.database.exists()]
        if new:
            ended = counts_of([ended, *(picture for path in new for picture in _pictures(path))])
            for name in added:  # whose names the next line forgets
                (self._directory / name).unlink(missing_ok=True)
            self._write_ended(ended, [path.name for path in new])
        for lock in dead:
            lock.database.unlink(missing_ok=True)
        return ended

    def _read_ended(self) -> tuple[Metrics, list[str]]:
        path = self._directory / "ended.json"
        with suppress(FileNotFoundError):
            try:
                document = json.loads(path.read_text())
                return picture_of(document["counts"]), list(document["added"])
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                report("metrics.ended", "the counts of processes that ended are lost: %s: %r", path, error)
        return NOTHING, []

    def _write_ended(self, counts: Metrics, added: list[str]) -> None:
        _replace(self._directory / "ended.json", json.dumps({"counts": document_of(counts), "added": added}))

    def _forget_what_is_old(self) -> None:
        files = [*self._directory.glob("*.counts"), *self._directory.glob("ended.json")]
        times = []
        for path in files:
            with suppress(FileNotFoundError):
                times.append(path.stat().st_mtime)
        if times and time.time() - max(times) > _FORGOTTEN_AFTER and not self._anybody():
            for path in files:
                path.unlink(missing_ok=True)

    def _anybody(self) -> bool:
        for path in self._directory.glob("*.counts"):
            lock = take(path)
            if lock is None:
                return True
            give_back(lock)
        return False


def take(path: Path) -> FileLock | None:
    """Take a lock that no fork's child keeps from being taken; None while somebody has it.

    Raises:
        OSError: The directory cannot be made or written.
    """
    with _busy:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock.take(path)
        if lock is not None:
            _taken.add(lock)
        return lock


def give_back(lock: FileLock) -> None:
    """Let others take it."""
    with _busy:
        lock.release()
        _taken.discard(lock)


def _pictures(path: Path) -> list[Metrics]:
    """The picture in a file; none if there is no such file, or if it is damaged."""
    with suppress(FileNotFoundError):
        try:
            return [picture_of(json.loads(path.read_text()))]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            report("metrics.damaged", "the counts of a process are lost: %s: %r", path, error)
    return []


def _replace(path: Path, text: str) -> None:
    unfinished = path.with_suffix(".new")
    unfinished.write_text(text)
    unfinished.replace(path)


def _after_fork_in_parent() -> None:
    _busy.release()


def _after_fork_in_child() -> None:
    global _busy  # noqa: PLW0603 - a lock must not be shared with another process
    _busy = threading.RLock()
    for lock in _taken:
        lock.disown()
    _taken.clear()


fork.register(
    Stage.METRICS_FILES,
    before=lambda: _busy.acquire(),  # noqa: PLW0108 - the lock of the moment
    in_parent=_after_fork_in_parent,
    in_child=_after_fork_in_child,
)
