"""Where chains are kept: columns of the audit table, the heads beside it, and what was deleted rightly.

A head is written in the transaction of its rows. Rows that retention deletes leave a note in the same
transaction, signed like the rows, and notes of neighbours are joined. The heads also hold, under the name
:data:`BEGINNING`, how many rows there were when chaining was turned on.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    MetaData,
    String,
    Table,
    and_,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.sinks.sql.chain.hashing import GENESIS, Link, Run, Seal, join
from logweir.sinks.sql.table import CHAIN_COLUMNS, TABLE_OPTIONS
from logweir.sinks.tamper_evidence import Head

__all__ = ["BEGINNING", "Beginning", "ChainTables", "HeadMoved"]

BEGINNING = "beginning"


class HeadMoved(SinkUnavailable):
    """A head is not what its writer left: somebody else was there."""


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

    def fits(self, seal: Seal) -> bool:
        """Whether it was noted with this key."""
        return self.hash == seal.of_beginning(self.unlinked, self.started_us)


class ChainTables:
    """The chain's statements, on the connections of one sink.

    Args:
        audit: The audit table, which has the columns of a link.
        seal: Makes hashes.
    """

    def __init__(self, audit: Table, seal: Seal) -> None:
        self.seal = seal
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
        return [self.heads, self.gone]

    # -- the beginning ------------------------------------------------------------------------------

    def begin(self, connection: Connection, *, note: bool = True) -> None:
        """Note how many rows there are before the first chain.

        Args:
            connection: A connection.
            note: Whether that may be written; if not, only the key is compared.

        Raises:
            SinkRejected: The chains that are there were begun with another key.
        """
        found = self.beginning(connection)
        if note and found is None and connection.scalar(select(self.heads.c.writer).limit(1)) is None:
            unlinked = connection.scalar(select(func.count()).select_from(self._audit)) or 0
            started = time.time_ns() // 1000
            seal = self.seal.of_beginning(unlinked, started)
            values = {"writer": BEGINNING, "seq": unlinked, "hash": seal, "started_us": started}
            try:
                connection.execute(insert(self.heads).values(values))
                connection.commit()
            except IntegrityError:  # another process was faster
                connection.rollback()
            found = self.beginning(connection)
        connection.rollback()
        if found is not None and not found.fits(self.seal):
            raise SinkRejected(
                f"the chains of the table {self._audit.name} were begun with another key;"
                " set audit.chain_key to that one"
            )

    def beginning(self, connection: Connection) -> Beginning | None:
        """Return what was noted when chaining was turned on."""
        columns = self.heads.c
        wanted = select(columns.seq, columns.started_us, columns.hash).where(columns.writer == BEGINNING)
        row = connection.execute(wanted).first()
        return None if row is None else Beginning(*row)

    # -- heads --------------------------------------------------------------------------------------

    def advance(self, connection: Connection, head: Head, last: Link) -> None:
        """Note the new end of a chain, in the transaction of its rows.

        Raises:
            HeadMoved: It is not where this process has left it.
        """
        if head.seq == 0:
            values = {"writer": last.writer, "seq": last.seq, "hash": last.hash}
            connection.execute(insert(self.heads).values(started_us=time.time_ns() // 1000, **values))
            return
        columns = self.heads.c
        mine = and_(columns.writer == head.writer, columns.seq == head.seq, columns.hash == head.hash)
        moved = connection.execute(update(self.heads).where(mine).values(seq=last.seq, hash=last.hash))
        if moved.rowcount != 1:
            raise HeadMoved(
                f"the head of writer {head.writer} in the table {self._audit.name} was changed by somebody"
                " else; run `logweir verify`"
            )

    def heads_of(self, connection: Connection, writers: Iterable[str]) -> dict[str, Head]:
        """Return the heads of writers, those that have one."""
        columns = self.heads.c
        wanted = select(columns.writer, columns.seq, columns.hash)
        wanted = wanted.where(columns.writer.in_(_sorted(writers)), columns.writer != BEGINNING)
        return {row.writer: Head(*row) for row in connection.execute(wanted)}

    def newest(self, connection: Connection) -> str:
        """Return the last of the writers, in the order of the database; an empty text if there is none."""
        writer = self.heads.c.writer
        return connection.scalar(select(func.max(writer)).where(writer != BEGINNING)) or ""

    def heads_after(self, connection: Connection, writer: str, limit: int, *, rowless: bool) -> list[Head]:
        """Return the next heads in the order of their writers; if wanted, only those without any row."""
        columns = self.heads.c
        wanted = select(columns.writer, columns.seq, columns.hash).order_by(columns.writer).limit(limit)
        wanted = wanted.where(columns.writer > writer, columns.writer != BEGINNING)
        if rowless:
            audit = self._audit.c
            wanted = wanted.where(~select(audit.id).where(audit.chain_writer == columns.writer).exists())
        return [Head(*row) for row in connection.execute(wanted)]

    # -- what was deleted rightly -------------------------------------------------------------------

    def delete(self, connection: Connection, condition: ColumnElement[bool]) -> int:
        """Delete rows, and note which links go with them; return how many went.

        Raises:
            SinkUnavailable: Somebody else deleted some of them meanwhile.
        """
        audit = self._audit.c
        links = [audit[name] for name in CHAIN_COLUMNS]
        rows = connection.execute(select(*links).where(condition).with_for_update()).all()
        self._note_gone(connection, [Link(*row) for row in rows if all(part is not None for part in row)])
        deleted = connection.execute(delete(self._audit).where(condition)).rowcount
        if deleted != len(rows):
            raise SinkUnavailable("another process deleted the same rows")
        return deleted

    def gone_of(self, connection: Connection, writers: Iterable[str]) -> list[Run]:
        """Return the runs that were noted for writers, without those that somebody else has signed."""
        columns = self.gone.c
        order = (columns.writer, columns.first_seq)
        wanted = select(self.gone).where(columns.writer.in_(_sorted(writers))).order_by(*order)
        found = ((Run(*row[:5]), row.mac) for row in connection.execute(wanted))
        return [run for run, mac in found if mac == self.seal.of_run(run)]

    def _note_gone(self, connection: Connection, links: Sequence[Link]) -> None:
        if not links:
            return
        noted = set(self.gone_of(connection, {link.writer for link in links}))
        runs = set(join([*noted, *(Run.of_row(link) for link in links)]))
        if not (changed := runs ^ noted):
            return
        columns = self.gone.c
        places = tuple_(
            columns.writer, columns.first_seq
        )  # a forged note may stand in the place of a new one
        connection.execute(delete(self.gone).where(places.in_([(run.writer, run.first) for run in changed])))
        connection.execute(insert(self.gone), [self._gone_row(run) for run in runs - noted])
        # A chain of which nothing is left needs no head; a writer that still goes on with it begins anew.
        heads = self.heads.c
        whole = [(run.writer, run.last) for run in runs if run.first == 1 and run.prev == GENESIS]
        if whole:
            connection.execute(delete(self.heads).where(tuple_(heads.writer, heads.seq).in_(whole)))

    def _gone_row(self, run: Run) -> dict[str, object]:
        values = (run.writer, run.first, run.last, run.prev, run.hash, self.seal.of_run(run))
        return dict(zip(self.gone.c.keys(), values, strict=True))


def _sorted(writers: Iterable[str]) -> list[str]:
    """In one order, for the database's cache of statements; whoever forged a writer may have put any type."""
    return sorted(writers, key=str)
