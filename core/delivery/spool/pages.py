"""The pages of a queue file, read without SQLite: the rows that stand on each, whatever became of the others.

A row is found by the page it stands on, not by the way to it: a damaged header, a damaged inner page or a
cut cost no row elsewhere. Of every page the newest image counts: that of the log, before that of the
file. Damaged images of the log are looked at as well, for most of what stands on one may be whole. Whether a
row is whole is for the caller to verify: here is only refused what cannot be a row.

Source: SQLite documentation, "Database File Format".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

from logweir.sinks.shared.write_ahead_log import Frame, read_log

__all__ = ["MAGIC", "PAGE_SIZE", "Cell", "Pages", "Place", "header_damage"]

MAGIC = b"SQLite format 3\0"
#: What SQLite gives a new database, and logweir leaves. Not read from the head, which may be what is damaged.
PAGE_SIZE = 4096
_INDEX_INNER, _TABLE_INNER, _INDEX_LEAF, _TABLE_LEAF = 2, 5, 10, 13
#: The bytes of a database's head.
_HEAD = 100
#: Kinds of columns: integers by their size, two constants, then texts and blobs by their length.
_INTEGER_SIZES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_CONSTANTS = {8: 0, 9: 1}
_LENGTHS = 12
#: The bit of a byte of a number that says that more follow.
_MORE = 0x80
#: The highest format that a version to come may write; beyond, it is damage.
_LIKELY_FORMAT = 99

Value = int | bytes | str | None


class Place(NamedTuple):
    """Which image of which page."""

    page: int
    nth: int


class Cell(NamedTuple):
    """A row.

    Attributes:
        rowid: Its number in a table; None in an index.
        values: Its columns.
    """

    rowid: int | None
    values: list[Value]


def header_damage(path: Path) -> str:
    """What is wrong with the head of a queue file, as far as SQLite would not say so; empty when nothing is.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        return ""  # its process died while it made it
    if len(head) < _HEAD or not head.startswith(MAGIC):
        return "its head is no database's"
    # Versions and fractions that every database has; with another one SQLite would call it read-only.
    if not {head[18], head[19]} <= {1, 2} or head[20] or head[21:24] != b"\x40\x20\x20":
        return "its head is damaged"
    if int.from_bytes(head[16:18]) != PAGE_SIZE or int.from_bytes(head[60:64]) > _LIKELY_FORMAT:
        return "its head is damaged"
    return ""


class Pages:
    """A queue file, or another database of logweir's, and its log, page by page; close it.

    Args:
        path: The file.
        text_errors: What becomes of a row whose text is not UTF-8: it is refused, or one of Python's ways.

    Attributes:
        log: What stands in the log beside it.

    Raises:
        OSError: It cannot be read.
    """

    def __init__(self, path: Path, *, text_errors: str = "strict") -> None:
        self._text_errors = text_errors
        self._file: BinaryIO = path.open("rb")
        try:
            self.log = read_log(path, PAGE_SIZE)
            length = self._file.seek(0, 2)
        except BaseException:
            self._file.close()
            raise
        self._in_file = -(-length // PAGE_SIZE)
        self._frames: dict[int, list[Frame]] = {}
        for frame in self.log.frames:
            # A sound image replaces those before it; a damaged one does not.
            self._frames[frame.page] = [frame] if frame.sound else [frame, *self._frames.get(frame.page, [])]
        self._free = self._free_pages()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def places(self) -> Iterator[Place]:
        """Every image of a page that may hold rows, the newest of each page first."""
        for number in sorted({*range(2, self._in_file + 1), *self._frames} - self._free):
            for nth, _ in enumerate(self._images_of(number)):
                yield Place(number, nth)

    def is_sound(self, place: Place) -> bool:
        """Whether nothing is known against an image: those of the file itself have no checksum."""
        frames = self._frames.get(place.page, [])
        return place.nth >= len(frames) or frames[place.nth].sound

    def cells(self, place: Place) -> Iterator[Cell]:
        """The rows that begin on a page; what cannot be one is left out."""
        image = next(islice(self._images_of(place.page), place.nth, None))
        kind, count = image[0], int.from_bytes(image[3:5])
        if kind == _TABLE_INNER:  # it holds the way to rows, and none
            return
        start, child = (12, 4) if kind == _INDEX_INNER else (8, 0)
        # The kind may be what is damaged: then both are tried.
        kinds = {_TABLE_LEAF: [True], _INDEX_LEAF: [False], _INDEX_INNER: [False]}.get(kind, [True, False])
        most = min(count, (PAGE_SIZE - start) // 2)
        for position in struct.unpack_from(f">{most}H", image, start):
            for is_table in kinds:
                with suppress(ValueError, IndexError, struct.error):
                    yield from self._cell(image, position + child, is_table)

    def _cell(self, image: bytes, position: int, is_table: bool) -> Iterator[Cell]:
        length, position = _varint(image, position)
        rowid = None
        if is_table:
            rowid, position = _varint(image, position)
            rowid = rowid - 2**64 if rowid >= 2**63 else rowid
        local = self._local(length, is_table)
        begin = image[position : position + local]
        if local == length:
            yield Cell(rowid, _record(begin, self._text_errors))
            return
        (following,) = struct.unpack_from(">I", image, position + local)
        for rest in self._overflow(following, length - local):
            with suppress(ValueError, IndexError):
                yield Cell(rowid, _record(begin + rest, self._text_errors))

    def _local(self, length: int, is_table: bool) -> int:
        """How much of a row stands on its own page."""
        size = PAGE_SIZE
        most = size - 35 if is_table else (size - 12) * 64 // 255 - 23
        least = (size - 12) * 32 // 255 - 23
        if length <= most:
            return length
        some = least + (length - least) % (size - 4)
        return some if some <= most else least

    def _overflow(self, page: int, length: int) -> Iterator[bytes]:
        """The rest of a long row: of the newest images, and where one is damaged, of those before it."""
        if length > max(self._in_file, len(self.log.frames)) * PAGE_SIZE * 2:
            raise ValueError("longer than the file")
        for choice in (0, -1):
            parts = []
            number, left = page, length
            while left > 0:
                image = list(self._images_of(number))[choice]
                parts.append(image[4 : 4 + left])
                left -= PAGE_SIZE - 4
                (number,) = struct.unpack_from(">I", image)
            yield b"".join(parts)

    def _images_of(self, number: int) -> Iterator[bytes]:
        frames = self._frames.get(number, [])
        for frame in frames:
            yield frame.image
        if not any(frame.sound for frame in frames) and 0 < number <= self._in_file:
            self._file.seek((number - 1) * PAGE_SIZE)
            yield self._file.read(PAGE_SIZE).ljust(PAGE_SIZE, b"\0")

    def _free_pages(self) -> set[int]:
        """The pages that hold nothing any more, though old rows still stand there; as far as can be read."""
        free: set[int] = set()
        with suppress(IndexError, struct.error):
            (trunk,) = struct.unpack_from(">I", next(self._images_of(1), b""), 32)
            while trunk and trunk not in free:
                image = next(self._images_of(trunk), b"")
                trunk_next, count = struct.unpack_from(">2I", image)
                if count > PAGE_SIZE // 4 - 2:
                    break
                free |= {trunk, *struct.unpack_from(f">{count}I", image, 8)}
                trunk = trunk_next
        return free


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        byte = data[position + index]
        value = value << 7 | byte & 0x7F
        if byte < _MORE:
            return value, position + index + 1
    return value << 8 | data[position + 8], position + 9


def _record(payload: bytes, text_errors: str) -> list[Value]:
    """The columns of a row.

    Raises:
        ValueError: It is none.
    """
    end, position = _varint(payload, 0)
    values: list[Value] = []
    at = end
    while position < end:
        kind, position = _varint(payload, position)
        value: Value = None
        size = 0
        if kind in _INTEGER_SIZES:
            size = _INTEGER_SIZES[kind]
            value = int.from_bytes(payload[at : at + size], signed=True)
        elif kind in _CONSTANTS:
            value = _CONSTANTS[kind]
        elif kind >= _LENGTHS:
            size = (kind - _LENGTHS) // 2
            data = payload[at : at + size]
            value = data.decode(errors=text_errors) if kind % 2 else data
        elif kind:
            raise ValueError(f"no kind of a column that is written here: {kind}")
        at += size
        values.append(value)
    if at != len(payload):
        raise ValueError("the columns do not fill the row")
    return values
