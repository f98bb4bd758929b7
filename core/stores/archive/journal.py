"""What this machine remembers of its retention: who is at it, what was left half done, and when it ran.

::

    data_dir/retention/audit_db.lock   held by the process that is at work on the sink
    data_dir/retention/audit_db.run    the files of a day are being written: to be removed if it was killed
    data_dir/retention/audit_db.done   when each rule of the sink was last done
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import msgspec

from logweir.delivery.spool.ownership import FileLock
from logweir.errors import LogweirError

__all__ = ["Busy", "Journal", "Unfinished"]

#: What a rule's time is compared with has a zone too.
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Busy(LogweirError):
    """Another process, or another thread, is at work on this sink."""


class Unfinished(msgspec.Struct, frozen=True):
    """Files that are being written.

    Attributes:
        url: The archive, as it is found from every directory.
        sink: The sink.
        day: The day.
        run: The run whose name the files bear.
    """

    url: str
    sink: str
    day: date
    run: str


class Journal:
    """What is remembered of one sink.

    Args:
        data_dir: The ``data_dir`` of routing.yaml.
        sink: The sink's name.
    """

    def __init__(self, data_dir: Path, sink: str) -> None:
        self._sink = sink
        self._base = data_dir / "retention" / sink.replace("/", "_")
        self._lock: FileLock | None = None

    def acquire(self) -> None:
        """Be the only one at work on the sink until :meth:`release`, or until this process dies.

        Raises:
            Busy: Somebody else is.
            OSError: The lock file cannot be made.
        """
        # A lock of the kernel, not a file that says "busy": it ends with the process, however that dies.
        self._base.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = FileLock.take(self._base.with_name(f"{self._base.name}.db"))
        if self._lock is None:
            raise Busy(f"another process is at work on the retention of sink {self._sink!r}")

    def release(self) -> None:
        """Let others be at work."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    # -- what is half done ----------------------------------------------------------------------------

    def begin(self, unfinished: Unfinished) -> None:
        """Note that files are about to be written."""
        # On disk before the first file is: a file that no note and no manifest names would stay for ever.
        self._write(".run", msgspec.json.encode(unfinished))

    def unfinished(self) -> Unfinished | None:
        """What was begun and not ended."""
        # What cannot be read was written by another version; its files stay, which loses nothing.
        data = self._read(".run")
        try:
            return None if data is None else msgspec.json.decode(data, type=Unfinished)
        except ValueError:
            return None

    def end(self) -> None:
        """Note that nothing is half done."""
        with suppress(FileNotFoundError):
            self._path(".run").unlink()

    # -- when it ran ------------------------------------------------------------------------------------

    def last_done(self) -> dict[str, datetime]:
        """When each rule was last done, by its kind (``all`` for every kind)."""
        # What cannot be read counts as never done; a rule that is done twice does no harm.
        data = self._read(".done")
        try:
            return {} if data is None else msgspec.json.decode(data, type=dict[str, _Moment])
        except ValueError:
            return {}

    def done(self, rule: str, moment: datetime) -> None:
        """Note when a rule was done."""
        self._write(".done", msgspec.json.encode({**self.last_done(), rule: moment}))

    # -- files --------------------------------------------------------------------------------------

    def _path(self, suffix: str) -> Path:
        return self._base.with_name(self._base.name + suffix)

    def _read(self, suffix: str) -> bytes | None:
        try:
            return self._path(suffix).read_bytes()
        except FileNotFoundError:
            return None

    def _write(self, suffix: str, data: bytes) -> None:
        path = self._path(suffix)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A rename is atomic, but only flushed data is sure to be behind the new name after a power cut.
        # The process id keeps apart two writers of `.done`, which is also written without the lock.
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
