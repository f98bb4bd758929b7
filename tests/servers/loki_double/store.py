"""What is stored: entries in streams, in order of time, each once; in memory and in one file.

A record of the file is its length, its checksum and its content, and is written by one ``write`` before the
push is answered: what was answered 204 outlives SIGKILL. A record that was cut short ends the file.
"""

import heapq
import os
import struct
import zlib
from bisect import bisect_left, insort_right
from collections.abc import Iterator, Sequence
from operator import attrgetter
from pathlib import Path

import msgspec

from servers.loki_double.entries import Entry
from servers.loki_double.labels import Labels

_HEAD = struct.Struct("<II")
_stamp = attrgetter("stamp")
_encode = msgspec.msgpack.Encoder().encode


class _Record(msgspec.Struct, array_like=True):
    tenant: str
    labels: Labels
    entries: list[tuple[int, str, Labels]]


_decode = msgspec.msgpack.Decoder(_Record).decode


class StoredStream:
    """The entries of one stream."""

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self._entries: list[Entry] = []
        self._known: set[Entry] = set()

    @property
    def newest(self) -> int | None:
        """The newest time it has."""
        return self._entries[-1].stamp if self._entries else None

    def unknown(self, entries: Sequence[Entry]) -> list[Entry]:
        """Those that it does not have yet, each once.

        Source: Loki docs, Architecture > Timestamp ordering: equal time and content count once.
        """
        return [entry for entry in dict.fromkeys(entries) if entry not in self._known]

    def add(self, entries: Sequence[Entry]) -> None:
        """Take entries that it does not have."""
        self._known.update(entries)
        for entry in entries:
            if not self._entries or entry.stamp >= self._entries[-1].stamp:
                self._entries.append(entry)
            else:
                insort_right(self._entries, entry, key=_stamp)

    def between(self, start: int, end: int, *, backward: bool = False) -> Iterator[Entry]:
        """Its entries of start ≤ time < end, in order."""
        first = bisect_left(self._entries, start, key=_stamp)
        last = bisect_left(self._entries, end, key=_stamp)
        order = range(last - 1, first - 1, -1) if backward else range(first, last)
        return (self._entries[position] for position in order)


class Store:
    """All streams of all tenants.

    Args:
        directory: Where its file is, or will be.
    """

    def __init__(self, directory: Path) -> None:
        self._tenants: dict[str, dict[Labels, StoredStream]] = {}
        self._file = os.open(directory / "entries", os.O_RDWR | os.O_CREAT, 0o644)
        self._end = self._load()
        os.ftruncate(self._file, self._end)
        os.lseek(self._file, self._end, os.SEEK_SET)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def streams(self, tenant: str) -> dict[Labels, StoredStream]:
        """A tenant's streams by their labels."""
        return self._tenants.get(tenant, {})

    def add(self, tenant: str, labels: Labels, entries: Sequence[Entry]) -> list[Entry]:
        """Store entries; returns those that it did not have.

        Raises:
            OSError: They could not be written; none is stored.
        """
        stream = self.streams(tenant).get(labels)
        fresh = stream.unknown(entries) if stream else list(dict.fromkeys(entries))
        if fresh:
            self._write(
                _Record(tenant, labels, [(entry.stamp, entry.line, entry.metadata) for entry in fresh])
            )
            self._insert(tenant, labels, fresh)
        return fresh

    def _insert(self, tenant: str, labels: Labels, entries: Sequence[Entry]) -> None:
        streams = self._tenants.setdefault(tenant, {})
        if labels not in streams:
            streams[labels] = StoredStream(labels)
        streams[labels].add(entries)

    def _write(self, record: _Record) -> None:
        content = _encode(record)
        left = memoryview(_HEAD.pack(len(content), zlib.crc32(content)) + content)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            os.ftruncate(self._file, self._end)
            os.lseek(self._file, self._end, os.SEEK_SET)
            raise
        self._end += _HEAD.size + len(content)

    def _load(self) -> int:
        """Read the file; returns where its last whole record ends."""
        with os.fdopen(os.dup(self._file), "rb") as file:
            end = 0
            while len(head := file.read(_HEAD.size)) == _HEAD.size:
                size, checksum = _HEAD.unpack(head)
                content = file.read(size)
                if len(content) < size or zlib.crc32(content) != checksum:
                    break
                record = _decode(content)
                self._insert(record.tenant, record.labels, [Entry(*entry) for entry in record.entries])
                end += _HEAD.size + size
            return end


def merged(
    streams: Sequence[StoredStream], start: int, end: int, *, backward: bool
) -> Iterator[tuple[StoredStream, Entry]]:
    """The entries of several streams in one order of time."""

    def of(stream: StoredStream) -> Iterator[tuple[StoredStream, Entry]]:
        return ((stream, entry) for entry in stream.between(start, end, backward=backward))

    return heapq.merge(*map(of, streams), key=lambda pair: pair[1].stamp, reverse=backward)
