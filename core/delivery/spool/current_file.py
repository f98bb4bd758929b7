"""The one file that a spool writes now: claimed, made, exchanged and let go.

A spool makes its file at its first put, under an ownership that no other process can have
(:mod:`.ownership`), and deletes it when nothing waits in it any more. Who holds the spool's IO lock may use
this; there is no lock of its own.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

from logweir.delivery.spool.ownership import FileLock, claim_new, remove
from logweir.delivery.spool.spool_file import SpoolFile

__all__ = ["CurrentFile", "claim_file"]


def claim_file(directory: Path) -> tuple[FileLock, SpoolFile]:
    """Make a new file in the directory, and own it.

    Raises:
        OSError: The directory cannot be written.
        sqlite3.Error: The file cannot be made.
    """
    ownership = claim_new(directory)
    try:
        return ownership, SpoolFile(ownership.database)
    except BaseException:
        with suppress(OSError):
            remove(ownership.database)
        ownership.release()
        raise


class CurrentFile:
    """The file of a spool, if there is one just now.

    Args:
        directory: Where it is.

    Attributes:
        file: The open file.
        ownership: That this process owns it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file: SpoolFile | None = None
        self.ownership: FileLock | None = None

    def opened(self) -> SpoolFile:
        """The file, made if there is none.

        Raises:
            OSError: The directory cannot be written.
            sqlite3.Error: The file cannot be made.
        """
        if self.file is None:
            self.ownership, self.file = claim_file(self.directory)
        return self.file

    def exchange(self, ownership: FileLock, file: SpoolFile) -> FileLock | None:
        """Go on with another file; the ownership of the former one is the caller's to release."""
        former, self.ownership = self.ownership, ownership
        self.file = file
        return former

    def discard(self) -> None:
        """Delete the file, of which nothing is needed any more."""
        self._end(delete=True)

    def let_go(self) -> None:
        """Close the file at the spool's end, and delete it if nothing waits in it."""
        try:
            # What is at the path of a deleted or replaced file is not ours to delete.
            empty = self.file is not None and self.file.is_in_place() and self.file.is_empty()
        except sqlite3.Error:
            empty = False
        self._end(delete=empty)

    def _end(self, *, delete: bool) -> None:
        # The ownership goes last: a process that took it in between would adopt a file that is being deleted.
        file, self.file = self.file, None
        if file is not None:
            file.close()
            if delete:
                with suppress(OSError):
                    remove(file.path)
        ownership, self.ownership = self.ownership, None
        if ownership is not None:
            ownership.release()
