"""Files that lost their name while ``logweir run -f`` read them, and were not stored to their end.

The next run asks for names: it finds what has come in their place, and not them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Self

from logweir.cli.run_reading import Reading
from logweir.stores.checkpoints import Checkpoint

__all__ = ["Renamed", "has_lost_its_name"]


@dataclass(frozen=True, slots=True)
class Renamed:
    """A file that is not read on.

    Attributes:
        name: What it was called when it was opened.
        status: Of the file, which is known by it.
        checkpoint: How far it is stored.
        position: How far it was read.
        has_more: Whether there is something behind that.
    """

    name: str
    status: os.stat_result
    checkpoint: Checkpoint
    position: int
    has_more: bool

    @classmethod
    def of(cls, reading: Reading) -> Self:
        """What is known of a file before it is closed."""
        status = os.fstat(reading.source.descriptor)
        return cls(
            reading.name, status, reading.checkpoint, reading.position, reading.has_more(status.st_size)
        )

    @property
    def is_stored(self) -> bool:
        """Whether every sink is done with all of its lines."""
        return not self.has_more and self.checkpoint.settled.offset >= self.position

    def note(self) -> str:
        """What to do about it."""
        now = self._name_now()
        if now is None:
            return f"{self.name}: the file that had this name is gone, and was not stored to its end"
        return f"{now}: it was {self.name}, and is not stored to its end; `logweir run {now}` goes on there"

    def _name_now(self) -> str | None:
        """What it is called now, in the directory in which it was."""
        directory = os.path.dirname(self.name)  # noqa: PTH120 - a name, as it was given
        try:
            names = os.listdir(directory or ".")  # noqa: PTH208 - likewise
        except OSError:
            return None  # it is gone too, or nobody may look into it
        for name in names:
            path = os.path.join(directory, name)  # noqa: PTH118 - likewise
            try:
                if os.path.samestat(os.lstat(path), self.status):
                    return path
            except OSError:
                continue  # a rotation goes on
        return None


def has_lost_its_name(reading: Reading) -> bool:
    """Whether the name of an open file is that of another one, or of none."""
    try:
        now = os.stat(reading.name)  # noqa: PTH116 - a name, as it was given
    except OSError:
        return True
    return not os.path.samestat(now, os.fstat(reading.source.descriptor))
