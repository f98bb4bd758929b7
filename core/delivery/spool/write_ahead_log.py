"""SQLite's log beside a queue file, read without SQLite: what is whole in it, and whether it is damaged.

SQLite takes the log up to the first frame that does not fit, for it cannot know a damaged frame from one
that a power cut tore, and deletes the rest without a word. Here the rest is looked at too. A frame's checksum
goes on from that of the frame before, whose own stands in the file: so frames behind a damaged one can be
verified. What is written last and never committed is a torn tail, as every death in the middle of a write
leaves it; when the end of a transaction stands at or behind a frame that does not fit, it was committed, and
the log is damaged.

Source: SQLite documentation, "WAL-mode File Format".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

__all__ = ["Frame", "Log", "log_path", "read_log"]

_HEADER = 32
_FRAME_HEADER = 24
_MAGICS = {0x377F0682: "<", 0x377F0683: ">"}
_VERSION = 3_007_000
_MASK = 0xFFFFFFFF

_Sum = tuple[int, int]


class Frame(NamedTuple):
    """The image of a page, as one transaction left it.

    Attributes:
        page: The page's number.
        sound: Whether its checksum fits.
        image: The page.
    """

    page: int
    sound: bool
    image: bytes


@dataclass(slots=True)
class Log:
    """What stands in a log.

    Attributes:
        frames: Those of its transactions in their order, damaged ones too.
        damage: What is wrong with it; empty when nothing is.
        is_torn: Whether it ends in the middle of a transaction.
    """

    frames: list[Frame] = field(default_factory=list)
    damage: str = ""
    is_torn: bool = False


def log_path(database: Path) -> Path:
    """Where SQLite keeps the log of a database."""
    return Path(f"{database}-wal")


def read_log(database: Path, page_size: int) -> Log:
    """Read the log of a database; one without any frame if there is none.

    Args:
        database: The database.
        page_size: The size of its pages.

    Raises:
        OSError: It cannot be read.
    """
    try:
        content = log_path(database).read_bytes()
    except FileNotFoundError:
        return Log()
    if len(content) < _HEADER + _FRAME_HEADER + page_size or not any(content[:_HEADER]):
        return Log(is_torn=len(content) > _HEADER)
    return _Scan(content, page_size).log()


class _Scan:
    """One reading of a log."""

    def __init__(self, content: bytes, page_size: int) -> None:
        self._content = content
        self._page_size = page_size
        self._step = _FRAME_HEADER + page_size
        magic, version, size, _, _, _, *stored = struct.unpack(">8I", content[:_HEADER])
        self._order = _MAGICS.get(magic, "<")
        computed = self._sum(content[:24], (0, 0))
        self._header_fits = (
            magic in _MAGICS and version == _VERSION and size == page_size and computed == tuple(stored)
        )
        # A damaged header may have the wrong salts: the first frame has them too.
        place = 16 if self._header_fits else _HEADER + 8
        self._salts = content[place : place + 8]
        # What the next checksum may go on from: either is right when the other is damaged.
        self._seeds: list[_Sum] = [(stored[0], stored[1]), computed]

    def log(self) -> Log:
        """Read all frames; what is behind the end of the last transaction is left out."""
        frames: list[Frame] = []
        belongs = fits = self._header_fits
        end = committed = 0
        for start in range(_HEADER, len(self._content) - self._step + 1, self._step):
            header = self._content[start : start + _FRAME_HEADER]
            same_salts = header[8:16] == self._salts
            if not (same_salts or belongs):
                # A frame of an earlier log in the same file, or the place of one whose header is damaged.
                self._seeds = [struct.unpack(">2I", header[16:])]
                fits = False
                continue
            page, pages = struct.unpack(">2I", header[:8])
            image = self._content[start + _FRAME_HEADER : start + self._step]
            sound = self._verify(header, image)
            belongs = sound
            fits = fits and sound and same_salts
            if sound or same_salts:
                frames.append(Frame(page, sound, image))
                if pages:
                    end = len(frames)
                    committed = end if fits else committed
        # What SQLite would not read, though its transaction had an end.
        damage = (
            "" if end == committed else f"its log is damaged: {end - committed} pages stand behind the damage"
        )
        if not self._header_fits:
            damage = "the header of its log is damaged"
        partial = (len(self._content) - _HEADER) % self._step
        return Log(frames[:end], damage, is_torn=len(frames) > end or bool(partial))

    def _verify(self, header: bytes, image: bytes) -> bool:
        stored: _Sum = struct.unpack(">2I", header[16:])
        sums = []
        for seed in self._seeds:
            computed = self._sum(image, self._sum(header[:8], seed))
            sums.append(computed)
            if computed == stored:
                self._seeds = [stored]
                return True
        self._seeds = [stored, *sums]
        return False

    def _sum(self, data: bytes, seed: _Sum) -> _Sum:
        first, second = seed
        words = struct.unpack(f"{self._order}{len(data) // 4}I", data)
        for one, other in zip(words[::2], words[1::2], strict=True):
            first = (first + one + second) & _MASK
            second = (second + other + first) & _MASK
        return first, second
