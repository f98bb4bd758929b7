"""The audit chain: canonical bytes, links, and the runs of rows that were deleted rightly. Pure.

Each row of a writer carries the hash of the row before it and its own, over all that the row says; see
``docs/reference/audit-chain.md``. The canonical bytes are those of Python's ``json.dumps`` with sorted keys,
no spaces and no escapes: a definition that does not move with a library's version. msgspec writes the same
bytes several times faster but for some floats, which are recognised and left to ``json``.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec
from pydantic import SecretStr

from logweir.event import Event
from logweir.sinks.tamper_evidence import Head

__all__ = ["GENESIS", "Link", "Run", "Seal", "bridge", "canonical", "extend", "join"]

#: Stands where the first row of a writer has no row before it.
GENESIS = "0" * 64

_encode = msgspec.json.Encoder(order="sorted").encode
#: Numbers that msgspec writes unlike Python: with an exponent, or with four zeros after the point.
_OTHER_FLOATS = re.compile(rb"[:,\[]-?(?:0\.0000|[0-9.]+e)")


class Link(NamedTuple):
    """What chaining adds to a row; the order is that of the columns."""

    writer: str
    seq: int
    prev: str
    hash: str


def canonical(document: dict[str, Any]) -> bytes:
    """Return the one encoding of a JSON document that hashes are made of.

    Raises:
        TypeError: It is no JSON.
        ValueError: A text cannot be written in UTF-8.
    """
    encoded = _encode(document)
    if _OTHER_FLOATS.search(encoded) is None:
        return encoded
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Seal:
    """Makes hashes: SHA-256, or HMAC-SHA-256 with a key."""

    def __init__(self, key: SecretStr | None = None) -> None:
        self._key = key.get_secret_value().encode() if key is not None else None

    def of(self, document: dict[str, Any]) -> str:
        """Return the hash of a document."""
        return self._of(canonical(document))

    def _of(self, data: bytes) -> str:
        return (sha256(data) if self._key is None else hmac.new(self._key, data, sha256)).hexdigest()

    def of_row(self, writer: str, seq: int, prev: str, event: Event) -> str:
        """Return the hash of a row at its place."""
        return self._of(
            _encode(
                {
                    "action": event.name,
                    "env": event.env,
                    "fields": msgspec.Raw(canonical(event.fields)),  # only there can be floats
                    "id": event.id,
                    "kind": event.kind.value,
                    "level": event.level,
                    "prev": prev,
                    "seq": seq,
                    "service": event.service,
                    "span_id": event.span_id,
                    "time": event.time,
                    "trace_id": event.trace_id,
                    "writer": writer,
                }
            )
        )

    def of_run(self, run: Run) -> str:
        """Return the hash that proves who noted a run."""
        return self.of(
            {"first": run.first, "hash": run.hash, "last": run.last, "prev": run.prev, "writer": run.writer}
        )

    def of_beginning(self, unlinked: int, started: int) -> str:
        """Return the hash that proves what there was when chaining began."""
        return self.of({"started": started, "unlinked": unlinked})


def extend(seal: Seal, head: Head, events: Iterable[Event]) -> list[Link]:
    """Return the links of events that follow a head."""
    links = []
    seq, prev = head.seq, head.hash
    for event in events:
        seq += 1
        link = Link(head.writer, seq, prev, seal.of_row(head.writer, seq, prev, event))
        links.append(link)
        prev = link.hash
    return links


@dataclass(frozen=True, slots=True)
class Run:
    """Rows of a writer without a gap.

    Attributes:
        writer: Who wrote them.
        first: The number of the first.
        last: The number of the last.
        prev: The hash that the first was linked to.
        hash: The hash of the last.
    """

    writer: str
    first: int
    last: int
    prev: str
    hash: str

    @classmethod
    def of_row(cls, link: Link) -> Run:
        """A row is a run of one."""
        return cls(link.writer, link.seq, link.seq, link.prev, link.hash)


def join(runs: Iterable[Run]) -> list[Run]:
    """Join runs that follow one another; those whose hashes do not fit stay apart.

    A run within another, whose rows were put back and deleted again, is that one.
    """
    joined: list[Run] = []
    for run in sorted(runs, key=lambda item: (item.writer, item.first, -item.last)):
        before = joined[-1] if joined else None
        if before is not None and _follows(before, run):
            joined[-1] = replace(before, last=run.last, hash=run.hash)
        elif before is None or before.writer != run.writer or before.last < run.last:
            joined.append(run)
    return joined


def _follows(before: Run, run: Run) -> bool:
    return (before.writer, before.last + 1, before.hash) == (run.writer, run.first, run.prev)


def bridge(runs: Sequence[Run], seq: int, prev: str | None, until: int) -> tuple[int, str | None]:
    """Go on over the runs that were deleted rightly.

    Args:
        runs: Those of the writer.
        seq: The last row that was seen.
        prev: Its hash; None if that is not known or not to be trusted.
        until: The last row that is missing.

    Returns:
        The last row that is accounted for, and its hash if it is known.
    """
    while seq < until:
        found = next((run for run in runs if run.first <= seq + 1 <= run.last), None)
        if found is None or (found.first == seq + 1 and prev is not None and found.prev != prev):
            break
        seq, prev = (found.last, found.hash) if found.last <= until else (until, None)
    return seq, prev
