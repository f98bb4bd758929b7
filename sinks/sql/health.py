"""What ``check`` finds out about the audit table: who serves it, its version, our rights, its encoding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Executable, Table, delete, false, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from logweir.sinks.results import Health, HealthStatus
from logweir.sinks.sql.dialects.contract import Database
from logweir.sinks.sql.own_model import AUDIT_COLUMNS
from logweir.sinks.sql.schema import Schema

__all__ = ["Needs", "health_of"]


@dataclass(frozen=True, slots=True)
class Needs:
    """What the sink does beside writing and reading.

    Attributes:
        deletes: Whether old rows are deleted.
        outbox: The table of the outbox, if there is one.
    """

    deletes: bool = False
    outbox: Table | None = None


async def health_of(
    engine: AsyncEngine, table: Table, schema: Schema, database: Database, needs: Needs
) -> Health:
    """Return how well the table can serve.

    Raises:
        DBAPIError: The database cannot be reached, the table is missing, or we may not write into it.
    """
    # An INSERT of what an empty SELECT finds needs every column and the right to write, and stores nothing.
    columns = [table.c[name] for name in AUDIT_COLUMNS]
    nothing = insert(table).from_select(AUDIT_COLUMNS, select(*columns).where(false()))
    async with engine.connect() as connection:
        server = (await connection.execute(text(database.version_query))).scalar_one()
        version = await connection.run_sync(schema.version)
        await connection.rollback()
        await connection.execute(nothing)
        await connection.rollback()
        doubts = await connection.run_sync(_lacking, table, needs)
        encoding = await connection.run_sync(database.narrow_encoding, table)
        await connection.rollback()
    if encoding:
        doubts.append(f"{encoding}: events with other letters wait; convert it to hold all of Unicode")
    newer = version is not None and version > schema.newest
    status = HealthStatus.DEGRADED if newer or doubts else HealthStatus.OK
    return Health(status, "; ".join([schema.describe(version), *doubts]), f"{database.label} {server}")


def _lacking(connection: Connection, table: Table, needs: Needs) -> list[str]:
    """Try, without any effect, what the sink will do one day; return what the account may not do."""
    lacking = []
    for words, statement in _acts(table, needs):
        try:
            connection.execute(statement)
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            lacking.append(f"our account may not {words}")
        connection.rollback()
    return lacking


def _acts(table: Table, needs: Needs) -> Iterator[tuple[str, Executable]]:
    if needs.deletes:
        yield f"remove rows of {table.name}, as retention does", delete(table).where(false())
    outbox = needs.outbox
    if outbox is None:
        return
    name, nothing = outbox.name, select(*outbox.columns).where(false())
    yield f"add rows to {name}", insert(outbox).from_select(outbox.columns.keys(), nothing)
    yield f"change rows of {name}", update(outbox).where(false()).values(claimed_by=None)
    yield f"remove rows of {name}", delete(outbox).where(false())
