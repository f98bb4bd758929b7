"""What is pushed: entries in streams, and how large they are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from servers.loki_double.labels import Labels, format_labels


class Entry(NamedTuple):
    """One line; two that are equal are one."""

    stamp: int
    line: str
    metadata: Labels = ()


@dataclass(frozen=True)
class RawStream:
    """A stream as it came, its labels not yet parsed."""

    labels: str
    entries: Sequence[Entry]


@dataclass(frozen=True)
class Stream:
    """A stream whose labels are right."""

    labels: Labels
    entries: Sequence[Entry]

    @property
    def text(self) -> str:
        """The labels as Loki writes them."""
        return _text(self.labels)

    def first(self, count: int) -> "Stream":
        """The stream with its first entries alone."""
        return replace(self, entries=self.entries[:count])


@lru_cache(maxsize=4096)
def _text(labels: Labels) -> str:
    return format_labels(labels)


def length(text: str) -> int:
    """Bytes of a text."""
    return len(text) if text.isascii() else len(text.encode())


def metadata_size(entry: Entry) -> int:
    """Bytes of the names and values of an entry's structured metadata."""
    return sum(length(name) + length(value) for name, value in entry.metadata)


def entry_size(entry: Entry) -> int:
    """Bytes of an entry as the rates count it: line and structured metadata."""
    return length(entry.line) + metadata_size(entry)


#: Bytes that protobuf adds to an entry (time, lengths and keys) and to a pair, about.
_ENTRY_OVERHEAD, _PAIR_OVERHEAD = 22, 6


def message_size(streams: Sequence[Stream]) -> int:
    """About the bytes of the streams as one message between Loki's processes."""
    return sum(
        len(stream.text)
        + sum(
            entry_size(entry) + _ENTRY_OVERHEAD + _PAIR_OVERHEAD * len(entry.metadata)
            for entry in stream.entries
        )
        for stream in streams
    )
