"""Chained writing: each write of a process goes on with a chain that no other write has at that time.

A sink keeps the chains that nobody uses at the moment; a write takes one, or begins a new one, and gives it
back. So writers of one process, of several processes and of several machines never wait for each other.
What a chain is in memory moves on only once the transaction is committed. If it is not known whether it
was, the chain is never used again: whichever way it went, the chain in the database has no gap.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.ext.asyncio import AsyncConnection

from logweir.diagnostics import report
from logweir.errors import SinkRejected
from logweir.event import Event, new_event_id
from logweir.sinks.sql.chain.hashing import GENESIS, Link, extend
from logweir.sinks.sql.chain.tables import ChainGone, ChainTables, HeadMoved
from logweir.sinks.sql.client import Transaction
from logweir.sinks.sql.outbox import insert_row, row_of
from logweir.sinks.sql.table import CHAIN_COLUMNS
from logweir.sinks.sql.verdicts import DuplicateKey
from logweir.sinks.sql.writing import Insertion, hashed_columns
from logweir.sinks.tamper_evidence import Head

__all__ = ["Writers", "insert_alone", "require_links"]


def require_links(table: Table) -> None:
    """Check that a table has the columns of a link, which a model of the application's may lack.

    Raises:
        SinkRejected: It lacks some.
    """
    missing = [name for name in CHAIN_COLUMNS if name not in table.columns]
    if missing:
        raise SinkRejected(f"the model of {table.name} lacks the columns {', '.join(missing)}; add them")


def insert_alone(connection: Connection, table: Table, chain: ChainTables, event: Event) -> None:
    """Insert a row that is a chain by itself, in somebody else's transaction, however long that takes."""
    head, row = _new_chain(), row_of(connection, table, event)
    chain.identity.load(connection)  # another process may have given the table a new one
    (link,) = extend(chain.seal, chain.identity.current, head, [hashed_columns(row)])
    insert_row(connection, table, {**row, **dict(zip(CHAIN_COLUMNS, link, strict=True))})
    chain.advance(connection, head, link)


class Writers:
    """The chains of one open sink.

    Args:
        chain: Their tables.
        insertion: How rows get into the audit table.
        transaction: Begins a transaction.
    """

    def __init__(self, chain: ChainTables, insertion: Insertion, transaction: Transaction) -> None:
        self._chain = chain
        self._insertion = insertion
        self._transaction = transaction
        self._idle: list[Head] = []
        #: Where the chains end that were written, for who notes it elsewhere and takes them out.
        self.ends: dict[str, Head] = {}

    async def store(self, rows: Sequence[Any]) -> set[int]:
        """Store rows in one transaction; return the indexes of those that are there already.

        Raises:
            SinkError: Nothing was stored.
        """
        head = self._idle.pop() if self._idle else _new_chain()
        try:
            return await self._store(head, rows)
        except DuplicateKey:
            pass  # an id is there, or in the batch twice, or somebody else has put a row at our place
        except ChainGone:
            pass  # by retention, while nobody wrote to it
        except HeadMoved as error:
            report(f"{head.writer}.head", "%s", error)
        # The second attempt begins a chain of its own: the place in the old one may be taken, and the old
        # one, if the first attempt has committed after all, must not be continued from what memory has of it.
        try:
            return await self._store(_new_chain(), rows, self._insertion.fresh)
        except DuplicateKey:  # an id is there with another time
            return await self._store(_new_chain(), rows, partial(self._insertion.fresh, any_time=True))

    async def _store(
        self,
        head: Head,
        rows: Sequence[Any],
        fresh: Callable[[AsyncConnection, Sequence[Any]], Awaitable[Sequence[int]]] | None = None,
    ) -> set[int]:
        ended = False
        try:
            async with self._transaction() as connection:
                chosen: Sequence[int] = range(len(rows))
                if fresh is not None:
                    chosen = await fresh(connection, rows)
                if head.seq == 0:  # another process may have given the table a new id
                    await connection.run_sync(self._chain.identity.load)
                hashed = [self._insertion.hashed(rows[index]) for index in chosen]
                links = extend(self._chain.seal, self._chain.identity.current, head, hashed)
                if links:
                    linked = [
                        self._insertion.linked(rows[index], link)
                        for index, link in zip(chosen, links, strict=True)
                    ]
                    await self._insertion.insert(connection, linked)
                    # In the same transaction as the rows: verifying may then take a row beyond its head for
                    # forged.
                    await connection.run_sync(self._chain.advance, head, links[-1])
                ended = True  # from here on only the COMMIT can fail, whose outcome may stay unknown
        except DuplicateKey:
            raise
        except SinkRejected:
            if not ended:  # the server has answered, so that nothing of it can come later
                self._give_back(head)
            raise
        # Only now is it known that the rows stand there: the chain goes on in memory after the commit, never
        # before.
        end = _after(links) if links else head
        self._give_back(end)
        if links:
            self.ends[end.writer] = end
        return set(range(len(rows))).difference(chosen)

    # Whatever else was raised (a lost connection, a cancellation) leaves the head out: a chain of unknown end
    # is not continued, and costs no more than one new row of heads.
    def _give_back(self, head: Head) -> None:
        self._idle.append(head)


def _new_chain() -> Head:
    return Head(new_event_id(), 0, GENESIS)


def _after(links: Sequence[Link]) -> Head:
    last = links[-1]
    return Head(last.writer, last.seq, last.hash)
