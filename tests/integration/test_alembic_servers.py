"""Alembic on real servers: the tables that a migration makes are those that the sink wants."""

from collections.abc import AsyncIterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, MetaData
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from logweir.integrations.alembic import include_object
from logweir.sinks.results import HealthStatus
from support.sql import make_sink, table_name

ENDINGS = ("", "_outbox", "_chain", "_chain_gone", "_chain_ids", "_chain_closed")


@pytest.fixture(params=["mysql", "mariadb", "postgresql"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, AsyncEngine]]:
    url = request.getfixturevalue(request.param).url
    engine = create_async_engine(url)
    yield request.param, engine
    await engine.dispose()


async def test_a_migration_makes_what_the_sink_wants_and_autogenerate_leaves_it(
    engine: tuple[str, AsyncEngine],
) -> None:
    kind, database = engine
    table = table_name()

    def provision(connection: Connection, *, later: bool) -> None:
        operations = Operations(MigrationContext.configure(connection))
        operations.provision_audit_tables(table, chain=later, outbox=later)  # type: ignore[attr-defined]

    def drops(connection: Connection) -> set[str]:
        context = MigrationContext.configure(connection, opts={"include_object": include_object})
        found = compare_metadata(context, MetaData())
        names = {str(name[1].name) for name in found if name[0] == "remove_table"}
        return {name for name in names if name.startswith(table)}  # others work in the same database

    try:
        async with database.begin() as connection:
            await connection.run_sync(provision, later=False)
        async with database.begin() as connection:
            await connection.run_sync(provision, later=True)
            await connection.run_sync(provision, later=True)  # nothing is left to do
        async with database.connect() as connection:
            assert await connection.run_sync(drops) == set()
        url = database.url.render_as_string(hide_password=False)
        sink = make_sink(kind, url, table, provision=False, outbox=True)
        await sink.open()
        try:
            health = await sink.check()
        finally:
            await sink.close()
        assert (health.status, health.detail) == (HealthStatus.OK, f"table {table}, version 2")
    finally:
        async with database.begin() as connection:
            for ending in ENDINGS:
                await connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table}{ending}")
