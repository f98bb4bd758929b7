"""What Redis answers, as entries and states, and entries as what Redis is asked for. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from redis.exceptions import ResponseError

from logweir.delivery.brokers.contract import Entry, PartitionState

__all__ = ["MOST_IDS", "START", "by_partition", "entries_of", "ids_of", "state_of", "without_group"]

#: The most ids in one call of a script, whose stack is bounded.
MOST_IDS = 1000
#: Before the first entry.
START = "0-0"
#: The names and values of an entry, as it is written.
_FIELDS = 4


def entries_of(partition: int, items: Iterable[Any], deliveries: int = 1) -> list[Entry]:
    """The entries of a partition, without those that were deleted meanwhile."""
    # The constructor of a named tuple costs as much as all the rest; its base's does not.
    make, found = tuple.__new__, []
    for position, fields in items:
        if not fields:
            continue
        version, body = fields[1], fields[-1]
        if fields[0] != b"v" or len(fields) != _FIELDS:  # not as we write it: looked for in place of known
            named = dict(zip(fields[::2], fields[1::2], strict=False))
            version, body = named.get(b"v", b""), named.get(b"e", b"")
        number = 1 if version == b"1" else int(version) if version.isdigit() else 0
        found.append(make(Entry, (partition, position.decode(), body, number, deliveries)))
    return found


def by_partition(entries: Iterable[Entry]) -> dict[int, list[Entry]]:
    """The entries by their partitions, in their order."""
    found: dict[int, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.partition, []).append(entry)
    return found


def ids_of(entries: Iterable[Entry]) -> Iterable[tuple[int, list[str]]]:
    """The partition and the positions of each call, none of which has too many."""
    found: dict[int, list[str]] = defaultdict(list)
    for partition, position, *_ in entries:
        found[partition].append(position)
    for number, part in found.items():
        for start in range(0, len(part), MOST_IDS):
            yield number, part[start : start + MOST_IDS]


def without_group(answer: Any) -> Any:
    """The answer, which is empty where there is no group: whoever leases next makes it anew."""
    gone = isinstance(answer, ResponseError) and "NOGROUP" in str(answer)
    return (START.encode(), ()) if gone else answer


def state_of(number: int, answer: Sequence[Any], now: int) -> PartitionState:
    """What the script ``STATE`` answers of a partition at a time of Redis's, in seconds."""
    length, pending, consumers, first, added, settled = answer
    oldest = max(0.0, now - int(first.split(b"-")[0]) / 1000) if first else 0.0
    missing = max(0, added - length - settled)
    return PartitionState(number, max(0, length - pending), pending, oldest, consumers, missing)
