"""The file of a SQLite database: made with its permissions, and watched, for it can be taken away.

SQLite goes on with a file that was removed, moved or replaced: whoever has it open writes into one that has
no name any more. So what was committed counts only if the path still names the file that was opened. The log
of its transactions (``-wal``) belongs to it: without that, what was committed last is not in the file.
"""

from __future__ import annotations

import contextlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.engine import URL

from logweir.diagnostics import report
from logweir.errors import SinkUnavailable
from logweir.sinks.shared.permissions import make_folder, open_file
from logweir.sinks.shared.sqlite_reading import read_only_options
from logweir.sinks.shared.sqlite_repair import log_damage, repair_log
from logweir.sinks.tamper_evidence import StoreMissing

__all__ = ["Place", "SqliteFile", "read_only_url"]

_Identity = tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Place:
    """What stands where a database is: the device and the number of each file, None where there is none.

    Attributes:
        database: The file.
        log: The log of its transactions.
    """

    database: _Identity
    log: _Identity

    def holds(self, now: Place) -> bool:
        """Whether what was there is there now; a log may have come since."""
        return self.database == now.database and self.log in {None, now.log}


class SqliteFile:
    """Where a SQLite database is.

    Args:
        path: The file.
        mode: The permissions of a new one.
    """

    def __init__(self, path: Path, mode: int) -> None:
        self.path = path
        self._mode = mode

    def make(self) -> None:
        """Make the file and its folder; those that are there stay as they are.

        Raises:
            SinkUnavailable: They cannot be made.
        """
        if self.path.exists():
            return
        try:
            make_folder(self.path.parent, self._mode)
            # SQLite gives the log of the transactions the permissions of the file that it finds.
            os.close(open_file(self.path, self._mode))
        except OSError as error:
            raise SinkUnavailable(f"{self.path} cannot be made: {error.strerror}") from None

    def repair(self) -> None:
        """Put right a log that was damaged while nobody had the file open; what cannot be kept is reported.

        Raises:
            SinkUnavailable: It cannot be read or written.
        """
        try:
            damage: object = log_damage(self.path)
            if damage and os.access(self.path, os.W_OK, effective_ids=True):
                damage = repair_log(self.path, cut=True)
        except OSError as error:
            raise SinkUnavailable(f"the log of {self.path} cannot be looked at: {error.strerror}") from None
        if damage:
            report(f"{self.path}.damage", "the database %s: %s", self.path, damage, level=logging.ERROR)

    def look(self) -> Place:
        """Return what is there now."""
        return Place(_identity(self.path), _identity(self.path.with_name(f"{self.path.name}-wal")))


def read_only_url(url: URL) -> URL:
    """Return the URL by which a file is opened without the right to change it.

    Raises:
        StoreMissing: The file is not there.
    """
    if str(url.database).startswith("file:"):
        return url
    path = Path(str(url.database))
    if not path.exists():
        raise StoreMissing(f"{path} does not exist; nothing was stored yet, or the path is another one")
    return url.set(database=f"file:{quote(str(path))}", query={**read_only_options(path), "uri": "true"})


def _identity(path: Path) -> _Identity:
    with contextlib.suppress(OSError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return None
