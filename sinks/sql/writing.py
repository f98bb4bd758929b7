"""Writing a batch: one transaction, each event id once, and the rows at fault found by halving.

Rows go in by a plain INSERT. Only if a key is there already is it asked which ids are, and the others go in
anew; INSERT IGNORE and its like would hide other errors, and do not say which row was new. If a row
is at fault, or has no partition yet, the batch is halved until that row is alone: it is rejected, or to be
sent again, and the others are stored.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any

from sqlalchemy import Dialect, Table, and_, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event
from logweir.process.pacing import breathe, in_slices
from logweir.sinks.results import WriteResult
from logweir.sinks.shared.batch_verdicts import BatchVerdicts
from logweir.sinks.shared.wording import encoding_fault
from logweir.sinks.sql import literals
from logweir.sinks.sql.canonical import canonical
from logweir.sinks.sql.chain.hashing import Link
from logweir.sinks.sql.dialects.contract import Database
from logweir.sinks.sql.encode import to_parameters
from logweir.sinks.sql.joined_columns import insert_of, joined
from logweir.sinks.sql.nul_escape import hide_nul_in
from logweir.sinks.sql.own_model import AUDIT_COLUMNS, fill
from logweir.sinks.sql.packets import require_packets
from logweir.sinks.sql.table import CHAIN_COLUMNS
from logweir.sinks.sql.verdicts import RowsMustWait

__all__ = ["Insertion", "hashed_columns", "write_in_parts"]

Rows = Sequence[Any]

#: A statement without parameters, in which a percent sign is one.
_AS_IT_IS = {"no_parameters": True}


class Insertion:
    """How rows get into one table of one database.

    Rows of logweir's own table are positional and go to the driver's own bulk call: SQLAlchemy's handling
    of values would cost a third. Rows of a model are left to SQLAlchemy, which knows the model's types.

    Args:
        table: The audit table.
        database: Whose it is.
        dialect: SQLAlchemy's dialect of the connections.
        is_model: Whether the table is a model of the application's.
        packet_limit: The most bytes of a statement; a server that is sent more hangs up, often before it
            can say why, which would look like an outage.
    """

    def __init__(
        self,
        table: Table,
        database: Database,
        dialect: Dialect,
        *,
        is_model: bool,
        packet_limit: int | None = None,
    ) -> None:
        self._packet_limit = packet_limit
        self._table = table
        self._database = database
        self._is_model = is_model
        self._statement = str(insert(table).compile(dialect=dialect))
        start = self._statement.rpartition("VALUES")[0]
        self._literal_insert = start + "VALUES"
        self._joined_insert = insert_of(start, table, dialect) if database.takes_joined_columns else None

    async def rows_of(self, batch: Sequence[Event]) -> Rows:
        """Return the rows of events.

        Raises:
            SinkRejected: A value of one cannot be stored.
        """
        return [row async for part in in_slices(batch) for row in self._rows(part)]

    def _rows(self, batch: Sequence[Event]) -> Rows:
        try:
            stored = hide_nul_in(batch) if self._database.escapes_nul else batch
            if self._is_model:
                return [fill(self._table, event) for event in stored]
            return [to_parameters(event) for event in stored]
        except (ValueError, TypeError, OverflowError) as error:
            raise SinkRejected(f"a value cannot be stored: {encoding_fault(error)}") from None

    async def insert(self, connection: AsyncConnection, rows: Rows) -> None:
        """Insert rows, all of them new."""
        if self._packet_limit is not None:
            require_packets(rows, self._packet_limit)
        if self._is_model:
            await connection.execute(insert(self._table), rows)
        elif self._joined_insert is not None and (columns := joined(rows)) is not None:
            await connection.exec_driver_sql(self._joined_insert, tuple(columns))
        elif not (self._database.takes_literals and await self._insert_literals(connection, rows)):
            await connection.exec_driver_sql(self._statement, list(rows))

    async def _insert_literals(self, connection: AsyncConnection, rows: Rows) -> bool:
        """Insert rows that are written as SQL here; returns False where the driver must write them."""
        driver = (await connection.get_raw_connection()).driver_connection
        if driver is None or not literals.may_write(driver):
            return False
        status = driver.server_status
        written = [text async for part in in_slices(rows) for text in literals.written(part, status)]
        await breathe()
        for statement in literals.statements(self._literal_insert, written):
            await connection.exec_driver_sql(statement, execution_options=_AS_IT_IS)  # type: ignore[arg-type]
        return True

    async def insert_fresh(
        self, connection: AsyncConnection, rows: Rows, *, any_time: bool = False
    ) -> set[int]:
        """Insert those that are not there yet; return the indexes of the others.

        Raises:
            SinkRejected: None is there, so that it was another key than the id which is there already.
        """
        fresh = await self.fresh(connection, rows, any_time=any_time)
        if fresh:
            await self.insert(connection, [rows[index] for index in fresh])
        return set(range(len(rows))).difference(fresh)

    async def fresh(self, connection: AsyncConnection, rows: Rows, *, any_time: bool = False) -> list[int]:
        """Return the indexes of the rows that are not there yet, each id once.

        Args:
            connection: Where to ask.
            rows: Some of them may be there.
            any_time: Look beyond the times of these rows, which costs a partitioned table a look into every
                partition: a line of a log file that has no time has another one each time it is read.
        """
        ids = [self._id_of(row) for row in rows]
        known = await self._known(connection, rows, ids, any_time=any_time)
        fresh = list[int]()
        for index, id_ in enumerate(ids):
            if id_ not in known:
                known.add(id_)
                fresh.append(index)
        return fresh

    def hashed(self, row: Any) -> Sequence[Any]:
        """Return the columns of a row that are hashed."""
        return hashed_columns(row) if self._is_model else row

    def linked(self, row: Any, link: Link) -> Any:
        """Return a row with its link to the one before it."""
        return {**row, **dict(zip(CHAIN_COLUMNS, link, strict=True))} if self._is_model else (*row, *link)

    async def _known(
        self, connection: AsyncConnection, rows: Rows, ids: Sequence[str], *, any_time: bool
    ) -> set[str]:
        columns = self._table.c
        wanted = self._database.has_id_in(self._table, set(ids))
        if not any_time:
            times = [row["time_us"] if self._is_model else row[1] for row in rows]
            # Spares a partitioned table the other months.
            wanted = and_(wanted, columns.time_us.between(min(times), max(times)))
        return {str(id_) for id_ in (await connection.execute(select(columns.id).where(wanted))).scalars()}

    def _id_of(self, row: Any) -> str:
        return str(row["id"] if self._is_model else row[0])


def hashed_columns(row: Mapping[str, Any]) -> Sequence[Any]:
    """Return the columns of a row of SQLAlchemy's that are hashed, in the order of the table."""
    columns = [row[name] for name in AUDIT_COLUMNS]
    columns[-1] = canonical(columns[-1]).decode()
    return columns


async def write_in_parts(
    batch: Sequence[Event], store: Callable[[Sequence[Event]], Awaitable[set[int]]], seconds: float
) -> WriteResult:
    """Store a batch by halving what is refused.

    Args:
        batch: The events.
        store: Stores events in one transaction and returns the indexes of those known before.
        seconds: When so many have passed, what is left is given back to be sent again: a batch with many
            rows at fault must end before the worker's patience does.

    Raises:
        SinkError: Nothing was stored.
    """
    verdicts = BatchVerdicts()
    reason = "there was no time left for it"
    parts = [range(len(batch))] if batch else []
    deadline = monotonic() + seconds
    settled = 0
    while parts and not (settled and monotonic() > deadline):
        part = parts.pop()
        try:
            known = await store([batch[index] for index in part])
        except (SinkRejected, RowsMustWait) as error:
            if len(part) > 1:
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]
                continue
            if isinstance(error, SinkRejected):
                verdicts.rejected[part[0]] = str(error)
            else:
                verdicts.retry.add(part[0])
                reason = str(error)
        except SinkUnavailable as error:
            if not settled:
                raise
            parts.append(part)
            reason = str(error)
            break
        else:
            verdicts.duplicate.update(part[index] for index in known)
        settled += len(part)
    verdicts.retry.update(index for part in parts for index in part)
    return replace(verdicts.result(), retry_reason=reason if verdicts.retry else "")
