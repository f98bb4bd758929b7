"""The audit chain: hashes, links, and the runs of rows that were deleted legitimately. Pure.

Each row of a writer carries the hash of the row before it and its own, over the id of its table and all
columns of the audit, as they are stored; see ``docs/reference/audit-chain.md``. Before version 2 of the
table it was over the event, without an id; those chains are closed, and verified by their own rule.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec
from pydantic import SecretStr

from logweir.event import Event
from logweir.sinks.sql.canonical import canonical
from logweir.sinks.tamper_evidence import Head

__all__ = ["GENESIS", "Link", "Run", "Seal", "bridge", "extend", "join"]

#: Stands where the first row of a writer has no row before it.
GENESIS = "0" * 64

_encode = msgspec.json.Encoder().encode
#: The types of a column's value; anything else, such as a BLOB, might be written like a text.
_PLAIN = frozenset({str, int, type(None)})
#: Those of a number; a model may have a column of decimals.
_NUMBERS = frozenset({float, int, Decimal})


class Link(NamedTuple):
    """What chaining adds to a row; the order is that of the columns."""

    writer: str
    seq: int
    prev: str
    hash: str


class _Row(msgspec.Struct, gc=False):
    """What is hashed of a row: in JSON an object with these names, in this order, that of the alphabet."""

    action: Any
    duration_ms: Any
    env: Any
    error_type: Any
    extra_info: Any
    id: Any
    kind: Any
    level: Any
    prev: Any
    resource: Any
    seq: Any
    service: Any
    span_id: Any
    status: Any
    table: Any
    time_ns: Any
    time_us: Any
    trace_id: Any
    user_id: Any
    writer: Any


class Seal:
    """Makes hashes: SHA-256, or HMAC-SHA-256 with a key."""

    def __init__(self, key: SecretStr | None = None) -> None:
        keyed = None if key is None else hmac.new(key.get_secret_value().encode(), digestmod=sha256)
        # Copied for each hash: what the key costs is paid once.
        self._empty = sha256() if keyed is None else keyed

    def of(self, document: dict[str, Any]) -> str:
        """Return the hash of a document."""
        return self._of(canonical(document))

    def _of(self, data: bytes) -> str:
        made = self._empty.copy()
        made.update(data)
        return made.hexdigest()

    def of_row(self, table_id: str, link: Link, columns: Sequence[Any]) -> str:
        """Return the hash of a row at its place; that in the link is not looked at.

        Args:
            table_id: The id of its table.
            link: Its place.
            columns: The columns of the audit in their order, ``extra_info`` as canonical text.

        Raises:
            TypeError: A column has a value of a type that logweir never writes.
            ValueError: A text cannot be written in UTF-8.
        """
        return self.of_columns(table_id, link.writer, link.seq, link.prev, columns)

    def of_columns(self, table_id: str, writer: str, seq: int, prev: str, columns: Sequence[Any]) -> str:
        """As :meth:`of_row`, by the parts of a place."""
        id_, us, ns, kind, level, action, service, env, trace, span, *own, ms, extra = columns
        user, status, resource, error = own
        if not _PLAIN.issuperset(map(type, columns[:-2])) or type(extra) is not str:
            raise TypeError("a column has a value of another type")
        number = None if ms is None else _number(ms)
        row = _Row(
            action, number, env, error, extra, id_, kind, level, prev, resource, seq, service, span, status,
            table_id, ns, us, trace, user, writer,
        )  # fmt: skip
        return self._of(_encode(row))

    def of_row_before_2(self, link: Link, event: Event) -> str:
        """Return the hash of a row that was written before version 2 of the table."""
        return self._of(
            _encode(
                {
                    "action": event.name,
                    "env": event.env,
                    "fields": msgspec.Raw(canonical(event.fields)),  # only there can be floats
                    "id": event.id,
                    "kind": event.kind.value,
                    "level": event.level,
                    "prev": link.prev,
                    "seq": link.seq,
                    "service": event.service,
                    "span_id": event.span_id,
                    "time": event.time,
                    "trace_id": event.trace_id,
                    "writer": link.writer,
                }
            )
        )

    def of_run(self, table_id: str, run: Run) -> str:
        """Return the hash that proves who noted a run, and of which table."""
        parts = {
            "first": run.first,
            "hash": run.hash,
            "last": run.last,
            "prev": run.prev,
            "writer": run.writer,
        }
        return self.of({**parts, "table": table_id} if table_id else parts)

    def of_beginning(self, table_id: str, unlinked: int, started: int) -> str:
        """Return the hash that proves what there was when chaining began."""
        parts = {"started": started, "unlinked": unlinked}
        return self.of({**parts, "table": table_id} if table_id else parts)


def extend(seal: Seal, table_id: str, head: Head, rows: Iterable[Sequence[Any]]) -> list[Link]:
    """Return the links of rows that follow a head; of each row its columns, as for :meth:`Seal.of_row`."""
    links = []
    seq, prev = head.seq, head.hash
    for columns in rows:
        seq += 1
        place = Link(head.writer, seq, prev, "")
        prev = seal.of_row(table_id, place, columns)
        links.append(place._replace(hash=prev))
    return links


def _number(value: float | Decimal) -> msgspec.Raw:
    """A number as a column of floats gives it back: never an integer, nor -0.0, which SQLite lacks.

    Raises:
        TypeError: It is none, whatever Python would make of it: to SQL a text has another value.
    """
    if type(value) not in _NUMBERS:
        raise TypeError("a number has another type")
    return msgspec.Raw(repr(float(value) + 0.0).encode())


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
    """Go on over the runs that were deleted legitimately.

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
