"""Reading the rows of chains, page by page along their index, in bounded memory, while others may write.

Each page comes with the ends of its chains, which are read after it. The order is that of the database: a
writer's name is only ever compared there, whatever somebody has put into its column.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from logweir.sinks.sql.chain.identity import ChainEnd
from logweir.sinks.sql.chain.judging import READ_COLUMNS, WRITER_AT, number
from logweir.sinks.sql.chain.tables import BEGINNING, ChainTables
from logweir.sinks.sql.client import PAGE, Transaction
from logweir.sinks.sql.dialects.contract import Database
from logweir.sinks.tamper_evidence import Place

__all__ = ["ChainPages", "Page", "rows_of"]

#: How many rows are read first, before it is known how large they are, and of large ones at least.
_FIRST = 200
_FEWEST = 10
#: How many pages of small rows are read as one, the bytes that these should have, and those of a row beside
#: its ``extra_info``.
_MORE = 5
_PAGE_BYTES = 8 << 20
_ROW_BYTES = 1500


class _Mark(NamedTuple):
    """A place as if it were a row: behind whatever a writer has under a number."""

    chain_writer: str
    chain_seq: int
    id: None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, and what was read after them.

    Attributes:
        rows: The rows, by writer and number.
        ends: Where the chains of their writers end.
        last: The row before these, if what its writer wrote behind it is passed over.
    """

    rows: list[Row[Any]]
    ends: dict[str, ChainEnd]
    last: Row[Any] | _Mark | None

    def passes_over(self, row: Row[Any]) -> bool:
        """Whether a row was written since its chain was first seen, as far as the chain says by itself."""
        end = self.ends.get(row.chain_writer)
        if self.last is None or end is None or not self.goes_on(row.chain_writer):
            return False
        return number(self.last.chain_seq) < number(row.chain_seq) <= end.head.seq

    def goes_on(self, writer: str) -> bool:
        """Whether rows of a writer are passed over here."""
        return self.last is not None and self.last.chain_writer == writer


class ChainPages:
    """The rows of one table that have a number in a chain.

    Args:
        table: The audit table.
        chain: The tables beside it.
        transaction: Begins a transaction.
        database: Whose it is.
    """

    def __init__(
        self, table: Table, chain: ChainTables, transaction: Transaction, database: Database
    ) -> None:
        self._table = table
        self._chain = chain
        self._transaction = transaction
        self._database = database
        self._page = PAGE

    async def of_chains(
        self, after: Place | None, until: Place, first_seen: ChainEnd | None
    ) -> AsyncIterator[Page]:
        """Yield the rows of writers from one place to another.

        A chain is read as far as it went when it was first seen, and then from where it goes at that time:
        verifying must end, however fast others write.

        Args:
            after: Where they begin; None for the first row.
            until: Where they end.
            first_seen: The end of the chain within which they begin, if they do.
        """
        async for page in self._pages(self._in_order(), after, until, first_seen):
            yield page

    async def headless(self, newest: str) -> AsyncIterator[Page]:
        """Yield the rows of writers behind a name that have no head, nor have begun since."""
        writer, heads = self._table.c.chain_writer, self._chain.heads.c
        # The note of the beginning is among the heads, but is none: it must not hide rows under its name.
        headless = ~select(heads.writer).where(heads.writer == writer, heads.writer != BEGINNING).exists()
        async for page in self._pages(self._in_order().where(writer > newest, headless), None, None, None):
            yield page

    async def of_writer(
        self, connection: AsyncConnection, writer: str, after: int, until: int
    ) -> list[Row[Any]]:
        """Return at most a page of the rows of one writer between two numbers, with the second."""
        columns = self._table.c
        of_writer = self._in_order().where(columns.chain_writer == writer)
        wanted = of_writer.where(columns.chain_seq > after, columns.chain_seq <= until)
        return await _fetch(connection, wanted, PAGE)

    async def at(self, connection: AsyncConnection, writer: str, seqs: Sequence[int]) -> list[Row[Any]]:
        """Return the rows of a writer with some numbers."""
        columns = self._table.c
        wanted = self._in_order().where(columns.chain_writer == writer, columns.chain_seq.in_(seqs))
        return await _fetch(connection, wanted, PAGE)

    async def _pages(
        self, wanted: Select[Any], after: Place | None, until: Place | None, first_seen: ChainEnd | None
    ) -> AsyncIterator[Page]:
        self._page = min(PAGE, _FIRST)
        last: Row[Any] | _Mark | None = None
        start: int | None = None
        if after is not None and after.seq is None:
            wanted = wanted.where(self._table.c.chain_writer > after.writer)
        elif after is not None and after.seq is not None:
            last = _Mark(after.writer, after.seq)
        while True:
            async with self._transaction() as connection:
                rows = await self._next(connection, wanted, until, last, start)
                ends = await connection.run_sync(self._chain.ends_of, {row[WRITER_AT] for row in rows})
            if rows:
                yield Page(rows, ends, last if start is not None else None)
            if len(rows) < self._page:
                break
            self._page = _next_page(rows)
            if last is None or rows[-1].chain_writer != last.chain_writer:
                first_seen = ends.get(rows[-1].chain_writer)
            last = rows[-1]
            end = ends.get(last.chain_writer)
            is_read = first_seen is not None and number(last.chain_seq) >= first_seen.head.seq
            start = end.head.seq + 1 if is_read and end is not None else None

    async def _next(
        self,
        connection: AsyncConnection,
        wanted: Select[Any],
        until: Place | None,
        last: Row[Any] | _Mark | None,
        start: int | None,
    ) -> list[Row[Any]]:
        """The next rows: first those of the same writer, then those of the writers after it."""
        columns = self._table.c
        # Several queries and no OR over the columns, which an index cannot serve on every server.
        queries = list[Select[Any]]()
        if last is not None:
            of_writer = _up_to(wanted, columns, until, last.chain_writer)
            # Where the unique index was removed, rows may share a number, and all must be read.
            if last.id is not None:
                queries.append(of_writer.where(columns.chain_seq == last.chain_seq, columns.id > last.id))
            later = of_writer.where(columns.chain_seq > last.chain_seq)
            queries.append(later if start is None else later.where(columns.chain_seq >= start))
        others = wanted if last is None else wanted.where(columns.chain_writer > last.chain_writer)
        if until is None:
            queries.append(others)
        elif until.seq is None:
            queries.append(others.where(columns.chain_writer <= until.writer))
        elif last is None or last.chain_writer != until.writer:
            queries.append(others.where(columns.chain_writer < until.writer))
            queries.append(_up_to(wanted, columns, until, until.writer))
        rows = list[Row[Any]]()
        for query in queries:
            if len(rows) < self._page:
                rows += await _fetch(connection, query, self._page - len(rows))
        return rows

    def _in_order(self) -> Select[Any]:
        columns, wanted = self._table.c, rows_of(self._table, self._database)
        order = (columns.chain_writer, columns.chain_seq, columns.id)
        return wanted.where(columns.chain_seq.is_not(None)).order_by(*order)


def rows_of(table: Table, database: Database) -> Select[Any]:
    """The rows of a table, with the columns of :data:`~logweir.sinks.sql.chain.judging.READ_COLUMNS`."""
    *names, extra = READ_COLUMNS
    return select(*(table.c[name] for name in names), database.json_text_of(table.c[extra]).label(extra))


def _up_to(wanted: Select[Any], columns: Any, until: Place | None, writer: str) -> Select[Any]:
    """The rows of a writer, up to a place if that is within its chain."""
    of_writer = wanted.where(columns.chain_writer == writer)
    if until is None or until.seq is None or until.writer != writer:
        return of_writer
    return of_writer.where(columns.chain_seq <= until.seq)


async def _fetch(connection: AsyncConnection, wanted: Select[Any], limit: int) -> list[Row[Any]]:
    return [*(await connection.execute(wanted.limit(limit))).all()]


def _next_page(rows: Sequence[Row[Any]]) -> int:
    """How many rows to read next, by the size of the last ones: a query costs as much as many small rows."""
    size = sum(len(row[-1]) if isinstance(row[-1], str) else 0 for row in rows)
    fitting = _PAGE_BYTES * len(rows) // (size + _ROW_BYTES * len(rows))
    return min(PAGE * _MORE, max(min(PAGE, _FEWEST), fitting))
