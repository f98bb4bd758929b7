"""Where chains are kept: columns of the audit table, the heads beside it, and what was deleted legitimately.

A head is written in the transaction of its rows. Rows that retention deletes leave a note in the same
transaction, signed like the rows, and notes of neighbours are joined. The heads also hold, under the name
:data:`BEGINNING`, how many rows there were when chaining was turned on. Chains that were closed have their
ends elsewhere; see :mod:`logweir.sinks.sql.chain.identity`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    MetaData,
    String,
    Table,
    and_,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.sinks.sql.chain.hashing import GENESIS, Link, Run, Seal, join
from logweir.sinks.sql.chain.identity import OLDER, ChainEnd, Identity, head_of
from logweir.sinks.sql.table import TABLE_OPTIONS
from logweir.sinks.tamper_evidence import Head, Stock

__all__ = ["BEGINNING", "Beginning", "ChainGone", "ChainTables", "HeadMoved"]

BEGINNING = "beginning"
#: The largest number that a column of links holds.
_LARGEST = 2**63 - 1
#: Notes that are signed anew at once.
_STEP = 1000


class HeadMoved(SinkUnavailable):
    """A head is not as its writer left it: another process has changed it."""


class ChainGone(SinkUnavailable):
    """All rows of a chain were deleted rightly, and its head with them: its writer begins another."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What was noted when chaining was turned on.

    Attributes:
        unlinked: How many rows there were.
        started_us: When it was.
        hash: The proof of both.
    """

    unlinked: int
    started_us: int
    hash: str

    def fits(self, seal: Seal, table_id: str) -> bool:
        """Whether it was noted with this key, for the table of this id."""
        return self.hash == seal.of_beginning(table_id, self.unlinked, self.started_us)


#: What does not fit any table: for a note in which somebody has put no numbers.
_NO_BEGINNING = Beginning(0, 0, "")


class ChainTables:
    """The chain's statements, on the connections of one sink.

    Args:
        audit: The audit table, which has the columns of a link.
        seal: Makes hashes.
    """

    def __init__(self, audit: Table, seal: Seal) -> None:
        self.seal = seal
        self.identity = Identity(audit, seal)
        self._audit = audit
        metadata = MetaData(schema=audit.schema)
        self.heads = Table(
            f"{audit.name}_chain",
            metadata,
            Column("writer", String(36), primary_key=True),
            Column("seq", BigInteger, nullable=False),
            Column("hash", String(64), nullable=False),
            Column("started_us", BigInteger, nullable=False),
            **TABLE_OPTIONS,
        )
        self.gone = Table(
            f"{audit.name}_chain_gone",
            metadata,
            Column("writer", String(36), primary_key=True),
            Column("first_seq", BigInteger, primary_key=True, autoincrement=False),
            Column("last_seq", BigInteger, nullable=False),
            Column("prev_of_first", String(64), nullable=False),
            Column("hash_of_last", String(64), nullable=False),
            Column("mac", String(64), nullable=False),
            **TABLE_OPTIONS,
        )

    @property
    def tables(self) -> list[Table]:
        """Those beside the audit table."""
        return [self.heads, self.gone, *self.later_tables]

    @property
    def later_tables(self) -> list[Table]:
        """Those that came with version 2."""
        return [self.identity.ids, self.identity.closed]

    # -- the beginning ------------------------------------------------------------------------------

    def begin(
        self,
        connection: Connection,
        *,
        note: bool = True,
        lock: AbstractContextManager[None] | None = None,
        accepts: bool = False,
    ) -> None:
        """Give the table its id before the first chain, or bind chains of before version 2 to one.

        Args:
            connection: A connection.
            note: Whether that may be written; if not, only the key is compared.
            lock: Keeps other processes from doing the same meanwhile.
            accepts: Whether an operator is about to :meth:`accept` whatever is there.

        Raises:
            SinkRejected: The chains that are there were begun with another key, whatever is accepted.
        """
        self.identity.load(connection)
        if accepts:
            is_known = self._knows_the_key(connection)
            connection.rollback()
            if not is_known:
                raise self._other_key()
            return
        if note and not self.identity.is_sound:
            raise self._other_key()
        if note and not self.identity.current:
            connection.rollback()
            with lock or nullcontext():
                self.identity.load(connection)
                self._require_key(self.beginning(connection))
                if not self.identity.current:
                    self._bind(connection)
                connection.commit()
        found = self.beginning(connection)
        connection.rollback()
        self._require_key(found)

    def accept(self, connection: Connection, detail: str) -> None:
        """Go on under a new id, in one transaction: what was chained before is closed as it is now.

        Args:
            connection: A connection.
            detail: What was accepted, in words.
        """
        self.identity.load(connection)
        before, found = self.identity.current, self.beginning(connection)
        self.identity.add(connection, "accepted", detail)
        self._close(connection, before)
        if found is None or not found.fits(self.seal, self.identity.first):
            connection.execute(delete(self.heads).where(self.heads.c.writer == BEGINNING))
            self._note_beginning(connection)

    def _bind(self, connection: Connection) -> None:
        found = self.beginning(connection)
        has_heads = connection.scalar(select(self.heads.c.writer).limit(1)) is not None
        self.identity.add(connection, "migrated" if has_heads else "created")
        if found is not None:
            # Bound to the id from now on: a logweir that knows of none must not go on with these chains.
            self._close(connection, OLDER)
            seal = self.seal.of_beginning(self.identity.first, found.unlinked, found.started_us)
            connection.execute(update(self.heads).where(self.heads.c.writer == BEGINNING).values(hash=seal))
        elif not has_heads:  # heads without a beginning were tampered with: that stays to be seen
            self._note_beginning(connection)

    def _note_beginning(self, connection: Connection) -> None:
        there = select(func.count(), func.max(self._audit.c.time_us)).select_from(self._audit)
        unlinked, newest = connection.execute(there.where(self._audit.c.chain_writer.is_(None))).one()
        started = time.time_ns() // 1000
        if (
            type(newest) is int
        ):  # a clock that was ahead of this one must not make insertions of what is there
            started = max(started, min(newest, _LARGEST - 1) + 1)
        seal = self.seal.of_beginning(self.identity.first, unlinked, started)
        values = {"writer": BEGINNING, "seq": unlinked, "hash": seal, "started_us": started}
        connection.execute(insert(self.heads).values(values))

    def _close(self, connection: Connection, table_id: str) -> None:
        self.identity.close(connection, self.heads, table_id, but=BEGINNING)
        self._sign_anew(connection, table_id)

    def _require_key(self, found: Beginning | None) -> None:
        if found is not None and not found.fits(self.seal, self.identity.first):
            raise self._other_key()

    def _knows_the_key(self, connection: Connection) -> bool:
        """Whether anything was made with this key, or there is nothing that was made with any.

        To go on with another one would take away the ids, without which nobody can verify the rows again.
        """
        found, ids = self.beginning(connection), self.identity.stored(connection)
        if self.identity.current or (found is None and not ids):
            return True
        return found is not None and any(found.fits(self.seal, table_id) for table_id in (OLDER, *ids))

    def _other_key(self) -> SinkRejected:
        return SinkRejected(
            f"the chains of the table {self._audit.name} were begun with another key; set audit.chain_key to"
            " that one (if it is, the notes of the chains were changed, or are those of another table)"
        )

    def beginning(self, connection: Connection) -> Beginning | None:
        """Return what was noted when chaining was turned on."""
        columns = self.heads.c
        wanted = select(columns.seq, columns.started_us, columns.hash).where(columns.writer == BEGINNING)
        row = connection.execute(wanted).first()
        if row is None:
            return None
        is_plain = (type(row.seq), type(row.started_us)) == (int, int)
        return Beginning(*row) if is_plain else _NO_BEGINNING

    # -- heads --------------------------------------------------------------------------------------

    def advance(self, connection: Connection, head: Head, last: Link) -> None:
        """Note the new end of a chain, in the transaction of its rows.

        Raises:
            HeadMoved: It is not where this process has left it.
            ChainGone: It was deleted with all rows of the chain.
        """
        if head.seq == 0:
            values = {"writer": last.writer, "seq": last.seq, "hash": last.hash}
            connection.execute(insert(self.heads).values(started_us=time.time_ns() // 1000, **values))
            return
        columns = self.heads.c
        mine = and_(columns.writer == head.writer, columns.seq == head.seq, columns.hash == head.hash)
        moved = connection.execute(update(self.heads).where(mine).values(seq=last.seq, hash=last.hash))
        if moved.rowcount == 1:
            return
        runs = self.gone_of(connection, [head.writer], (head.seq, head.seq))
        if any((run.first, run.last, run.hash) == (1, head.seq, head.hash) for run in runs):
            raise ChainGone(f"the chain of writer {head.writer} in the table {self._audit.name} was deleted")
        raise HeadMoved(
            f"the head of writer {head.writer} in the table {self._audit.name} was changed by somebody else;"
            " run `logweir verify`"
        )

    def ends_of(self, connection: Connection, writers: Iterable[str]) -> dict[str, ChainEnd]:
        """Return where the chains of writers end, those that have an end."""
        columns, names = self.heads.c, _sorted(writers)
        wanted = select(columns.writer, columns.seq, columns.hash)
        wanted = wanted.where(columns.writer.in_(names), columns.writer != BEGINNING)
        current = self.identity.current
        found = [head_of(*row) for row in connection.execute(wanted)]
        ends = {head.writer: ChainEnd(head, current) for head in found if head is not None}
        return ends | {end.head.writer: end for end in self.identity.ends_of(connection, names)}

    def newest(self, connection: Connection) -> str:
        """Return the last of the writers, in the order of the database; an empty text if there is none."""
        tables = [self.heads, self.identity.closed] if self.identity.is_there else [self.heads]
        newest = ""
        for table in tables:
            writer = table.c.writer
            # Only ever compared there: whoever adds one name must not move another out of what is read.
            after = select(writer).where(writer > newest, writer != BEGINNING)
            last = after.order_by(writer.desc()).limit(1)
            found = connection.scalar(last)
            while found is not None and type(found) is not str:  # a BLOB of SQLite, which no place can name
                found = connection.scalar(last.where(writer < found))
            newest = newest if found is None else found
        return newest

    def ends_after(
        self, connection: Connection, writer: str, limit: int, *, is_open: bool, rowless: bool
    ) -> tuple[list[ChainEnd], str | None]:
        """Return the next ends in the order of their writers, and the last writer that was looked at.

        Args:
            connection: A connection.
            writer: The last writer before them.
            limit: How many to look at.
            is_open: Whether those of chains that go on, or of those that were closed.
            rowless: Whether only those of chains without any row.
        """
        columns = (self.heads if is_open else self.identity.closed).c
        audit = self._audit.c
        rows = select(audit.id).where(audit.chain_writer == columns.writer)
        also = [~rows.exists()] if rowless else []
        if not is_open:
            return self.identity.ends_after(connection, writer, limit, *also)
        wanted = select(columns.writer, columns.seq, columns.hash).order_by(columns.writer).limit(limit)
        wanted = wanted.where(columns.writer > writer, columns.writer != BEGINNING, *also)
        current, page = self.identity.current, connection.execute(wanted).all()
        heads = [head_of(*row) for row in page]
        ends = [ChainEnd(head, current) for head in heads if head is not None]
        return ends, page[-1].writer if page else None

    def stock(self, connection: Connection) -> Stock:
        """Return how many rows there are.

        The notes come first: of a row that is deleted meanwhile, its note must not be counted before it is.
        """
        gone, audit = self.gone.c, self._audit.c
        # No integers, which whoever forged a note could make overflow.
        noted = connection.scalar(select(func.sum(gone.last_seq * 1.0 - gone.first_seq + 1)))
        is_unlinked = or_(audit.chain_writer.is_(None), audit.chain_seq.is_(None))
        counts = select(func.count(), func.sum(case((is_unlinked, 1), else_=0))).select_from(self._audit)
        rows, unlinked = connection.execute(counts).one()
        return Stock(rows, int(unlinked or 0), int(noted or 0))

    # -- what was deleted legitimately --------------------------------------------------------------

    def gone_of(
        self, connection: Connection, writers: Iterable[str], between: tuple[int, int] | None = None
    ) -> list[Run]:
        """Return the runs that were noted for writers, without those that somebody else has signed.

        Args:
            connection: Within a transaction.
            writers: Whose.
            between: Two numbers of rows, which leave out the runs that have nothing between them.
        """
        columns = self.gone.c
        order = (columns.writer, columns.first_seq)
        wanted = select(self.gone).where(columns.writer.in_(_sorted(writers))).order_by(*order)
        if between is not None:
            wanted = wanted.where(columns.last_seq >= between[0], columns.first_seq <= between[1])
        return self._signed(connection.execute(wanted), self.identity.current)

    def _signed(self, rows: Iterable[Any], table_id: str) -> list[Run]:
        found = ((Run(*row[:5]), row.mac) for row in rows)
        return [run for run, mac in found if mac == self.seal.of_run(table_id, run)]

    def _sign_anew(self, connection: Connection, table_id: str) -> None:
        """Bind the notes that were signed under an id to the one in force."""
        columns = self.gone.c
        place = (columns.writer, columns.first_seq)
        last: Sequence[Any] = ("", 0)
        while True:
            after = or_(
                columns.writer > last[0], and_(columns.writer == last[0], columns.first_seq > last[1])
            )
            wanted = select(self.gone).where(after).order_by(*place).limit(_STEP)
            rows = connection.execute(wanted).all()
            for run in self._signed(rows, table_id):
                mine = and_(columns.writer == run.writer, columns.first_seq == run.first)
                mac = self.seal.of_run(self.identity.current, run)
                connection.execute(update(self.gone).where(mine).values(mac=mac))
            if len(rows) < _STEP:
                return
            last = rows[-1]

    def note_gone(self, connection: Connection, links: Sequence[Link]) -> None:
        """Note that rows go, whose links are known to be those that were written, in the same transaction.

        Raises:
            SinkUnavailable: Somebody else has noted deletions of the same chains meanwhile.
        """
        if not links:
            return
        numbers = [link.seq for link in links]
        # Those that the new ones lie beside or within; what is elsewhere joins nothing.
        beside = (min(numbers) - 1, min(max(numbers), _LARGEST - 1) + 1)
        noted = set(self.gone_of(connection, {link.writer for link in links}, beside))
        runs = set(join([*noted, *(Run.of_row(link) for link in links)]))
        if runs == noted:
            return
        self._replace_notes(connection, noted - runs, runs - noted)
        # A chain of which nothing is left needs no head; a writer that still goes on with it begins anew.
        whole = [(run.writer, run.last) for run in runs if run.first == 1 and run.prev == GENESIS]
        for table in (self.heads, self.identity.closed) if whole else ():
            connection.execute(delete(table).where(tuple_(table.c.writer, table.c.seq).in_(whole)))

    def _replace_notes(self, connection: Connection, old: set[Run], new: set[Run]) -> None:
        """Replace notes by those that they were joined to."""
        columns = self.gone.c
        if old:
            # As they were read: whoever deletes at the same time may have made others of them.
            as_read = tuple_(columns.writer, columns.first_seq, columns.last_seq, columns.mac)
            wanted = [(run.writer, run.first, run.last, self._mac_of(run)) for run in old]
            if connection.execute(delete(self.gone).where(as_read.in_(wanted))).rowcount != len(old):
                raise SinkUnavailable("another process noted deletions of the same chains")
        if not new:
            return
        # A forged note may stand where a new one belongs.
        places = tuple_(columns.writer, columns.first_seq)
        connection.execute(delete(self.gone).where(places.in_([(run.writer, run.first) for run in new])))
        connection.execute(insert(self.gone), [self._gone_row(run) for run in new])

    def _mac_of(self, run: Run) -> str:
        return self.seal.of_run(self.identity.current, run)

    def _gone_row(self, run: Run) -> dict[str, object]:
        values = (
            run.writer,
            run.first,
            run.last,
            run.prev,
            run.hash,
            self._mac_of(run),
        )
        return dict(zip(self.gone.c.keys(), values, strict=True))


def _sorted(writers: Iterable[str]) -> list[str]:
    """In one order, for the database's cache of statements; whoever forged a writer may have put any type."""
    return sorted(writers, key=str)
