"""SQLite's log beside a database, read without SQLite: what is whole in it, and whether it is damaged.

SQLite takes the log up to the first frame that does not fit, for it cannot distinguish a damaged frame from
one that a power cut tore, and deletes the rest silently. Here the rest is looked at too. A frame's checksum
goes on from that of the frame before, whose own stands in the file: so frames behind a damaged one can be
verified, and where one byte of a frame is damaged, the checksum mostly says which: it is put right.
What is written last and never committed is a torn tail, as every death in the middle of a write leaves it;
when the end of a transaction stands at or behind a frame that does not fit, it was committed, and the log is
damaged.

Source: SQLite documentation, "WAL-mode File Format".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

__all__ = ["Frame", "Log", "checksum", "log_path", "read_log"]

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
        pages: How many pages the database has with it, where a transaction ends; 0 elsewhere.
        sound: Whether its checksum fits, or it was put right by it.
        image: The page.
    """

    page: int
    pages: int
    sound: bool
    image: bytes


@dataclass(slots=True)
class Log:
    """What stands in a log.

    Attributes:
        frames: Those of its transactions in their order, damaged ones too.
        damage: What is wrong with it; empty when nothing is.
        is_torn: Whether it ends in the middle of a transaction.
        salts: What its frames have in common, and those of an earlier log in the same file have not.
    """

    frames: list[Frame] = field(default_factory=list)
    damage: str = ""
    is_torn: bool = False
    salts: bytes = bytes(8)


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


class _Doubt(NamedTuple):
    """A frame whose checksum does not fit, until the next one shows whether it or the checksum is damaged."""

    place: int
    data: bytes
    seeds: list[_Sum]
    stored: _Sum


class _Scan:
    """One reading of a log."""

    def __init__(self, content: bytes, page_size: int) -> None:
        self._content = content
        self._page_size = page_size
        self._step = _FRAME_HEADER + page_size
        magic, version, size, _, _, _, *stored = struct.unpack(">8I", content[:_HEADER])
        self._order = _MAGICS.get(magic, "<")
        computed = checksum(content[:24], (0, 0), self._order)
        self._header_fits = (
            magic in _MAGICS and version == _VERSION and size == page_size and computed == tuple(stored)
        )
        # A damaged header may have the wrong salts: the first frame has them too.
        place = 16 if self._header_fits else _HEADER + 8
        self._salts = content[place : place + 8]
        # What the next checksum may go on from: either is right when the other is damaged.
        self._seeds: list[_Sum] = [(stored[0], stored[1]), computed]
        self._frames: list[Frame] = []
        self._doubt: _Doubt | None = None

    def log(self) -> Log:
        """Read all frames; what is behind the end of the last transaction is left out."""
        belongs = fits = self._header_fits
        fitting = 0
        for start in range(_HEADER, len(self._content) - self._step + 1, self._step):
            header = self._content[start : start + _FRAME_HEADER]
            same_salts = header[8:16] == self._salts
            if not (same_salts or belongs):
                # A frame of an earlier log in the same file, or the place of one whose header is damaged.
                self._settle(None)
                self._seeds = [struct.unpack(">2I", header[16:])]
                fits = False
                continue
            belongs = self._verify(header, self._content[start + _FRAME_HEADER : start + self._step])
            fits = fits and belongs and same_salts
            if belongs or same_salts:
                self._frames.append(self._frame(header[:8], start, sound=belongs))
                fitting += fits
        self._settle(None)
        ends = [number for number, frame in enumerate(self._frames, 1) if frame.pages]
        end = max(ends, default=0)
        committed = max((number for number in ends if number <= fitting), default=0)
        # What SQLite would not read, though its transaction had an end.
        damage = (
            "" if end == committed else f"its log is damaged: {end - committed} pages stand behind the damage"
        )
        if not self._header_fits:
            damage = "the header of its log is damaged"
        partial = (len(self._content) - _HEADER) % self._step
        is_torn = len(self._frames) > end or bool(partial)
        return Log(self._frames[:end], damage, is_torn, self._salts)

    def _frame(self, numbers: bytes, start: int, *, sound: bool) -> Frame:
        page, pages = struct.unpack(">2I", numbers)
        return Frame(page, pages, sound, self._content[start + _FRAME_HEADER : start + self._step])

    def _verify(self, header: bytes, image: bytes) -> bool:
        stored: _Sum = struct.unpack(">2I", header[16:])
        data = header[:8] + image
        sums = []
        for seed in self._seeds:
            computed = checksum(data, seed, self._order)
            sums.append(computed)
            if computed == stored:
                self._settle(seed)
                self._seeds = [stored]
                return True
        self._settle(None)
        self._doubt = _Doubt(len(self._frames), data, self._seeds, stored)
        self._seeds = [stored, *sums]
        return False

    def _settle(self, follows: _Sum | None) -> None:
        """Judge a frame in doubt by the checksum that the next one goes on from; None if nothing shows it."""
        doubt, self._doubt = self._doubt, None
        if doubt is None or doubt.place >= len(self._frames):
            return
        frame = self._frames[doubt.place]
        if follows not in {None, doubt.stored}:  # only the checksum beside it is damaged
            self._frames[doubt.place] = frame._replace(sound=True)
            return
        for seed in doubt.seeds:
            if data := _put_right(doubt.data, seed, doubt.stored, self._order):
                page, pages = struct.unpack(">2I", data[:8])
                self._frames[doubt.place] = Frame(page, pages, True, data[8:])
                return


def checksum(data: bytes, seed: _Sum, order: str) -> _Sum:
    """SQLite's checksum of whole pairs of words, which goes on from another one."""
    first, second = seed
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & _MASK
        second = (second + other + first) & _MASK
    return first, second


def _put_right(data: bytes, seed: _Sum, wanted: _Sum, order: str) -> bytes | None:
    """Data with the one byte changed by which its checksum becomes ``wanted``; None where it is not certain.

    The checksum is linear: a word that is off by ``d`` moves its halves by ``a * d`` and ``b * d``, where
    ``a`` and ``b`` depend on the place alone. For the highest byte of a word, which moves them least, there
    is often more than one.
    """
    found = checksum(data, seed, order)
    off = tuple((want - have) & _MASK for want, have in zip(wanted, found, strict=True))
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    answers = []
    # From the end: what a word of the last pair moves, and what each pair behind one makes of that.
    second, first = (0, 1), (1, 1)
    for place in range(len(words) - 1, -1, -1):
        effect = second if place % 2 else first
        odd = 0 if effect[0] % 2 else 1  # they are coprime, so one of them is
        difference = off[odd] * pow(effect[odd], -1, _MASK + 1) & _MASK
        if difference and effect[1 - odd] * difference & _MASK == off[1 - odd]:
            right = (words[place] + difference) & _MASK
            if sum(map(bool, (right ^ words[place]).to_bytes(4))) == 1:
                answers.append((place, right))
        if place % 2 == 0:
            second, first = (((a + b) & _MASK, (a + 2 * b) & _MASK) for a, b in (second, first))
    if len(answers) != 1:
        return None
    ((place, right),) = answers
    return struct.pack(f"{order}{len(words)}I", *words[:place], right, *words[place + 1 :])
