"""Whose chains they are: the ids of an audit table, and the ends of the chains that were closed.

A table gets a random id when its chains begin, which is part of every hash: what was chained in another
table fits nowhere in this one. It gets a further id where its older chains must not go on: when they were
written without one (``migrated``), or when an operator accepts that rows are gone (``accepted``). The chains
that there are are closed then, each with a signed note of its end and of the id in its hashes. Ids are
signed, each with the one before it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    inspect,
    select,
)

from logweir.sinks.sql.chain.hashing import Seal
from logweir.sinks.sql.table import TABLE_OPTIONS
from logweir.sinks.tamper_evidence import Epoch, Head

__all__ = ["OLDER", "ChainEnd", "Identity", "head_of"]

#: Stands for the id of a table in the hashes of rows that were written before tables had one.
OLDER = ""
_COLUMNS = ("number", "table_id", "started_us", "reason", "detail", "mac")
#: Chains that are closed at once.
_STEP = 1000


def head_of(writer: Any, seq: Any, hash_: Any) -> Head | None:
    """Return a head by its columns; None if somebody has put values of other types there."""
    return Head(writer, seq, hash_) if (type(writer), type(seq), type(hash_)) == (str, int, str) else None


class ChainEnd(NamedTuple):
    """Where a chain ends, and the id of the table that is in its hashes."""

    head: Head
    table_id: str


@dataclass(frozen=True, slots=True)
class _Id:
    """A row of the ids."""

    number: int
    table_id: str
    started_us: int
    reason: str
    detail: str
    mac: str


class Identity:
    """The ids of one table, on the connections of its sink.

    Args:
        audit: The audit table.
        seal: Makes hashes.
    """

    def __init__(self, audit: Table, seal: Seal) -> None:
        self._name = str(audit.name)
        self._seal = seal
        metadata = MetaData(schema=audit.schema)
        self.ids = Table(
            f"{audit.name}_chain_ids",
            metadata,
            Column("number", Integer, primary_key=True, autoincrement=False),
            Column("table_id", String(36), nullable=False),
            Column("started_us", BigInteger, nullable=False),
            Column("reason", String(16), nullable=False),
            Column("detail", Text, nullable=False),
            Column("mac", String(64), nullable=False),
            **TABLE_OPTIONS,
        )
        self.closed = Table(
            f"{audit.name}_chain_closed",
            metadata,
            Column("writer", String(36), primary_key=True),
            Column("seq", BigInteger, nullable=False),
            Column("hash", String(64), nullable=False),
            Column("table_id", String(36), nullable=False),
            Column("closed_by", String(36), nullable=False),
            Column("mac", String(64), nullable=False),
            **TABLE_OPTIONS,
        )
        self._ids: list[_Id] = []
        self.is_there = False
        self.is_sound = True

    # -- ids ----------------------------------------------------------------------------------------

    @property
    def current(self) -> str:
        """The id that new rows are bound to; :data:`OLDER` where the table has none."""
        return self._ids[-1].table_id if self._ids else OLDER

    @property
    def first(self) -> str:
        """The id that the note of the beginning is bound to."""
        return self._ids[0].table_id if self._ids else OLDER

    @property
    def epochs(self) -> list[Epoch]:
        """The ids in their order, each with what began with it."""
        return [Epoch(each.table_id, each.started_us, each.reason, each.detail) for each in self._ids]

    def load(self, connection: Connection) -> None:
        """Read the ids; what nobody with the key has signed is none, and neither is what follows it."""
        if not self.is_there:
            self.is_there = inspect(connection).has_table(self.ids.name, self.ids.schema)
        found, is_sound = list[_Id](), True
        if self.is_there:
            for row in connection.execute(select(self.ids).order_by(self.ids.c.number)):
                new = _Id(*row)
                is_sound = new.number == len(found) + 1 and new.mac == self._mac_of(new, found)
                if not is_sound:
                    break
                found.append(new)
        # At once: other writers of the process ask meanwhile.
        self._ids, self.is_sound = found, is_sound

    def stored(self, connection: Connection) -> list[str]:
        """Return the ids as they stand there, whoever has signed them."""
        if not self.is_there:
            return []
        return [*connection.scalars(select(self.ids.c.table_id).order_by(self.ids.c.number))]

    def add(self, connection: Connection, reason: str, detail: str = "") -> None:
        """Give the table a further id.

        Raises:
            IntegrityError: Another process has given it one meanwhile.
        """
        # Whatever follows the ids that are signed correctly was put there by somebody else.
        if not self.is_sound:
            connection.execute(delete(self.ids).where(self.ids.c.number > len(self._ids)))
        unsigned = _Id(len(self._ids) + 1, uuid4().hex, time.time_ns() // 1000, reason, detail, "")
        values = {name: getattr(unsigned, name) for name in _COLUMNS}
        mac = self._mac_of(unsigned, self._ids)
        connection.execute(insert(self.ids).values({**values, "mac": mac}))
        self._ids = [*self._ids, _Id(**{**values, "mac": mac})]

    def _mac_of(self, new: _Id, before: Sequence[_Id]) -> str:
        return self._seal.of(
            {
                "before": before[-1].table_id if before else OLDER,
                "detail": new.detail,
                "id": new.table_id,
                "name": self._name,
                "number": new.number,
                "reason": new.reason,
                "started": new.started_us,
            }
        )

    # -- chains that were closed --------------------------------------------------------------------

    def close(self, connection: Connection, heads: Table, table_id: str, *, but: str) -> int:
        """Close all chains that have a head; return how many.

        Args:
            connection: A connection, in whose transaction it happens.
            heads: The table of the heads, which loses them.
            table_id: The id in their hashes.
            but: The name of the one row there that is no head.
        """
        columns, count = heads.c, 0
        wanted = select(columns.writer, columns.seq, columns.hash).where(columns.writer != but)
        while rows := connection.execute(wanted.limit(_STEP).with_for_update()).all():
            ends = [ChainEnd(Head(*row), table_id) for row in rows]
            writers = [end.head.writer for end in ends]
            # A signed note of an earlier end wins over a head, which is not signed; any other says nothing.
            before = {end.head.writer for end in self.ends_of(connection, writers)}
            fresh = [end for end in ends if end.head.writer not in before]
            names = [end.head.writer for end in fresh]
            connection.execute(delete(self.closed).where(self.closed.c.writer.in_(names)))
            if fresh:
                connection.execute(insert(self.closed), [self._note(end) for end in fresh])
            connection.execute(delete(heads).where(columns.writer.in_(writers)))
            count += len(fresh)
        return count

    def ends_of(self, connection: Connection, writers: Iterable[str]) -> list[ChainEnd]:
        """Return the ends of those of the writers whose chains were closed."""
        if not self.is_there:
            return []
        return self._fitting(connection, self.closed.c.writer.in_(writers))

    def ends_after(
        self, connection: Connection, writer: str, limit: int, *also: Any
    ) -> tuple[list[ChainEnd], str | None]:
        """Return the next of the closed chains by their writers, and the last writer that was looked at."""
        if not self.is_there:
            return [], None
        columns = self.closed.c
        page = select(columns.writer).where(columns.writer > writer, *also).order_by(columns.writer)
        writers = list(connection.scalars(page.limit(limit)))
        return (self.ends_of(connection, writers), writers[-1]) if writers else ([], None)

    def _fitting(self, connection: Connection, condition: Any) -> list[ChainEnd]:
        columns = self.closed.c
        wanted = select(self.closed).where(condition).order_by(columns.writer)
        found = []
        for row in connection.execute(wanted):
            head = head_of(row.writer, row.seq, row.hash)
            if head is None:
                continue
            end = ChainEnd(head, row.table_id)
            if row.closed_by in self._known and row.mac == self._mac_of_end(end, row.closed_by):
                found.append(end)
        return found

    @property
    def _known(self) -> set[str]:
        return {each.table_id for each in self._ids}

    def _note(self, end: ChainEnd) -> dict[str, object]:
        head, by = end.head, self.current
        values = (head.writer, head.seq, head.hash, end.table_id, by, self._mac_of_end(end, by))
        return dict(zip(self.closed.c.keys(), values, strict=True))

    def _mac_of_end(self, end: ChainEnd, by: str) -> str:
        head = end.head
        return self._seal.of(
            {"closed": by, "hash": head.hash, "seq": head.seq, "table": end.table_id, "writer": head.writer}
        )
