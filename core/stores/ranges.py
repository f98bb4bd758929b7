"""The checkpoints of ranges of one file, which several processes read at the same time.

The checkpoint of the file says up to where everything is settled; that of a range says the same from where
the range begins. What is left to read is what neither covers: so the file may be divided anew by each run,
into as many ranges as that likes. A range that begins where the file's own checkpoint has come to is joined
to it, and its file goes. The ids of lines are the same in all: they come from the file and the place in it.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from msgspec import structs

from logweir.delivery.spool.ownership import FileLock
from logweir.stores.checkpoint_file import Saved, load, save

__all__ = ["Ranges"]


class Ranges:
    """The ranges of one file, in a directory beside its checkpoint.

    Args:
        whole: Where the checkpoint of the file is.
    """

    def __init__(self, whole: Path) -> None:
        self._whole = whole
        self._directory = whole.with_suffix(".ranges")

    def exist(self) -> bool:
        """Whether a run that read ranges has not come to its end."""
        return self._directory.is_dir()

    def are_free(self) -> bool:
        """Whether no process reads one of them.

        Raises:
            OSError: The directory cannot be used.
        """
        for path in self._paths():
            lock = FileLock.take(path)
            if lock is None:
                return False
            lock.release()
        return True

    def of(self, whole: Saved) -> list[Saved]:
        """Those that say something about the file as it is now, in their order.

        Raises:
            OSError: One cannot be read.
        """
        return [saved for _, saved in self._found(whole)]

    def gaps(self) -> list[tuple[int, int | None]]:
        """What is not settled: where each part begins and ends, the last one where the file does.

        Raises:
            OSError: A checkpoint cannot be read or written.
        """
        whole = self.join()
        gaps = list[tuple[int, int | None]]()
        position = whole.offset
        for saved in self.of(whole):
            if saved.start > position:
                gaps.append((position, saved.start))
            position = max(position, saved.offset)
        return [*gaps, (position, None)]

    def lines(self) -> int:
        """How many lines are settled.

        Raises:
            OSError: A checkpoint cannot be read.
        """
        whole = self._load_whole()
        return whole.lines + sum(saved.lines for saved in self.of(whole))

    def join(self) -> Saved:
        """Join ranges to the file's own checkpoint, as far as nothing is missing between; return that.

        Raises:
            OSError: A checkpoint cannot be read or written.
        """
        whole = self._load_whole()
        for path, saved in self._found(whole):
            if saved.start > whole.offset:
                break
            whole = structs.replace(
                whole,
                offset=saved.offset,
                lines=whole.lines + saved.lines,
                last_start=saved.last_start,
                tail_length=saved.tail_length,
                tail=saved.tail,
            )
            # In this order: what is in both is one, and what is in neither would be read again.
            save(self._whole, whole)
            _remove(path)
        if self.exist() and not self.of(whole):
            self.forget()
        return whole

    def forget(self) -> None:
        """Remove them all."""
        for path in self._paths():
            _remove(path)
        with suppress(OSError):  # a process that is about to end may write once more
            for left in self._directory.iterdir():
                left.unlink(missing_ok=True)
            self._directory.rmdir()

    def beginning_at(self, start: int) -> tuple[Path, Saved]:
        """The range to read from ``start`` on: the one that has come to there, or a new one.

        Raises:
            OSError: It cannot be read or written.
        """
        whole = self._load_whole()
        for path, saved in self._found(whole):
            if saved.offset == start:
                return path, saved
        # Where the file's own has come to, its last line may have had no end yet, and is looked at again.
        follows = whole.offset == start
        saved = structs.replace(
            whole,
            start=start,
            before=whole.lines if follows else -1,
            offset=start,
            lines=0,
            last_start=whole.last_start if follows else start,
            tail_length=whole.tail_length if follows else 0,
            tail=whole.tail if follows else "",
        )
        path = self._directory / f"{start:x}.json"
        save(path, saved)
        return path, saved

    def _load_whole(self) -> Saved:
        whole, _ = load(self._whole)
        if whole is None:
            raise FileNotFoundError(f"the checkpoint {self._whole} is gone; begin the run again")
        return whole

    def _found(self, whole: Saved) -> list[tuple[Path, Saved]]:
        """Those with something settled that the file's own checkpoint does not have yet."""
        loaded = [(path, load(path)[0]) for path in self._paths()]
        found = [
            (path, saved)
            for path, saved in loaded
            if saved is not None
            and (saved.token, saved.generation) == (whole.token, whole.generation)
            and saved.offset > max(saved.start, whole.offset)
        ]
        return sorted(found, key=lambda each: each[1].start)

    def _paths(self) -> list[Path]:
        return [*self._directory.glob("*.json")]


def _remove(path: Path) -> None:
    """Remove a checkpoint, and its lock unless a process has it."""
    lock = FileLock.take(path)
    path.unlink(missing_ok=True)
    if lock is not None:
        lock.release()
