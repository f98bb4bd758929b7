"""Judging the rows of chains from one place to another, as they are read.

What a row is compared with is read after it: a head is written with its rows, so that a row beyond its head
is never just new, and a row that is missing has its note already if retention deleted it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from logweir.sinks.sql.chain.hashing import Run
from logweir.sinks.sql.chain.identity import ChainEnd
from logweir.sinks.sql.chain.judging import Judge, StoredRow, is_beyond, number, read_row
from logweir.sinks.sql.chain.pages import ChainPages, Page
from logweir.sinks.sql.chain.rules import Rule, Rules
from logweir.sinks.sql.chain.tables import ChainTables
from logweir.sinks.sql.client import Transaction
from logweir.sinks.tamper_evidence import Finding, Head, Place, Seams, Tally

__all__ = ["Stretch"]


class Stretch:
    """Rows that follow each other, of some chains or of a part of one.

    Args:
        pages: Reads them.
        chain: The tables beside them.
        rules: Which hashes they must have.
        transaction: Begins a transaction.
        tally: Counts what was looked at.
        seams: Gets what is to be judged together with other stretches.
    """

    def __init__(
        self,
        pages: ChainPages,
        chain: ChainTables,
        rules: Rules,
        transaction: Transaction,
        tally: Tally,
        seams: Seams,
    ) -> None:
        self._pages = pages
        self._chain = chain
        self._rules = rules
        self._transaction = transaction
        self._tally = tally
        self._seams = seams
        self._after: Place | None = None
        self._until: Place | None = None
        self._rolled_back: str | None = None

    async def findings(self, after: Place | None, until: Place) -> AsyncIterator[Finding]:
        """Yield what is wrong with the rows between two places, and with the chains that end there."""
        self._after, self._until = after, until
        judge, first_seen = await self._begun(after)
        async for finding in self._judged(self._pages.of_chains(after, until, first_seen), judge):
            yield finding

    async def headless(self, newest: str) -> AsyncIterator[Finding]:
        """Yield what is wrong with rows of writers behind the last one that has a head."""
        async for finding in self._judged(self._pages.headless(newest), None):
            yield finding

    async def _begun(self, after: Place | None) -> tuple[Judge | None, ChainEnd | None]:
        """The judge of the chain within which the stretch begins, after the row before; its end, too."""
        if after is None or after.seq is None:
            return None, None
        writer = after.writer
        async with self._transaction() as connection:
            rows = await self._pages.at(connection, writer, [after.seq])
            runs = await self._runs(connection, [writer])
            ends = await connection.run_sync(self._chain.ends_of, [writer])
        end = ends.get(writer)
        judge = self._judge_of(writer, end)
        # A database may take another name for the same.
        row = next((self._read(row, end) for row in rows if row.chain_writer == writer), None)
        self._seams.began = judge.begin_after(after.seq, row, runs)
        return judge, end

    async def _judged(self, pages: AsyncIterator[Page], judge: Judge | None) -> AsyncIterator[Finding]:
        async for page in pages:
            place = 0
            while place < len(page.rows):
                row = page.rows[place]
                writer = row.chain_writer
                end = page.ends.get(writer)
                head = end.head if end is not None else None
                if judge is None or judge.writer != writer:
                    async for finding in self._end(judge):
                        yield finding
                    judge = self._judge_of(writer, end)
                    self._tally.writers += 1
                sound = 0 if page.goes_on(writer) else judge.follow(page.rows, place, head)
                if sound:
                    place, self._tally.rows = place + sound, self._tally.rows + sound
                    continue
                place += 1
                # A busy writer is not followed to an end that moves; its rows since then are left to the next
                # run.
                if page.passes_over(row):
                    continue
                async for finding in self._take(judge, self._read(row, end), head):
                    yield finding
                self._tally.rows += 1
        async for finding in self._end_all(judge):
            yield finding

    async def _take(self, judge: Judge, row: StoredRow, head: Head | None) -> AsyncIterator[Finding]:
        if is_beyond(row, head) and judge.writer != self._rolled_back:
            if await self._is_gone(row):
                return
            # What one row shows is so of all behind it, and each question takes as long as a page of rows.
            self._rolled_back = judge.writer
        runs: list[Run] = []
        # Asked for only where rows are missing, and after the row was read: retention notes what it deletes
        # in the transaction that deletes it, so that a gap that is seen has its note by now.
        if judge.lacks(row):
            async with self._transaction() as connection:
                # Those of the gap alone: a chain with many gaps has as many runs.
                gap = (judge.seq, number(row.link.seq))
                runs = await self._runs(connection, [judge.writer], gap)
        for finding in judge.take(row, head, runs):
            yield finding

    async def _is_gone(self, row: StoredRow) -> bool:
        """Whether a row was deleted rightly since it was read, by which a whole chain loses its head too."""
        writer, seq = row.link.writer, number(row.link.seq)
        async with self._transaction() as connection:
            # The note alone is not enough: somebody may have put back what was deleted.
            if await self._pages.at(connection, writer, [seq]):
                return False
            runs = await self._runs(connection, [writer], (seq, seq))
        return bool(runs)

    async def _end_all(self, judge: Judge | None) -> AsyncIterator[Finding]:
        """Judge the end of the last chain, of which rows must be there where the stretch ends within it."""
        async for finding in self._end(judge):
            yield finding
        until = self._until
        if until is None or until.seq is None:
            return
        if judge is None or judge.writer != until.writer:
            async with self._transaction() as connection:
                ends = await connection.run_sync(self._chain.ends_of, [until.writer])
            judge = self._judge_of(until.writer, ends.get(until.writer))
            self._tally.writers += 1
            async for finding in self._end(judge):
                yield finding
        self._seams.ended = judge.seam

    async def _end(self, judge: Judge | None) -> AsyncIterator[Finding]:
        """Judge the end of a chain; rows that were written between a page and its heads are taken first."""
        if judge is None:
            return
        runs: list[Run] = []
        while judge.is_short:
            before = judge.seq
            async with self._transaction() as connection:
                rows = await self._pages.of_writer(connection, judge.writer, before, judge.until)
                runs = await self._runs(connection, [judge.writer])
                ends = await connection.run_sync(self._chain.ends_of, [judge.writer])
            end = ends.get(judge.writer)
            for row in rows:
                found = self._read(row, end)
                async for finding in self._take(judge, found, end.head if end is not None else None):
                    yield finding
            if judge.seq == before:  # nothing more comes: what the head counts and nobody finds is missing
                break
        if self._is_divided(judge.writer):
            self._seams.suspects += judge.changed()
        for finding in judge.end(runs):
            yield finding

    def _judge_of(self, writer: str, end: ChainEnd | None) -> Judge:
        until = self._until.seq if self._until is not None and self._until.writer == writer else None
        return Judge(self._rule_of(end), writer, end.head if end is not None else None, until)

    def _is_divided(self, writer: str) -> bool:
        """Whether other stretches have rows of a writer."""
        places = (self._after, self._until)
        return any(
            place is not None and (place.writer, place.seq is None) == (writer, False) for place in places
        )

    def _rule_of(self, end: ChainEnd | None) -> Rule:
        return self._rules.of_chain(end, self._chain.identity.current)

    def _read(self, row: Row[Any], end: ChainEnd | None) -> StoredRow:
        return read_row(row._mapping, self._rule_of(end))  # type: ignore[arg-type]  # noqa: SLF001 - its public name, which no column can take

    async def _runs(
        self, connection: AsyncConnection, writers: Sequence[str], between: tuple[int, int] | None = None
    ) -> list[Run]:
        return await connection.run_sync(self._chain.gone_of, writers, between)
