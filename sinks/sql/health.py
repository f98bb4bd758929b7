"""What ``check`` finds out about the audit table: who serves it, its version, whether we may write."""

from __future__ import annotations

from sqlalchemy import Table, false, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from logweir.sinks.results import Health, HealthStatus
from logweir.sinks.sql.dialects.contract import Database
from logweir.sinks.sql.own_model import AUDIT_COLUMNS
from logweir.sinks.sql.schema import Schema

__all__ = ["condition_of"]


async def condition_of(engine: AsyncEngine, table: Table, schema: Schema, database: Database) -> Health:
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
    newer = version is not None and version > schema.newest
    status = HealthStatus.DEGRADED if newer else HealthStatus.OK
    return Health(status, schema.describe(version), f"{database.label} {server}")
