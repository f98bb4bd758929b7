"""Verifying an audit table, in bounded memory, while others may write: the whole of it, or a part.

First its rows by writer and number (``pages`` reads them, ``stretch`` judges them), then the rows without a
link, then the heads without rows. In the end what was read is compared with what there was: a row that
somebody has hidden from all of these shows by that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Row, Select, Table, bindparam, or_, select, tuple_

from logweir.encoding.counted import counted
from logweir.sinks.sql.chain.dividing import cuts_of, parts_between
from logweir.sinks.sql.chain.hashing import Run
from logweir.sinks.sql.chain.identity import ChainEnd
from logweir.sinks.sql.chain.judging import MOST_COMPARED, Judge, moment, read_row
from logweir.sinks.sql.chain.pages import ChainPages
from logweir.sinks.sql.chain.rules import Rules
from logweir.sinks.sql.chain.stretch import Stretch
from logweir.sinks.sql.chain.tables import BEGINNING, Beginning, ChainTables
from logweir.sinks.sql.client import PAGE, Transaction
from logweir.sinks.sql.dialects.contract import Database
from logweir.sinks.sql.table import CHAIN_COLUMNS
from logweir.sinks.tamper_evidence import Finding, Head, Part, PartKind, Seams, Tally, Trouble

__all__ = ["Verification"]


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
        # Each reading has pages of its own, whose size follows the rows that it meets.
        self._new_pages = partial(ChainPages, table, chain, transaction, database)
        self._rules = Rules(chain.seal, table, database)

    async def findings(self, tally: Tally) -> AsyncIterator[Finding]:
        """Yield what is wrong, and count what was looked at."""
        async for finding in self.about_beginning():
            yield finding
        for part in await self.divide(1, 1, tally):
            async for finding in self.of_part(part, tally, Seams()):
                yield finding
        async for finding in self.unread(tally):
            yield finding

    async def divide(self, parts: int, rows: int, tally: Tally) -> list[Part]:
        """See :meth:`Chained.divide`; one part only has all rows of chains, and the others follow it."""
        async with self._transaction() as connection:
            await connection.run_sync(self._chain.identity.load)
            # Before the last writer is looked up: rows of one that begins between are left to the next run.
            tally.stock = await connection.run_sync(self._chain.stock)
            tally.expected = tally.stock.rows
            newest = await connection.run_sync(self._chain.newest)
            size = max(rows, -(-tally.expected // parts))
            cuts = [] if parts == 1 else await cuts_of(connection, self._table, self._chain, newest, size)
        return parts_between(cuts, newest)

    async def of_part(self, part: Part, tally: Tally, seams: Seams) -> AsyncIterator[Finding]:
        """See :meth:`Chained.verify_part`."""
        async with self._transaction() as connection:
            await connection.run_sync(self._chain.identity.load)
            beginning = await connection.run_sync(self._chain.beginning)
        stretch = Stretch(self._new_pages(), self._chain, self._rules, self._transaction, tally, seams)
        if part.kind is PartKind.CHAINS and part.until is not None:
            found = stretch.findings(part.after, part.until)
        elif part.kind is PartKind.HEADLESS and part.after is not None:
            found = stretch.headless(part.after.writer)
        elif part.kind is PartKind.ROWLESS:
            found = self._rowless(tally)
        elif part.kind is PartKind.UNLINKED:
            found = self._unlinked(tally, beginning)
        else:
            raise ValueError(f"there is no such part: {part}")
        async for finding in found:
            yield finding

    async def settle(self, suspects: Sequence[Finding]) -> list[Finding]:
        """See :meth:`Chained.settle`."""
        if len(suspects) > MOST_COMPARED:
            return [*suspects]
        writer, seqs = suspects[0].writer or "", [found.seq for found in suspects if found.seq is not None]
        async with self._transaction() as connection:
            rows = await self._new_pages().at(connection, writer, seqs)
            ends = await connection.run_sync(self._chain.ends_of, [writer])
        rule = self._rules.of_chain(ends.get(writer), self._chain.identity.current)
        judge = Judge(rule, writer, None)
        there = [read_row(row._mapping, rule) for row in rows]  # type: ignore[arg-type]  # noqa: SLF001 - it is public
        moved = {(found.event_id, found.seq): found for found in judge.judge_suspects(there)}
        # A row that is sound or gone by now was found all the same.
        return [moved.get((found.event_id, found.seq), found) for found in suspects]

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
                runs = await connection.run_sync(self._chain.gone_of, [head.writer for head in page])
            for head in page:
                trouble = _since(head, found.get((head.writer, head.seq)), runs)
                if trouble is not None:
                    yield trouble

    async def unread(self, tally: Tally) -> AsyncIterator[Finding]:
        """See :meth:`Chained.unread`; rows that are added meanwhile can hide others, until the next run."""
        before = tally.stock
        if before is None or tally.read >= before.rows:
            return
        async with self._transaction() as connection:
            now = await connection.run_sync(self._chain.stock)
        deleted = now.gone - before.gone + max(0, before.unlinked - now.unlinked)
        unread = before.rows - tally.read - deleted
        if unread > 0:
            rows = counted(unread, "row", "was", "were")
            detail = f"{rows} read by no part of the verification, and no deletion of them is noted"
            yield Finding(Trouble.INSERTED, detail)

    # -- heads without rows -------------------------------------------------------------------------

    async def _rowless(self, tally: Tally) -> AsyncIterator[Finding]:
        async for page in self._pages_of_ends(rowless=True):
            tally.writers += len(page)
            async with self._transaction() as connection:
                runs = await connection.run_sync(self._chain.gone_of, [end.head.writer for end in page])
            for end in page:
                own = [run for run in runs if run.writer == end.head.writer]
                rule = self._rules.of_chain(end, self._chain.identity.current)
                for finding in Judge(rule, end.head.writer, end.head).end(own):
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
            tally.loose += 1
            yield Finding(Trouble.INSERTED, detail, event_id=str(row.id), time=moment(row.time_us))
        if beginning is not None and tally.unlinked > beginning.unlinked:
            yield Finding(
                Trouble.INSERTED,
                f"{counted(tally.unlinked, 'row', 'has', 'have')} no link, and when the chains began"
                f" there were only {beginning.unlinked:,}",
            )

    async def _rows_without_link(self) -> AsyncIterator[Row[Any]]:
        columns = self._table.c
        names = ("id", "time_us", *CHAIN_COLUMNS)
        wanted = select(*(columns[name] for name in names)).order_by(columns.id)
        wanted = wanted.where(or_(columns.chain_writer.is_(None), columns.chain_seq.is_(None))).limit(PAGE)
        # The first page has no bound: whatever that was, somebody could put in an id before it.
        following, page = wanted.where(columns.id > bindparam("last")), await self._read(wanted)
        while True:
            for row in page:
                yield row
            if len(page) < PAGE:
                return
            page = await self._read(following.params(last=page[-1].id))

    async def _read(self, wanted: Select[Any]) -> list[Row[Any]]:
        async with self._transaction() as connection:
            return [*(await connection.execute(wanted)).all()]

    async def about_beginning(self) -> AsyncIterator[Finding]:
        """See :meth:`Chained.beginning`."""
        async with self._transaction() as connection:
            await connection.run_sync(self._chain.identity.load)
            beginning = await connection.run_sync(self._chain.beginning)
        if not self._chain.identity.is_sound:
            detail = "the ids of the table are not those that were written, or are of another table"
            yield Finding(Trouble.CHANGED, detail, BEGINNING)
        if beginning is None:
            yield Finding(Trouble.MISSING, "the note of when the chains began is gone", BEGINNING)
        elif not beginning.fits(self._chain.seal, self._chain.identity.first):
            detail = "the note of when the chains began was not made with this key, for this table"
            yield Finding(Trouble.CHANGED, detail, BEGINNING)


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
