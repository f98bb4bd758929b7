"""The relational sink: batches into the audit table, each event id once.

``sqlite`` is served here with nothing to install; ``mysql`` and ``postgresql`` derive from it and differ by
what :mod:`logweir.sinks.sql.dialects` says of them. A batch is one transaction; there are never more
connections than workers, because a search takes one only for a page at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from sqlalchemy import ColumnElement, Connection, and_, delete, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from logweir.diagnostics import report
from logweir.errors import SinkError, SinkRejected, SinkUnavailable
from logweir.event import Event, Kind
from logweir.sinks.contract import Query, Sink, SinkConfig, SinkContext
from logweir.sinks.results import Health, HealthStatus, WriteResult
from logweir.sinks.sql.chain.hashing import Seal
from logweir.sinks.sql.chain.known import KnownChains
from logweir.sinks.sql.chain.memory import ChainMemory
from logweir.sinks.sql.chain.tables import ChainTables
from logweir.sinks.sql.chain.verifying import Verification
from logweir.sinks.sql.chain.writing import Writers, insert_alone, require_links
from logweir.sinks.sql.client import PAGE, connect, database_of
from logweir.sinks.sql.config import ServerConfig, SqlConfig, SqliteConfig
from logweir.sinks.sql.dialects.contract import Database
from logweir.sinks.sql.health import Needs, condition_of
from logweir.sinks.sql.outbox import (
    claim_outbox,
    clear_outbox,
    insert_row,
    note_in_outbox,
    outbox_table,
    row_of,
)
from logweir.sinks.sql.own_model import find_table
from logweir.sinks.sql.query import conditions_of
from logweir.sinks.sql.reading import found
from logweir.sinks.sql.schema import Schema, script_of
from logweir.sinks.sql.shielded import Shielded
from logweir.sinks.sql.sqlite_file import Place, SqliteFile
from logweir.sinks.sql.table import CHAIN_COLUMNS, audit_table
from logweir.sinks.sql.verdicts import DuplicateKey, ReadOnlyFile, TableMissing, as_sink_errors, lacks_right
from logweir.sinks.sql.writing import Insertion, write_in_parts
from logweir.sinks.tamper_evidence import Epoch, Finding, Head, Tally, summary_of

__all__ = ["SqlSink"]

T = TypeVar("T")


class SqlSink(Sink[SqlConfig]):
    """Writes events into the audit table of a SQLite database."""

    Config: ClassVar[type[SinkConfig]] = SqliteConfig

    def __init__(self, config: SqlConfig, context: SinkContext | None = None) -> None:
        super().__init__(config, context)
        self._url = config.address
        chaining = self.context.chaining
        self._table = (
            find_table(config.model)
            if config.model
            else audit_table(config.table, chained=chaining is not None)
        )
        self._outbox = outbox_table(self._table)
        self.keeps_outbox = config.outbox
        self._patience = config.statement_timeout if isinstance(config, ServerConfig) else None
        self._engine: AsyncEngine | None = None
        self._shielded: Shielded | None = None
        self._file: SqliteFile | None = None
        if isinstance(config, SqliteConfig):
            self._shielded = Shielded()
            if not str(self._url.database).startswith("file:"):  # a URI of SQLite's own is left to it
                self._file = SqliteFile(Path(str(self._url.database)), int(config.mode, 8))
        self._place = Place(None, None)
        self._taken_away = False
        self._opening = asyncio.Lock()
        self._chain = ChainTables(self._table, Seal(chaining.key)) if chaining is not None else None
        self._memory = ChainMemory(
            KnownChains(self.context.data_dir, self.context.name, self._url, self._table.name)
        )
        self._know(database_of(self._url))

    def _know(self, database: Database) -> None:
        """Take note of whose words are to be used; a connection knows it better than the URL."""
        self._database = database
        tables = [self._table, *([self._outbox] if self.keeps_outbox else [])]
        tables += self._chain.tables if self._chain else []
        additions = CHAIN_COLUMNS if self._chain else ()
        later = self._chain.later_tables if self._chain and self.context.read_only else ()
        self._schema = Schema(
            tables,
            database,
            versioned=self.config.model is None,
            additions=additions,
            optional=[table.name for table in later],  # a table of before version 2 can be verified, too
        )

    # -- life ---------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect, and create what is missing of the table if ``provision`` allows it.

        Raises:
            SinkUnavailable: The database cannot be reached.
            SinkRejected: The table, or a column of it, is missing.
        """
        async with self._opening:
            if self._engine is None:
                await self._open()

    async def _open(self) -> None:
        with as_sink_errors():
            if self._file is not None:
                # For a reader too: what it does not see would be taken for gone.
                await asyncio.to_thread(self._file.repair)
                if not self.context.read_only:
                    await asyncio.to_thread(self._file.make)
            engine, database = await connect(
                self.config, self.context.workers, read_only=self.context.read_only
            )
            try:
                self._know(database)
                await self._prepare(engine)
                async with engine.connect() as connection:
                    limit = await connection.run_sync(database.packet_limit)
                self._insertion = Insertion(
                    self._table,
                    database,
                    engine.dialect,
                    is_model=self.config.model is not None,
                    packet_limit=limit,
                )
                if self._chain is not None:
                    self._writers = Writers(self._chain, self._insertion, self._transaction)
            except BaseException:
                await engine.dispose()
                raise
            if self._file is not None:
                self._place = await asyncio.to_thread(self._file.look)
        self._engine = engine

    async def _prepare(self, engine: AsyncEngine) -> None:
        async with engine.connect() as connection:
            may_make = self.config.provision and not self.context.read_only
            await connection.run_sync(self._schema.prepare, provision=may_make)
            if self._chain is not None:
                require_links(self._table)
                await connection.run_sync(self._begin)
        if self._chain is not None and not self.context.read_only:
            await self._memory.compare(self._chain, self._verification(engine))

    def _begin(self, connection: Connection) -> None:
        chain, lock = self._chain, self._database.schema_lock(connection, self._table.name)
        if chain is not None:
            note, accepts = not self.context.read_only, self._memory.accepts
            chain.begin(connection, note=note, lock=lock, accepts=accepts)

    async def close(self) -> None:
        """Close the connections, in the loop that made them."""
        if self._shielded is not None:
            await self._shielded.finish(self.config.retry.timeout / 2)
        self._taken_away = False
        if self._engine is not None and self._chain is not None:
            await self._memory.note(self._chain, self._writers.ends)
        await self._disconnect()

    async def _disconnect(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.dispose()

    async def check(self) -> Health:
        """Ask for the server's version, for the table and its version, and whether it may be written."""
        try:
            if self._taken_away or await self._has_moved(self._place):
                await self._open_anew(self._place)
            with as_sink_errors():
                async with asyncio.timeout(self._patience):
                    outbox = self._outbox if self.keeps_outbox else None
                    needs = Needs(self.config.retention is not None, outbox)
                    return await condition_of(
                        self._opened(), self._table, self._schema, self._database, needs
                    )
        except SinkError as error:
            return Health(HealthStatus.DOWN, str(error))

    def provision_script(self) -> str:
        """Return the DDL of the tables and their indexes."""
        return script_of(self._schema, self._url.get_dialect()())

    # -- writing ------------------------------------------------------------------------------------

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        """Store a batch in one transaction; see :meth:`Sink.write`."""
        return await self._whole(write_in_parts(batch, self._store, self.config.retry.timeout / 2))

    async def _store(self, batch: Sequence[Event]) -> set[int]:
        """Store events in one transaction, in a new table if that is allowed and the old one is gone."""
        try:
            return await self._store_together(batch)
        except TableMissing:
            if not self.config.provision:
                raise
        try:
            with as_sink_errors():
                await self._prepare(self._opened())
        except SinkRejected as error:  # the table is another now: an operator's matter, and not the events'
            raise SinkUnavailable(str(error)) from None
        return await self._store_together(batch)

    async def _store_together(self, batch: Sequence[Event]) -> set[int]:
        rows = await self._insertion_of_open().rows_of(batch)
        if self._chain is not None:
            known = await self._writers.store(rows)
            if self._memory.is_due:
                await self._memory.note(self._chain, self._writers.ends)
            return known
        try:
            async with self._transaction() as connection:
                await self._insertion.insert(connection, rows)
        except DuplicateKey:
            pass
        else:
            return set()
        try:
            async with self._transaction() as connection:
                return await self._insertion.insert_fresh(connection, rows)
        except DuplicateKey:  # an id is there with another time
            async with self._transaction() as connection:
                return await self._insertion.insert_fresh(connection, rows, any_time=True)

    # -- explicit rows -----------------------------------------------------------------------------

    def record_in(self, connection: Connection, event: Event) -> None:
        """See :meth:`Transactional.record_in`."""
        if self._chain is None:
            insert_row(connection, self._table, row_of(connection, self._table, event))
        else:
            insert_alone(connection, self._table, self._chain, event)
        if self.keeps_outbox:
            note_in_outbox(connection, self._outbox, event)

    async def record(self, event: Event) -> None:
        """See :meth:`Transactional.record`; an answer that was lost is found out by the row itself."""
        await self._whole(self._record(event))

    async def _record(self, event: Event) -> None:
        try:
            async with self._transaction() as connection:
                if not await self._is_stored(connection, event):
                    await connection.run_sync(self.record_in, event)
        except DuplicateKey:  # an earlier attempt that was given up has committed meanwhile
            async with self._transaction() as connection:
                if not await self._is_stored(connection, event):
                    raise

    async def _is_stored(self, connection: AsyncConnection, event: Event) -> bool:
        wanted = self._database.has_id_in(self._table, [event.id])
        return bool((await connection.execute(select(self._table.c.id).where(wanted))).all())

    async def outbox_waiting(self, limit: int) -> list[Event]:
        """See :meth:`Transactional.outbox_waiting`."""
        return await self._whole(self._in_transaction(claim_outbox, self._outbox, limit))

    async def outbox_done(self, ids: Sequence[str]) -> None:
        """See :meth:`Transactional.outbox_done`."""
        await self._whole(self._in_transaction(clear_outbox, self._outbox, ids))

    # -- reading and pruning ------------------------------------------------------------------------

    def search(self, query: Query) -> AsyncIterator[Event]:
        """Yield the events that match, in order of time."""
        return found(query, self._table, self._database, self._transaction)

    async def prune(self, before: datetime, *, kind: Kind | None = None, limit: int = 10_000) -> int:
        """Delete at most ``limit`` events older than ``before``, the oldest first."""
        return await self._whole(self._prune(before, kind, limit))

    async def _prune(self, before: datetime, kind: Kind | None, limit: int) -> int:
        columns = self._table.c
        old = conditions_of(Query(end=before, kind=kind), self._table, self._database)
        oldest = select(columns.id).where(*old).order_by(columns.time_us).limit(limit)
        async with self._transaction() as connection:
            ids = (await connection.execute(oldest)).scalars().all()
            return await self._delete_rows(connection, ids, old)

    async def delete(self, ids: Sequence[str]) -> int:
        """Delete exactly these events, in one transaction."""
        return await self._whole(self._delete(ids))

    async def _delete(self, ids: Sequence[str]) -> int:
        async with self._transaction() as connection:
            return await self._delete_rows(connection, ids)

    async def _delete_rows(
        self, connection: AsyncConnection, ids: Sequence[str], also: Sequence[ColumnElement[bool]] = ()
    ) -> int:
        gone = 0
        for start in range(0, len(ids), PAGE):
            page = and_(self._database.has_id_in(self._table, ids[start : start + PAGE]), *also)
            if self._chain is not None:
                gone += await connection.run_sync(self._chain.delete, page)
            else:
                gone += (await connection.execute(delete(self._table).where(page))).rowcount
        return gone

    # -- tamper evidence ----------------------------------------------------------------------------

    def verify(self, tally: Tally) -> AsyncIterator[Finding]:
        """See :meth:`Chained.verify`."""
        return self._verification().findings(tally)

    def knows(self) -> bool:
        """See :meth:`Chained.knows`."""
        return self._chain is not None and self._memory.knows()

    def lost(self) -> AsyncIterator[Finding]:
        """See :meth:`Chained.lost`."""
        return self._memory.lost(self.epochs(), self._verification())

    async def accept_new_chain(self, detail: str) -> str:
        """See :meth:`Chained.accept_new_chain`."""
        chain = self._chain
        if chain is None:
            raise SinkRejected("rows are not chained; set audit: {chain: true}")
        self._memory.accepts = True
        await self.open()
        gone = [finding.detail async for finding in self.lost()]
        detail = "; ".join(part for part in (detail, summary_of(gone)) if part)
        if detail:
            await self._whole(self._in_transaction(chain.accept, detail))
            await self._memory.begin_anew(chain)
        return detail

    def heads(self) -> AsyncIterator[Head]:
        """See :meth:`Chained.heads`."""
        return self._verification().heads()

    def epochs(self) -> Sequence[Epoch]:
        """See :meth:`Chained.epochs`."""
        return self._chain.identity.epochs if self._chain is not None else ()

    def compare(self, heads: Sequence[Head]) -> AsyncIterator[Finding]:
        """See :meth:`Chained.compare`."""
        return self._verification().compare(heads)

    def _verification(self, engine: AsyncEngine | None = None) -> Verification:
        """What reads the chains, on an engine of a sink that is just being opened, or on the sink's own."""
        if self._chain is None:
            raise SinkRejected("rows are not chained; set audit: {chain: true}")
        transaction = self._transaction if engine is None else engine.begin
        return Verification(self._table, self._chain, transaction, self._database)

    # -- connections --------------------------------------------------------------------------------

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that ends in time, and whose errors are ours."""
        with as_sink_errors():
            async with asyncio.timeout(self._patience), self._opened().begin() as connection:
                try:
                    yield connection
                except DBAPIError as error:
                    if lacks_right(error):
                        await connection.invalidate()
                    raise

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
        """Write; where a cancellation in the middle would do harm, it does not reach the work."""
        return await (work if self._shielded is None else self._shielded.run(self._in_place(work)))

    async def _in_place(self, work: Coroutine[Any, Any, T]) -> T:
        """Write into the file of SQLite that the path names; what went into another one does not count.

        Raises:
            SinkUnavailable: The file was taken away; it is opened anew, and the work can be repeated.
        """
        if self._taken_away:
            try:
                await self._open_anew(self._place)
            except BaseException:
                work.close()
                raise
        place = self._place
        try:
            result = await work
        except ReadOnlyFile:
            # A connection that could not write when it was made never can, whatever the permissions are now.
            await self._open_anew(place)
            raise
        if await self._has_moved(place):
            await self._open_anew(place)
            raise SinkUnavailable("the file was taken away while it was written; it is written again")
        return result

    async def _has_moved(self, place: Place) -> bool:
        if self._file is None or place.holds(await asyncio.to_thread(self._file.look)):
            return False
        report(
            f"{self._file.path}.moved",
            "%s was removed, moved or replaced while it was open; what was stored in it is no longer there",
            self._file.path,
        )
        return True

    async def _open_anew(self, place: Place) -> None:
        """Connect to the file that the path names now, once for all who found another than theirs."""
        async with self._opening:
            if self._place is not place:
                return
            self._taken_away = True
            await self._disconnect()
            try:
                await self._open()
            except (
                SinkRejected
            ) as error:  # such as a table that may not be made: an operator's, not the events'
                raise SinkUnavailable(str(error)) from None
            self._taken_away = False

    async def _in_transaction(self, work: Callable[..., T], *arguments: Any) -> T:
        async with self._transaction() as connection:
            return await connection.run_sync(work, *arguments)

    def _insertion_of_open(self) -> Insertion:
        self._opened()
        return self._insertion

    def _opened(self) -> AsyncEngine:
        if self._engine is None:
            raise SinkUnavailable("the sink is not open")
        return self._engine
