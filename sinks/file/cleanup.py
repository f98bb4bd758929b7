"""Cleanup of rotated files in a thread of its own: compressing a large file takes longer than a write may."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

from logweir.diagnostics import report
from logweir.sinks.file.config import RotateConfig
from logweir.sinks.file.rotation import clean_up

__all__ = ["Cleanup"]


class Cleanup:
    """Compresses and deletes rotated files, one after the other.

    Args:
        path: The file whose rotated ones are compressed or deleted.
        config: What is kept and how.
        mode: The permissions of the lock file.
    """

    def __init__(self, path: Path, config: RotateConfig, mode: int = 0o600) -> None:
        self._mode = mode
        self._path = path
        self._config = config
        self._lock = threading.Lock()
        self._wanted = False
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Clean up soon; while the interpreter exits, leave it to the next opening."""
        with self._lock:
            self._wanted = True
            if self._thread is None or not self._thread.is_alive():
                thread = threading.Thread(target=self._work, name="logweir-cleanup", daemon=True)
                with contextlib.suppress(RuntimeError):
                    thread.start()
                    self._thread = thread

    def wait(self, timeout: float) -> bool:
        """Wait until all is done; False if it takes longer, and then the next opening takes it up again."""
        thread = self._thread
        if thread is None:
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def _work(self) -> None:
        while self._is_wanted():
            try:
                clean_up(self._path, self._config, self._mode)
            except OSError as error:
                report(
                    f"{self._path}.cleanup", "rotated files of %s were not cleaned up: %s", self._path, error
                )

    def _is_wanted(self) -> bool:
        """Whether another round was asked for; if not, the thread gives up its place under the same lock."""
        with self._lock:
            wanted, self._wanted = self._wanted, False
            if not wanted:
                self._thread = None
            return wanted
