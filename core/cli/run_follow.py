"""Following files for ``logweir run -f``: what is added to them, through rotations of both kinds.

A file whose name was given to a new one is read on for a while: its writer may not know yet. A file that
became shorter, or has other content before the place that was read, was truncated, and is read from its
beginning.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from logweir.cli.interruption import Interrupted, Interruption
from logweir.cli.run_inputs import Unreadable
from logweir.cli.run_lines import LineReader
from logweir.cli.run_reading import Reading
from logweir.cli.run_renamed import has_lost_its_name
from logweir.errors import MissingDependency

__all__ = ["Follower"]

#: Seconds between two looks at files to which nothing was added.
_PAUSE = 0.2
#: Seconds for which a file is read on that lost its name, from the last line that came.
_LEAVE = 10.0
#: Seconds after a signal for the hand-over of a line that the file still has.
_HAND_OVER = 1.0
_COMPARED = 256
#: What is raised where a file holds something else, or lines that a missing package would unpack.
_NO_LINES = Unreadable, MissingDependency


class Follower:
    """Reads what is added to files.

    Args:
        reader: Feeds the lines to the runtime.
        names: Of the files; one that does not exist, or cannot be read, is waited for.
        interruption: Ends it.
        say: Reports what is worth saying about the files, at once.
    """

    def __init__(
        self, reader: LineReader, names: list[str], interruption: Interruption, say: Callable[[str], None]
    ) -> None:
        self._reader = reader
        self._say = say
        self._names = list(dict.fromkeys(names))
        self._interruption = interruption
        self._open: dict[str, Reading] = {}
        self._leaving: dict[Reading, float] = {}
        self._refused: dict[str, str] = {}

    def run(self) -> None:
        """Read until a signal asks for the end.

        Raises:
            OSError: A file or its checkpoint cannot be read, or that not written.
        """
        try:
            with self._interruption.patience(_HAND_OVER):
                while self._interruption.asked is None:
                    if not self._look():
                        self._interruption.wait(_PAUSE)
        except Interrupted:
            pass  # the line is read again by the next run
        finally:
            for reading in (*self._open.values(), *self._leaving):
                self._close(reading)

    def _look(self) -> bool:
        """Read what there is; whether that was anything."""
        found = [self._look_at(name) for name in self._names]
        found += [self._look_after(reading) for reading in list(self._leaving)]
        notes = self._reader.notes
        while notes:
            self._say(notes.pop(0))
        return any(found)

    def _look_at(self, name: str) -> bool:
        reading = self._open.get(name)
        if reading is None:
            reading = self._opened(name)
            if reading is None:
                return False
            self._open[name] = reading
        elif reason := _fault_of(reading):
            self._open.pop(name).close()  # nothing of it was read
            self._refuse(name, reason)
            return False
        elif _was_truncated(reading):
            self._reader.give_up(self._open.pop(name))
            return True
        # Before the reading: what is added after it is not lost when the name is another's already.
        replaced = _was_replaced(reading)
        found = self._read(reading)
        if replaced:
            self._leaving[self._open.pop(name)] = time.monotonic()
        return found or replaced

    def _opened(self, name: str) -> Reading | None:
        """Open a file; None while there is none, or none that can be read, which is said once."""
        try:
            if self._is_read(name):
                return None
            reading = self._reader.open(name)
        except FileNotFoundError:
            return None
        except _NO_LINES as error:
            self._refuse(name, str(error))
            return None
        except OSError as error:
            if error.filename != name:  # but its checkpoint
                raise
            self._refuse(name, str(error.strerror))
            return None
        self._refused.pop(name, None)
        return reading

    def _refuse(self, name: str, reason: str) -> None:
        """Say why a name is not read, once for each reason."""
        if self._refused.get(name) != reason:
            self._refused[name] = reason
            self._say(f"{name}: {reason}; it is read as soon as it can be")

    def _is_read(self, name: str) -> bool:
        """Whether a file is read by another name: a link, or the one that it had before a rotation."""
        status = os.stat(name)  # noqa: PTH116 - a name, as it was given
        readings = (*self._open.values(), *self._leaving)
        return any(os.path.samestat(status, os.fstat(reading.source.descriptor)) for reading in readings)

    def _look_after(self, reading: Reading) -> bool:
        if _fault_of(reading):
            self._part_with(reading)
            return False
        if self._read(reading):
            self._leaving[reading] = time.monotonic()
            return True
        if time.monotonic() - self._leaving[reading] > _LEAVE:
            self._reader.read_on(reading)
            self._part_with(reading)
        return False

    def _part_with(self, reading: Reading) -> None:
        del self._leaving[reading]
        self._reader.part_with(reading)

    def _close(self, reading: Reading) -> None:
        if has_lost_its_name(reading):
            self._reader.part_with(reading)
        else:
            reading.close()

    def _read(self, reading: Reading) -> bool:
        """Read what there is; what is compressed is complete."""
        try:
            if not reading.source.is_known():
                return False
        except _NO_LINES:
            return False  # the next look says so
        compressed = reading.source.compressed
        done = compressed and reading.checkpoint.complete
        return not done and self._reader.read_on(reading, to_the_end=compressed)


def _fault_of(reading: Reading) -> str:
    """Why an open file is no file of lines, which shows when it has grown; nothing where it is one."""
    try:
        reading.source.is_known()
    except _NO_LINES as error:
        return str(error)
    return ""


def _was_replaced(reading: Reading) -> bool:
    try:
        now = os.stat(reading.name)  # noqa: PTH116 - a name, as it was given
    except OSError:
        return False  # between two moves of a rotation
    return not os.path.samestat(now, os.fstat(reading.source.descriptor))


def _was_truncated(reading: Reading) -> bool:
    source = reading.source
    if os.fstat(source.descriptor).st_size < source.consumed:
        return True
    if source.converted:
        return False
    last = reading.last[-_COMPARED:]
    return os.pread(source.descriptor, len(last), reading.position - len(last)) != last
