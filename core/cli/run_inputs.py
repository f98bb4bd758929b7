"""What ``logweir run`` reads from: files as they are, compressed, or in UTF-16, each as lines of UTF-8.

By what is in a file, not by its name: its first bytes say which. A place in a file is a place in the lines as
they are read here, after whatever was undone; so checkpoints mean the same for all of them.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import os
import stat
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from logweir.errors import MissingDependency

__all__ = ["DAMAGED", "LONGEST_LINE", "Input", "Unreadable", "open_file", "pipe"]

#: What the modules raise about compressed data that end early or are no such data.
DAMAGED = (EOFError, zlib.error, lzma.LZMAError)
#: Bytes of a line at most; what goes on beyond is the next. A line is in memory as a whole, more than once;
#: documents with many events on one line (CloudTrail) have some 50 MB.
LONGEST_LINE = 1 << 26
_CHUNK = 1 << 16
_LOOK = 64
_ENOUGH = 8

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_REFUSED = {
    b"PK\x03\x04": "a zip archive",
    b"\x04\x22\x4d\x18": "compressed by lz4",
    b"\xff\x06\x00\x00sNaPpY": "compressed by snappy",
}


class Unreadable(ValueError):
    """What stands in a file is no log in any form that can be read; the message says what it is."""


def _zstd(raw: BinaryIO) -> BinaryIO:
    try:
        import zstandard  # noqa: PLC0415 - an extra, wanted by few
    except ImportError:
        raise MissingDependency("reading what zstd has compressed", "zstd") from None
    frame = zstandard.ZstdDecompressor().decompressobj
    return _buffered(_Zstd(raw, frame, zstandard.ZstdError))


class _Zstd(io.RawIOBase):
    """The frames of zstd, one after the other; an end in the middle of one is an error, as for the others."""

    def __init__(self, raw: BinaryIO, frame: Callable[[], Any], error: type[Exception]) -> None:
        self._raw = raw
        self._new_frame = frame
        self._error = error
        self._frame: Any = None
        self._unused = b""
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._ready:
            data = self._unused or self._raw.read(_CHUNK)
            if not data and self._frame is not None:
                raise EOFError("the compressed data end early")
            if not data:
                return 0
            frame = self._frame or self._new_frame()
            try:
                self._ready = frame.decompress(data)
            except self._error as error:
                raise EOFError(str(error)) from None
            self._frame, self._unused = (None, frame.unused_data) if frame.eof else (frame, b"")
        return _hand_out(self, buffer)


def _hand_out(source: Any, buffer: memoryview) -> int:
    """Give what is ready, as much as there is room for."""
    taken, source._ready = source._ready[: len(buffer)], source._ready[len(buffer) :]  # noqa: SLF001 - their own
    buffer[: len(taken)] = taken
    return len(taken)


_COMPRESSED: dict[bytes, Callable[[BinaryIO], BinaryIO]] = {
    b"\x1f\x8b": lambda raw: _buffered(gzip.GzipFile(fileobj=raw, mode="rb")),
    b"BZh": lambda raw: _buffered(bz2.BZ2File(raw)),
    b"\xfd7zXZ\x00": lambda raw: _buffered(lzma.LZMAFile(raw)),  # noqa: SIM115 - whoever reads closes it
    b"\x28\xb5\x2f\xfd": _zstd,
}
_MAGIC = (*_COMPRESSED, *_REFUSED, *(bom for bom, _ in _BOMS))


class _At(io.RawIOBase):
    """A file from its beginning, beside whoever else reads it by the same descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = os.pread(self._descriptor, len(buffer), self.position)
        buffer[: len(data)] = data
        self.position += len(data)
        return len(data)


class _AsUtf8(io.RawIOBase):
    """Text of another encoding as UTF-8; more of it may come after its end."""

    def __init__(self, raw: BinaryIO, encoding: str) -> None:
        self._raw = raw
        self._decoder = codecs.getincrementaldecoder(encoding)("backslashreplace")
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._ready:
            data = self._raw.read(_CHUNK)
            if not data:
                return 0
            self._ready = self._decoder.decode(data).encode("utf-8", "surrogatepass")
        return _hand_out(self, buffer)


class _Pipe(io.RawIOBase):
    """A pipe whose first bytes were looked at."""

    def __init__(self, head: bytes, read: Callable[[], bytes]) -> None:
        self._ready = head
        self._read = read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._ready = self._ready or self._read()
        return _hand_out(self, buffer)


def converted(head: bytes, stream: BinaryIO) -> BinaryIO | None:
    """Undo what was done to lines before they were stored; None where nothing was.

    Args:
        head: The first bytes.
        stream: From its beginning.

    Raises:
        MissingDependency: A package is needed for it.
        Unreadable: It is something else.
    """
    for magic, what in _REFUSED.items():
        if head.startswith(magic):
            raise Unreadable(f"it is {what}, which cannot be read; unpack it first")
    for magic, opened in _COMPRESSED.items():
        if head.startswith(magic):
            inner = opened(stream)
            encoding = _encoding(_peek(inner))
            return _buffered(_AsUtf8(inner, encoding)) if encoding else inner
    encoding = _encoding(head[:_LOOK])
    return _buffered(_AsUtf8(stream, encoding)) if encoding else None


def pipe(read: Callable[[], bytes]) -> Callable[[], bytes]:
    """What reads the lines of a pipe as UTF-8, by as much as there is at a time; nothing at its end.

    Args:
        read: Gives the next bytes, nothing at the end.

    Raises:
        MissingDependency: A package is needed for it.
        Unreadable: It is something else.
    """
    head = read()
    while head and any(len(head) < len(magic) and magic.startswith(head) for magic in _MAGIC):
        more = read()
        if not more:
            break
        head += more
    begun = _buffered(_Pipe(head, read))
    stream = converted(head, begun) or begun
    return lambda: cast(io.BufferedReader, stream).read1(_CHUNK)


def _buffered(raw: Any) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(raw, _CHUNK))


def _peek(stream: BinaryIO) -> bytes:
    try:
        return cast(io.BufferedReader, stream).peek(_LOOK)[:_LOOK]
    except (*DAMAGED, OSError):
        return b""  # what is read first will say it


def _may_become_another(head: bytes) -> bool:
    """Whether more bytes may say another form than these do, which are not even a line."""
    return len(head) < _ENOUGH and (b"\n" not in head or b"\0" in head)


def _encoding(head: bytes) -> str | None:
    """The encoding of text that is no UTF-8, by its mark, or by the zeros beside its letters."""
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return encoding
    if len(head) >= _ENOUGH and b"\0" in head:
        even, odd = head[0::2], head[1::2]
        if not any(odd) and even.count(0) == 0:
            return "utf-16-le"
        if not any(even) and odd.count(0) == 0:
            return "utf-16-be"
    return None


def open_file(name: str) -> Input:
    """Open a file of lines.

    Raises:
        OSError: It cannot be read.
        MissingDependency: A package is needed to read it.
        Unreadable: It is no file of lines.
    """
    # Without waiting: what was a file may be a pipe by now, to which nobody writes.
    descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Unreadable("it is no file")
    try:
        return Input(descriptor)
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from error  # whose first bytes cannot be read


class Input:
    """An open file of lines.

    Args:
        descriptor: Of the file; it is closed by :meth:`close`.

    Attributes:
        stream: Its lines; after its end, more may come.
        converted: Whether something had to be undone.
        compressed: Whether the file was compressed, so that nothing is added to it.

    A file that has next to nothing yet is taken for text until :meth:`is_known` has looked again.

    Raises:
        MissingDependency: A package is needed to read it.
        Unreadable: It is no file of lines.
    """

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "rb")
        self.descriptor = descriptor
        self.stream: BinaryIO = self._file
        try:
            self._look()
        except BaseException:
            self._file.close()
            raise

    def _look(self) -> None:
        """See by the first bytes in what form the lines are."""
        head = os.pread(self.descriptor, _LOOK, 0)
        self._raw = _At(self.descriptor)
        stream = converted(head, _buffered(self._raw))
        self.compressed = any(head.startswith(magic) for magic in _COMPRESSED)
        self.converted = stream is not None
        self.stream = stream or self._file
        self._is_known = not _may_become_another(head)

    def is_known(self) -> bool:
        """Whether there is enough of a file that grows to see in what form its lines are.

        Until then nothing may be read from it.

        Raises:
            MissingDependency: A package is needed to read it.
            Unreadable: It is no file of lines.
        """
        if not self._is_known:
            self._look()
        return self._is_known

    @property
    def consumed(self) -> int:
        """How many bytes of the file were read."""
        return self._raw.position if self.converted else self.stream.tell()

    def seek(self, position: int) -> None:
        """Go on from a place that is not before the present one."""
        if self.converted:
            _skip(self.stream, position)
        else:
            self.stream.seek(position)

    def read_at(self, length: int, offset: int) -> bytes:
        """The bytes at a place, whatever was read."""
        if not self.converted:
            return os.pread(self.descriptor, length, offset)
        stream = converted(os.pread(self.descriptor, _LOOK, 0), _buffered(_At(self.descriptor)))
        if stream is None:  # rewritten in this moment
            return b""
        try:
            _skip(stream, offset)
            return stream.read(length)
        except (*DAMAGED, OSError):
            return b""

    def count_lines(self, end: int) -> int:
        """How many lines are before a place; one that it cuts is one of them."""
        position, count, last = 0, 0, b"\n"
        while position < end and (data := self.read_at(min(_CHUNK << 4, end - position), position)):
            position, last = position + len(data), data[-1:]
            count += data.count(b"\n")
        return count + (last != b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _skip(stream: BinaryIO, size: int) -> None:
    while size > 0 and (data := stream.read(min(size, _CHUNK))):
        size -= len(data)
