"""Judging the chain of one writer, row by row. Pure.

A row is sound if its hash is that of what it says at its place, if it is linked to the row before it, if its
number follows, and, where not all columns are hashed, if they are those of the event. Rows whose hash
is wrong are looked at again at the end: of rows that were swapped, each fits the place of another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Row

from logweir.sinks.sql.chain.hashing import GENESIS, Link, Run, bridge
from logweir.sinks.sql.chain.rules import BoundRule, Rule
from logweir.sinks.sql.own_model import AUDIT_COLUMNS
from logweir.sinks.sql.table import CHAIN_COLUMNS
from logweir.sinks.tamper_evidence import Finding, Head, Seam, Trouble

__all__ = [
    "MOST_COMPARED",
    "READ_COLUMNS",
    "WRITER_AT",
    "Judge",
    "StoredRow",
    "fits",
    "is_beyond",
    "moment",
    "number",
    "read_row",
]

#: The columns of a row as it is read: those of the audit, with those of the link before the last.
READ_COLUMNS = (*AUDIT_COLUMNS[:-1], *CHAIN_COLUMNS, AUDIT_COLUMNS[-1])
#: The place of a row's writer among them.
WRITER_AT = len(AUDIT_COLUMNS) - 1
_AUDIT, _LINK = slice(0, WRITER_AT), slice(WRITER_AT, -1)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Rows of one writer that are compared with each other's places; of more, all are called changed.
MOST_COMPARED = 200
_WRONG_HASH = "its hash is not that of what it says, where it is, in this table"


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row as it was read.

    Attributes:
        link: Its link; whoever changed it may have put anything there.
        event_id: Its id.
        time: Its time, if it has one.
        content: What of it is hashed; None if it says nothing that can be read.
        differing: The columns that differ from what the event would have in them.
    """

    link: Link
    event_id: str
    time: datetime | None
    content: Any
    differing: tuple[str, ...] = ()


def moment(time_us: Any) -> datetime | None:
    """Return microseconds since 1970 as a time, if they are one."""
    try:
        return _EPOCH + timedelta(microseconds=time_us)
    except (TypeError, OverflowError):
        return None


def read_row(columns: Mapping[str, Any], rule: Rule) -> StoredRow:
    """Return a row out of its columns, ``extra_info`` as JSON text; nothing in it can make this fail."""
    link = Link(*(columns[name] for name in CHAIN_COLUMNS))
    event_id, time = str(columns["id"]), moment(columns["time_us"])
    try:
        content, differing = rule.read(columns)
    except Exception:  # noqa: BLE001 - whatever was put into the row, the others are judged too
        return StoredRow(link, event_id, time, None)
    return StoredRow(link, event_id, time, content, differing)


def number(seq: Any) -> int:
    """Return the number of a row; 0 if somebody has put something else there."""
    return seq if type(seq) is int else 0


def fits(rule: Rule, content: Any, link: Link) -> bool:
    """Whether a row has, at its place, the hash of what it says; None is what cannot be read."""
    try:
        return content is not None and rule.hash_of(link, content) == link.hash
    except (TypeError, ValueError):
        return False


def is_beyond(row: StoredRow, head: Head | None) -> bool:
    """Whether a row is behind the end of its chain, by a head that was read after it."""
    return head is None or number(row.link.seq) > head.seq


class Judge:
    """Judges the rows of one writer, given in their order.

    Args:
        rule: Which hashes the rows must have.
        writer: The writer.
        head: Where the chain ended when it was first seen, read after its first rows.
        until: The last row that is judged here, of a chain that is divided; by default that of the head.
    """

    def __init__(self, rule: Rule, writer: str, head: Head | None, until: int | None = None) -> None:
        self.writer = writer
        self.seq = 0
        self.until = until if until is not None else head.seq if head is not None else 0
        self._head = head
        self._rule = rule
        self._hash: str | None = GENESIS
        self._last: StoredRow | None = None
        self._suspects: list[StoredRow] = []
        self._has_many_suspects = False
        self._reported_head = False

    @property
    def is_short(self) -> bool:
        """Whether there must be more rows than were given."""
        return self.seq < self.until

    def begin_after(self, seq: int, row: StoredRow | None, runs: Sequence[Run] = ()) -> Seam:
        """Take the state that this would have after a row, which is judged by another; return what it is.

        Args:
            seq: The number of the row.
            row: The row; None if it is not there.
            runs: What was deleted rightly, read after that.
        """
        self.seq, self._last = seq, row
        if row is None:
            reached, self._hash = bridge(runs, seq - 1, None, seq)
            return Seam(self._hash, is_gone=reached == seq)
        self._hash = row.link.hash if self._is_own(row) else None
        return Seam(self._hash)

    @property
    def seam(self) -> Seam:
        """What is known of the last row that was judged."""
        return Seam(self._hash)

    def lacks(self, row: StoredRow) -> bool:
        """Whether rows are missing before this one."""
        return number(row.link.seq) > self.seq + 1

    def follow(self, rows: Sequence[Row[Any]], start: int, head: Head | None) -> int:
        """Take rows as they were read, as long as nothing is wrong with them; how many that was.

        Most rows are sound and cost little here. About what this takes, :meth:`take` would find nothing; what
        this leaves is for that.

        Args:
            rows: Rows in their order, with the columns of :data:`READ_COLUMNS`.
            start: Which of them is the next.
            head: The writer's head, read after the rows.
        """
        if head is None or not isinstance(self._rule, BoundRule) or self._hash is None:
            return 0
        hash_at, writer, until = self._rule.hash_at, self.writer, head.seq
        seq, last, count = self.seq, self._hash, 0
        for row in islice(rows, start, None):
            values = row[:]
            of, number_, prev, proof = values[_LINK]
            fits = of == writer and type(number_) is int and number_ == seq + 1 and prev == last
            if not fits or number_ > until:
                break
            try:
                if hash_at(writer, number_, prev, values[_AUDIT], values[-1]) != proof:
                    break
            except Exception:  # noqa: BLE001 - whatever was put into the row; it is judged by itself
                break
            seq, last, count = number_, proof, count + 1
        if count:
            self.seq, self._hash = seq, last
            self._last = read_row(rows[start + count - 1]._mapping, self._rule)  # type: ignore[arg-type]  # noqa: SLF001 - it is public
        return count

    def take(self, row: StoredRow, head: Head | None, runs: Sequence[Run] = ()) -> Iterator[Finding]:
        """Judge the next row.

        Args:
            row: The row.
            head: The writer's head, read after the row.
            runs: What was deleted legitimately, read after the row; only asked for if rows are missing.
        """
        seq = number(row.link.seq)
        is_own = self._is_own(row)
        if seq <= self.seq:
            yield self._about(row, Trouble.INSERTED, "its number is taken by another row, or is none")
            return
        if is_beyond(row, head):
            if not (is_own and seq == self.seq + 1):
                yield self._about(row, Trouble.INSERTED, "its link fits nowhere: the chain ends before it")
                return
            yield from self._beyond(row, head)
        if self.lacks(row):
            yield from self._missing(seq - 1, runs, row)
        if row.content is None:
            yield self._about(row, Trouble.CHANGED, "it cannot be read any more")
        elif not is_own:
            yield from self._suspect(row)
        else:
            yield from self._judge_own(row)
        self.seq = seq
        self._hash = row.link.hash if is_own else None
        self._last = row

    def end(self, runs: Sequence[Run] = ()) -> Iterator[Finding]:
        """Judge what comes after the last row.

        Args:
            runs: What was deleted legitimately, read after it was found that there are no more rows.
        """
        suspects, self._suspects = self._suspects, []
        yield from self.judge_suspects(suspects)
        head = self._head
        if self.is_short:
            yield from self._missing(self.until, runs, None)
        elif head is not None and head.seq == self.seq and self._hash not in {None, head.hash}:
            detail = "its hash is not the one that the writer has noted for its last row"
            yield self._about(self._last, Trouble.CHANGED, detail)

    def _is_own(self, row: StoredRow) -> bool:
        """Whether the hash of a row is that of what it says, at its place."""
        return self._fits(row.content, row.link)

    def _fits(self, content: Any, link: Link) -> bool:
        return fits(self._rule, content, link._replace(writer=self.writer))

    def _judge_own(self, row: StoredRow) -> Iterator[Finding]:
        if row.differing:
            columns = ", ".join(row.differing)
            yield self._about(
                row, Trouble.CHANGED, f"not what its event would have there: the columns {columns}"
            )
        if self._hash is not None and row.link.prev != self._hash:
            if self._last is not None and self._last.link.seq == row.link.seq - 1:
                detail = "its hash is not the one that the row after it was linked to"
                yield self._about(self._last, Trouble.CHANGED, detail)
            else:
                yield self._about(row, Trouble.CHANGED, "it is not linked to what was before it")

    def _suspect(self, row: StoredRow) -> Iterator[Finding]:
        """Keep a row whose hash is wrong, to be compared at the end; of too many none is kept."""
        self._suspects.append(row)
        self._has_many_suspects = self._has_many_suspects or len(self._suspects) > MOST_COMPARED
        if self._has_many_suspects:
            yield from self.changed()

    def changed(self) -> Iterator[Finding]:
        """Call the rows that were kept changed, and keep them no longer."""
        suspects, self._suspects = self._suspects, []
        for row in suspects:
            yield self._about(row, Trouble.CHANGED, _WRONG_HASH)

    def judge_suspects(self, suspects: Sequence[StoredRow]) -> Iterator[Finding]:
        """Say of rows whose hashes are wrong which are at the place of another, and which were changed."""
        compared = suspects if len(suspects) <= MOST_COMPARED else []
        for row in suspects:
            place = next((other.link.seq for other in compared if self._belongs(row, other)), None)
            if place is None:
                yield self._about(row, Trouble.CHANGED, _WRONG_HASH)
            else:
                yield self._about(row, Trouble.REORDERED, f"it belongs at {place}")

    def _belongs(self, row: StoredRow, other: StoredRow) -> bool:
        """Whether a row fits the place of another, with that one's link or with its own hashes."""
        if row is other:
            return False
        return self._fits(row.content, other.link) or self._fits(
            row.content, row.link._replace(seq=other.link.seq)
        )

    def _beyond(self, row: StoredRow, head: Head | None) -> Iterator[Finding]:
        if not self._reported_head:
            self._reported_head = True
            where = "is missing" if head is None else f"says that the chain ends at {head.seq}"
            yield self._about(row, Trouble.ROLLED_BACK, f"the head of the writer {where}, and here is more")

    def _missing(self, until: int, runs: Sequence[Run], following: StoredRow | None) -> Iterator[Finding]:
        """Go on to a row, over what was deleted legitimately; what was deleted otherwise is missing."""
        seq, hash_ = bridge(runs, self.seq, self._hash, until)
        while seq < until:
            next_run = min((run.first for run in runs if run.first > seq + 1), default=until + 1)
            last = min(next_run - 1, until)
            yield Finding(
                Trouble.MISSING,
                f"{_counted(last - seq)} deleted" + (" before this row" if following else " at the end"),
                self.writer,
                seq + 1,
                last,
                following.event_id if following else None,
                following.time if following else None,
            )
            seq, hash_ = bridge(runs, last, None, until)
        self.seq, self._hash, self._last = seq, hash_, None

    def _about(self, row: StoredRow | None, trouble: Trouble, detail: str) -> Finding:
        if row is None:
            return Finding(trouble, detail, self.writer, self.seq)
        return Finding(trouble, detail, self.writer, row.link.seq, None, row.event_id, row.time)


def _counted(rows: int) -> str:
    return "a row was" if rows == 1 else f"{rows:,} rows were"
