"""Verifying an audit table: its rows by writer and number, in bounded memory, while others may write.

Rows are read page by page along the chains' index. What a row is compared with is read after it: a head is
written with its rows, so that a row beyond its head is never just new, and a row that is missing has its
note already if retention deleted it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Row, Select, Table, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from logweir.sinks.sql.chain.hashing import Run
from logweir.sinks.sql.chain.identity import ChainEnd
from logweir.sinks.sql.chain.judging import (
    READ_COLUMNS,
    WRITER_AT,
    Judge,
    StoredRow,
    moment,
    number,
    read_row,
)
from logweir.sinks.sql.chain.rules import Rule, Rules
from logweir.sinks.sql.chain.tables import BEGINNING, Beginning, ChainTables
from logweir.sinks.sql.client import PAGE, Transaction
from logweir.sinks.sql.dialects.contract import Database
from logweir.sinks.sql.table import CHAIN_COLUMNS
from logweir.sinks.tamper_evidence import Finding, Head, Tally, Trouble

__all__ = ["Verification"]

#: How many pages of small rows are read as one, the bytes that these should have, and those of a row beside
#: its ``extra_info``.
_MORE = 5
_PAGE_BYTES = 8 << 20
_ROW_BYTES = 1500


@dataclass(frozen=True, slots=True)
class _Page:
    """Rows, and what was read after them.

    Attributes:
        rows: The rows, by writer and number.
        ends: Where the chains of their writers end.
        last: The row before these, if what its writer wrote behind it is passed over.
    """

    rows: list[Row[Any]]
    ends: dict[str, ChainEnd]
    last: Row[Any] | None

    def passes_over(self, row: Row[Any]) -> bool:
        """Whether a row was written since its chain was first seen, as far as the chain says by itself."""
        end = self.ends.get(row.chain_writer)
        if self.last is None or end is None or not self.goes_on(row.chain_writer):
            return False
        return number(self.last.chain_seq) < number(row.chain_seq) <= end.head.seq

    def goes_on(self, writer: str) -> bool:
        """Whether rows of a writer are passed over here."""
        return self.last is not None and self.last.chain_writer == writer


class Verification:
    """Verifies the chains of one table.

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
        self._rules = Rules(chain.seal, table, database)
        self._page = PAGE

    async def findings(self, tally: Tally) -> AsyncIterator[Finding]:
        """Yield what is wrong, and count what was looked at."""
        async with self._transaction() as connection:
            await connection.run_sync(self._chain.identity.load)
            beginning = await connection.run_sync(self._chain.beginning)
            counted = await connection.execute(select(func.count()).select_from(self._table))
            tally.expected = counted.scalar_one()
        for finding in self._about_beginning(beginning):
            yield finding
        async for finding in self._linked(tally):
            yield finding
        async for finding in self._rowless(tally):
            yield finding
        async for finding in self._unlinked(tally, beginning):
            yield finding

    async def heads(self) -> AsyncIterator[Head]:
        """Yield where each chain ends."""
        async for page in self._pages_of_ends(rowless=False):
            for end in page:
                yield end.head

    async def compare(self, heads: Sequence[Head]) -> AsyncIterator[Finding]:
        """Find saved heads whose rows are gone or others; see :meth:`Chained.compare`."""
        columns = self._table.c
        for start in range(0, len(heads), PAGE):
            page = heads[start : start + PAGE]
            places = tuple_(columns.chain_writer, columns.chain_seq)
            wanted = select(columns.chain_writer, columns.chain_seq, columns.chain_hash)
            wanted = wanted.where(places.in_([(head.writer, head.seq) for head in page]))
            async with self._transaction() as connection:
                found = {(row[0], row[1]): row[2] for row in await connection.execute(wanted)}
                runs = await self._runs(connection, [head.writer for head in page])
            for head in page:
                trouble = _since(head, found.get((head.writer, head.seq)), runs)
                if trouble is not None:
                    yield trouble

    # -- rows with a link ---------------------------------------------------------------------------

    async def _linked(self, tally: Tally) -> AsyncIterator[Finding]:
        judge: Judge | None = None
        async for page in self._pages():
            place = 0
            while place < len(page.rows):
                row = page.rows[place]
                writer = row.chain_writer
                end = page.ends.get(writer)
                head = end.head if end is not None else None
                if judge is None or judge.writer != writer:
                    async for finding in self._end(judge):
                        yield finding
                    judge = Judge(self._rule_of(end), writer, head)
                    tally.writers += 1
                sound = 0 if page.goes_on(writer) else judge.follow(page.rows, place, head)
                if sound:
                    place, tally.rows = place + sound, tally.rows + sound
                    continue
                place += 1
                # A busy writer is not followed to an end that moves; its rows since then are left to the next
                # run.
                if page.passes_over(row):
                    continue
                async for finding in self._take(judge, self._read(row, end), head):
                    yield finding
                tally.rows += 1
        async for finding in self._end(judge):
            yield finding

    async def _take(self, judge: Judge, row: StoredRow, head: Head | None) -> AsyncIterator[Finding]:
        runs: list[Run] = []
        # Asked for only where rows are missing, and after the row was read: retention notes what it deletes
        # in the transaction that deletes it, so that a gap that is seen has its note by now.
        if judge.lacks(row):
            async with self._transaction() as connection:
                runs = await self._runs(connection, [judge.writer])
        for finding in judge.take(row, head, runs):
            yield finding

    async def _end(self, judge: Judge | None) -> AsyncIterator[Finding]:
        """Judge the end of a chain; rows that were written between a page and its heads are taken first."""
        if judge is None:
            return
        runs: list[Run] = []
        while judge.is_short:
            before = judge.seq
            async with self._transaction() as connection:
                rows = await self._rows_between(connection, judge.writer, before, judge.until)
                runs = await self._runs(connection, [judge.writer])
                ends = await connection.run_sync(self._chain.ends_of, [judge.writer])
            end = ends.get(judge.writer)
            for row in rows:
                found = self._read(row, end)
                for finding in judge.take(found, end.head if end is not None else None, runs):
                    yield finding
            if judge.seq == before:  # nothing more comes: what the head counts and nobody finds is missing
                break
        for finding in judge.end(runs):
            yield finding

    async def _pages(self) -> AsyncIterator[_Page]:
        """The rows of the chains that there are now; then rows that are in none.

        A chain is read as far as it went when it was first seen, and then from where it goes at that time:
        verifying must end, however fast others write.
        """
        async with self._transaction() as connection:
            newest = await connection.run_sync(self._chain.newest)
        for wanted in (self._in_chains(newest), self._in_none(newest)):
            self._page = PAGE
            last: Row[Any] | None = None
            first_seen: ChainEnd | None = None
            start: int | None = None
            while True:
                async with self._transaction() as connection:
                    rows = await self._next(connection, wanted, last, start)
                    ends = await connection.run_sync(self._chain.ends_of, {row[WRITER_AT] for row in rows})
                if rows:
                    yield _Page(rows, ends, last if start is not None else None)
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
        self, connection: AsyncConnection, wanted: Select[Any], last: Row[Any] | None, start: int | None
    ) -> list[Row[Any]]:
        """The next rows: first those of the same writer, then those of the writers after it."""
        columns = self._table.c
        if last is None:
            return await self._fetch(connection, wanted, self._page)
        of_writer = wanted.where(columns.chain_writer == last.chain_writer)
        # Where the unique index was removed, rows may share a number, and all must be read.
        twins = of_writer.where(columns.chain_seq == last.chain_seq, columns.id > last.id)
        later = of_writer.where(columns.chain_seq > last.chain_seq)
        rows = await self._fetch(connection, twins, self._page)
        if len(rows) < self._page:
            later = later if start is None else later.where(columns.chain_seq >= start)
            rows += await self._fetch(connection, later, self._page - len(rows))
        # Several queries and no OR over the columns, which an index cannot serve on every server.
        if len(rows) < self._page:
            others = wanted.where(columns.chain_writer > last.chain_writer)
            rows += await self._fetch(connection, others, self._page - len(rows))
        return rows

    def _in_chains(self, newest: str) -> Select[Any]:
        return self._in_order().where(self._table.c.chain_writer <= newest)

    def _in_none(self, newest: str) -> Select[Any]:
        """Rows of writers that are neither among those nor have begun since."""
        writer, heads = self._table.c.chain_writer, self._chain.heads.c
        headless = ~select(heads.writer).where(heads.writer == writer).exists()
        return self._in_order().where(writer > newest, headless)

    def _rule_of(self, end: ChainEnd | None) -> Rule:
        """The rule of a chain: that of its end, or the one in force."""
        return self._rules.by(self._chain.identity.current if end is None else end.table_id)

    async def _rows_between(
        self, connection: AsyncConnection, writer: str, after: int, until: int
    ) -> list[Row[Any]]:
        columns = self._table.c
        of_writer = self._in_order().where(columns.chain_writer == writer)
        wanted = of_writer.where(columns.chain_seq > after, columns.chain_seq <= until)
        return await self._fetch(connection, wanted, PAGE)

    def _in_order(self) -> Select[Any]:
        columns = self._table.c
        *names, extra = READ_COLUMNS
        wanted = select(
            *(columns[name] for name in names), self._database.json_text_of(columns[extra]).label(extra)
        )
        order = (columns.chain_writer, columns.chain_seq, columns.id)
        return wanted.where(columns.chain_seq.is_not(None)).order_by(*order)

    @staticmethod
    async def _fetch(connection: AsyncConnection, wanted: Select[Any], limit: int) -> list[Row[Any]]:
        return [*(await connection.execute(wanted.limit(limit))).all()]

    def _read(self, row: Row[Any], end: ChainEnd | None) -> StoredRow:
        return read_row(row._mapping, self._rule_of(end))  # type: ignore[arg-type]  # noqa: SLF001 - its public name, which no column can take

    async def _runs(self, connection: AsyncConnection, writers: Sequence[str]) -> list[Run]:
        return await connection.run_sync(self._chain.gone_of, writers)

    # -- heads without rows -------------------------------------------------------------------------

    async def _rowless(self, tally: Tally) -> AsyncIterator[Finding]:
        async for page in self._pages_of_ends(rowless=True):
            tally.writers += len(page)
            async with self._transaction() as connection:
                runs = await self._runs(connection, [end.head.writer for end in page])
            for end in page:
                own = [run for run in runs if run.writer == end.head.writer]
                for finding in Judge(self._rule_of(end), end.head.writer, end.head).end(own):
                    yield finding

    async def _pages_of_ends(self, *, rowless: bool) -> AsyncIterator[list[ChainEnd]]:
        for is_open in (True, False):
            writer: str | None = ""
            while writer is not None:
                read = partial(self._chain.ends_after, is_open=is_open, rowless=rowless)
                async with self._transaction() as connection:
                    page, writer = await connection.run_sync(read, writer, PAGE)
                if page:
                    yield page

    # -- rows without a link ------------------------------------------------------------------------

    async def _unlinked(self, tally: Tally, beginning: Beginning | None) -> AsyncIterator[Finding]:
        """Rows from before the beginning are counted; a later one was inserted past logweir."""
        started = beginning.started_us if beginning else 0
        async for row in self._rows_without_link():
            links = [getattr(row, name) for name in CHAIN_COLUMNS]
            if any(part is not None for part in links):
                detail = "a part of its link is missing"
            elif not isinstance(row.time_us, int) or row.time_us >= started:
                detail = "it has no link, and is from after the beginning of the chains"
            else:
                tally.unlinked += 1
                continue
            yield Finding(Trouble.INSERTED, detail, event_id=str(row.id), time=moment(row.time_us))
        if beginning is not None and tally.unlinked > beginning.unlinked:
            yield Finding(
                Trouble.INSERTED,
                f"{tally.unlinked:,} rows have no link, and when the chains began there were only"
                f" {beginning.unlinked:,}",
            )

    async def _rows_without_link(self) -> AsyncIterator[Row[Any]]:
        columns, last = self._table.c, ""
        names = ("id", "time_us", *CHAIN_COLUMNS)
        wanted = select(*(columns[name] for name in names)).order_by(columns.id)
        wanted = wanted.where(or_(columns.chain_writer.is_(None), columns.chain_seq.is_(None)))
        while True:
            async with self._transaction() as connection:
                page = await self._fetch(connection, wanted.where(columns.id > last), PAGE)
            for row in page:
                yield row
            if len(page) < PAGE:
                return
            last = page[-1].id

    def _about_beginning(self, beginning: Beginning | None) -> list[Finding]:
        found = list[Finding]()
        if not self._chain.identity.is_sound:
            detail = "the ids of the table are not those that were written, or are of another table"
            found.append(Finding(Trouble.CHANGED, detail, BEGINNING))
        if beginning is None:
            found.append(Finding(Trouble.MISSING, "the note of when the chains began is gone", BEGINNING))
        elif not beginning.fits(self._chain.seal, self._chain.identity.first):
            detail = "the note of when the chains began was not made with this key, for this table"
            found.append(Finding(Trouble.CHANGED, detail, BEGINNING))
        return found


def _next_page(rows: Sequence[Row[Any]]) -> int:
    """How many rows to read next: of small ones more than a page, for a query costs as much as many."""
    size = sum(len(row[-1]) if isinstance(row[-1], str) else 0 for row in rows)
    return min(PAGE * _MORE, max(PAGE, _PAGE_BYTES * len(rows) // (size + _ROW_BYTES * len(rows))))


def _since(head: Head, found: str | None, runs: Sequence[Run]) -> Finding | None:
    """What has become of a row that was the last of its chain when the heads were saved."""
    if found == head.hash:
        return None
    if found is not None:
        detail = "it was the end of its chain when the heads were saved, with another hash"
        return Finding(Trouble.CHANGED, detail, head.writer, head.seq)
    own = [run for run in runs if run.writer == head.writer and run.first <= head.seq <= run.last]
    if any(run.last > head.seq or run.hash == head.hash for run in own):
        return None
    detail = "it was the end of its chain when the heads were saved, and has been cut off"
    return Finding(Trouble.MISSING, detail, head.writer, head.seq)
