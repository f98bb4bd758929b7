"""The low-water mark of a run over files: a thread that lets checkpoints follow what is settled.

Again and again it notes up to where events were made, waits until everything accepted by then is settled,
and saves the place. Whoever reads stays within a distance of it: after a kill, so much is read again, and
sinks that know only the latest ids (files) still recognise all of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from logweir.stores.checkpoints import Checkpoint, Checkpoints

__all__ = ["LowWater", "Stalled"]

#: How far reading may be ahead of what is settled. The sink `file` knows the ids in the last 4 MiB of its
#: file, and an event takes some 200 bytes beside its line.
_LINES_AHEAD = 8_000
_BYTES_AHEAD = 1 << 20
#: Seconds between two checkpoints, if reading does not come to half of that first.
_INTERVAL = 0.25
#: Seconds that one look at the sinks takes at most.
_LOOK = 2.0


class Stalled(Exception):
    """Sinks have settled nothing for too long."""


class LowWater:
    """Saves checkpoints in a thread of its own.

    Args:
        checkpoints: Where they are saved.
        flush: Waits until everything accepted so far is settled; False if the seconds ran out.
        lost: Whether an event was dropped: no checkpoint passes it, so that the next run reads it again.
        settled: How often a sink has settled an event up to now.
        leaves: Whether the checkpoint of a complete file is left to others: whoever follows files for months
            comes by many.
        jobs: How many processes do this at the same time; each stays within its part of the distance, so that
            after a kill a sink still recognises what all of them had read.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        flush: Callable[[float], bool],
        lost: Callable[[], bool],
        settled: Callable[[], int],
        *,
        leaves: bool = False,
        jobs: int = 1,
    ) -> None:
        self._leaves = leaves
        self._checkpoints = checkpoints
        self._flush = flush
        self._lost = lost
        self._settled = settled
        self._followed: list[Checkpoint] = []
        self._error: OSError | None = None
        self._stopped = False
        self._frozen = False
        self._moved_at = time.monotonic()
        self._saving = threading.Lock()
        self._wake = threading.Event()
        self._room = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="logweir-checkpoints", daemon=True)
        self._lines = 0
        self._bytes = 0
        self._half_lines, self._half_bytes = _LINES_AHEAD // 2 // jobs, _BYTES_AHEAD // 2 // jobs
        self._due_lines, self._due_bytes = self._half_lines, self._half_bytes

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def follow(self, checkpoint: Checkpoint) -> None:
        """Save this one too; no more an earlier one of the same place, whose file is gone."""
        with self._saving, self._room:
            others = [other for other in self._followed if other.path != checkpoint.path]
            self._followed = [*others, checkpoint]

    def drop(self, checkpoint: Checkpoint) -> None:
        """Save this one no more: what it is about is gone, and its file is another's from now on."""
        with self._saving, self._room:
            self._followed = [other for other in self._followed if other is not checkpoint]

    def passed(self, lines: int, size: int) -> bool:
        """Note that so much was read; whether reading is so far ahead that it must wait (:meth:`wait`)."""
        self._lines += lines
        self._bytes += size
        if self._lines < self._due_lines and self._bytes < self._due_bytes:
            return False
        self._wake.set()
        return self._is_far_ahead()

    def wait(self, patience: float, ended: Callable[[], bool]) -> None:
        """Wait for room to go on.

        Raises:
            OSError: A checkpoint cannot be written.
            Stalled: Nothing was settled for ``patience`` seconds.
        """
        self._moved_at = max(self._moved_at, time.monotonic() - _INTERVAL)
        settled = self._settled()
        while self._is_far_ahead() and not ended():
            self._wake.set()
            with self._room:
                self._room.wait(0.1)
            if self._error is not None:
                raise self._error
            if time.monotonic() - self._moved_at > patience:
                before, settled = settled, self._settled()
                if settled == before:
                    raise Stalled
                self._moved_at = time.monotonic()

    def stop(self) -> None:
        """End the thread; what is settled from now on is saved by :meth:`finish`."""
        self._stopped = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def finish(self) -> None:
        """Everything read is stored, or safe on disk: save that.

        Raises:
            OSError: It cannot be written.
        """
        if self._error is not None:
            raise self._error
        if not self._lost():
            for checkpoint in self._followed:
                self._save(checkpoint)

    def _is_far_ahead(self) -> bool:
        if self._frozen:
            return False
        return (
            self._lines >= self._due_lines + self._half_lines
            or self._bytes >= self._due_bytes + self._half_bytes
        )

    def _run(self) -> None:
        while True:
            self._wake.wait(_INTERVAL)
            self._wake.clear()
            if self._stopped:
                return
            try:
                self._advance()
            except OSError as error:
                self._error = error
                return

    def _advance(self) -> None:
        # First the counts, then the marks, then the flush: each may only be behind the next.
        lines, size = self._lines, self._bytes
        followed = self._followed
        marks = [checkpoint.read for checkpoint in followed]
        if all(mark is checkpoint.settled for checkpoint, mark in zip(followed, marks, strict=True)):
            self._let_go_on(lines, size)
            return
        if not self._flush(_LOOK):
            return
        if self._lost():
            self._frozen = True
        else:
            with self._saving:
                for checkpoint, mark in zip(followed, marks, strict=True):
                    if mark is not checkpoint.settled and self._follows(checkpoint):
                        self._checkpoints.settle(checkpoint, mark)
            for checkpoint in followed:
                self._forget_if_done(checkpoint)
        self._let_go_on(lines, size)

    def _follows(self, checkpoint: Checkpoint) -> bool:
        return any(other is checkpoint for other in self._followed)

    def _forget_if_done(self, checkpoint: Checkpoint) -> None:
        if checkpoint.complete and checkpoint.read is checkpoint.settled:
            with self._room:
                self._followed = [other for other in self._followed if other is not checkpoint]
            if self._leaves:
                self._checkpoints.release(checkpoint)

    def _let_go_on(self, lines: int, size: int) -> None:
        self._moved_at = time.monotonic()
        self._due_lines, self._due_bytes = lines + self._half_lines, size + self._half_bytes
        with self._room:
            self._room.notify_all()

    def _save(self, checkpoint: Checkpoint) -> None:
        mark = checkpoint.read
        if mark is not checkpoint.settled:
            self._checkpoints.settle(checkpoint, mark)
