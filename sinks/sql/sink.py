"""The relational sink: batches into the audit table, each event id once.

``sqlite`` is served here with nothing to install; ``mysql`` and ``postgresql`` derive from it and differ by
what :mod:`logweir.sinks.sql.dialects` says of them. A batch is one transaction; there are never more
connections than workers, because a search takes one only for a page at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from sqlalchemy import ColumnElement, Connection, and_, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from logweir.errors import SinkError, SinkRejected, SinkUnavailable
from logweir.event import Event, Kind
from logweir.sinks.contract import Query, Sink, SinkConfig, SinkContext
from logweir.sinks.results import Health, HealthStatus, WriteResult
from logweir.sinks.shared.destinations import Template, template_of
from logweir.sinks.sql.chain.deleting import delete_rows
from logweir.sinks.sql.chain.hashing import Seal
from logweir.sinks.sql.chain.known import KnownChains
from logweir.sinks.sql.chain.memory import ChainMemory
from logweir.sinks.sql.chain.tables import ChainTables
from logweir.sinks.sql.chain.verifying import Verification
from logweir.sinks.sql.chain.writing import Writers, insert_alone, require_links
from logweir.sinks.sql.client import PAGE, Transaction, database_of
from logweir.sinks.sql.config import SqlConfig, SqliteConfig
from logweir.sinks.sql.connections import Connections
from logweir.sinks.sql.dialects.contract import Database
from logweir.sinks.sql.health import Needs, health_of
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
from logweir.sinks.sql.schema import Schema, audit_tables, script_of
from logweir.sinks.sql.table import CHAIN_COLUMNS, audit_table
from logweir.sinks.sql.verdicts import DuplicateKey, TableMissing, as_sink_errors
from logweir.sinks.sql.writing import Insertion, write_in_parts
from logweir.sinks.tamper_evidence import Epoch, Finding, Head, Part, Seams, Tally, summary_of

__all__ = ["SqlSink"]

T = TypeVar("T")


class SqlSink(Sink[SqlConfig]):
    """Writes events into the audit table of a SQLite database."""

    Config: ClassVar[type[SinkConfig]] = SqliteConfig

    def __init__(self, config: SqlConfig, context: SinkContext | None = None) -> None:
        super().__init__(config, context)
        self._url = config.address
        # A chain numbers the rows of one table; loading ensures that no audit route leads to many.
        chaining = None if config.is_destination else self.context.chaining
        self._table = (
            find_table(config.model)
            if config.model
            else audit_table(config.table, chained=chaining is not None)
        )
        self._outbox = outbox_table(self._table)
        self.keeps_outbox = config.outbox
        self._connections = Connections(config, self.context)
        self._owns_connections = True
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

    def beside(self, config: SqlConfig) -> SqlSink:
        """Make a sink for another table that shares the connections of this one, which is open."""
        self._require_open()
        sink = type(self)(config, self.context)
        sink._connections = self._connections  # noqa: SLF001 - of our own class
        sink._owns_connections = False  # noqa: SLF001 - likewise
        return sink

    async def known_destinations(self, options: SqlConfig, template: Template) -> list[str]:
        """The audit tables of a template that are there.

        Raises:
            SinkUnavailable: The database cannot be asked.
        """
        names = await self._in_transaction(audit_tables, template.matches)
        return [name for name in names if options.at_destination(name)]

    async def open(self) -> None:
        """Connect, and create what is missing of the table if ``provision`` allows it.

        Raises:
            SinkUnavailable: The database cannot be reached.
            SinkRejected: The table, or a column of it, is missing.
        """
        if self._owns_connections:
            await self._connections.open(self._set_up)
        else:
            await self._connections.set_up_another(self._set_up)

    async def _set_up(self, engine: AsyncEngine, database: Database) -> None:
        self._know(database)
        if not (self.config.is_destination and self.context.read_only):  # of those, what is there is read
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
        if not self._owns_connections:
            return
        await self._connections.finish()
        if self._connections.is_open and self._chain is not None:
            await self._memory.note(self._chain, self._writers.ends)
        await self._connections.close()

    async def check(self) -> Health:
        """Ask for the server's version, for the table and its version, and whether it may be written."""
        try:
            await self._connections.look(self._set_up)
            with as_sink_errors():
                async with asyncio.timeout(self._connections.patience):
                    outbox = self._outbox if self.keeps_outbox else None
                    needs = Needs(self.config.retention is not None, outbox)
                    return await health_of(
                        self._require_open(), self._table, self._schema, self._database, needs
                    )
        except SinkError as error:
            return Health(HealthStatus.DOWN, str(error))

    def provision_script(self) -> str:
        """Return the DDL of the tables and their indexes."""
        template = template_of(self.config)
        if template is None:
            return script_of(self._schema, self._url.get_dialect()())
        one = self.config.at_destination(template.filled(self.config.overflow)) or self.config
        script = type(self)(one, self.context).provision_script()
        return f"-- the same for each table of {self.config.table}\n{script}"

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
                await self._prepare(self._require_open())
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
                gone += await connection.run_sync(delete_rows, self._table, self._chain, self._database, page)
            else:
                gone += (await connection.execute(delete(self._table).where(page))).rowcount
        return gone

    # -- tamper evidence ----------------------------------------------------------------------------

    def verify(self, tally: Tally) -> AsyncIterator[Finding]:
        """See :meth:`Chained.verify`."""
        return self._verification().findings(tally)

    async def divide(self, parts: int, rows: int, tally: Tally) -> list[Part]:
        """See :meth:`Chained.divide`."""
        return await self._verification().divide(parts, rows, tally)

    def verify_part(self, part: Part, tally: Tally, seams: Seams) -> AsyncIterator[Finding]:
        """See :meth:`Chained.verify_part`."""
        return self._verification().of_part(part, tally, seams)

    async def settle(self, suspects: Sequence[Finding]) -> list[Finding]:
        """See :meth:`Chained.settle`."""
        return await self._verification().settle(suspects)

    def unread(self, tally: Tally) -> AsyncIterator[Finding]:
        """See :meth:`Chained.unread`."""
        return self._verification().unread(tally)

    def beginning(self) -> AsyncIterator[Finding]:
        """See :meth:`Chained.beginning`."""
        return self._verification().about_beginning()

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

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
        """Write; where a cancellation in the middle would do harm, it does not reach the work."""
        return await self._connections.whole(work, self._set_up)

    @property
    def _transaction(self) -> Transaction:
        return self._connections.transaction

    async def _in_transaction(self, work: Callable[..., T], *arguments: Any) -> T:
        async with self._transaction() as connection:
            return await connection.run_sync(work, *arguments)

    def _insertion_of_open(self) -> Insertion:
        self._require_open()
        return self._insertion

    def _require_open(self) -> AsyncEngine:
        return self._connections.require_open()
