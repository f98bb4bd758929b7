"""The explicit service in the transactions of real servers: committed, rolled back, joined, relayed."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Column, MetaData, String, Table, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

import logweir
from conftest import until
from logweir.auditing.log_service import LogService
from logweir.sinks.memory import MemorySink
from logweir.sinks.sql.table import audit_table
from servers import Server

TYPES = {"mysql": "mysql", "mariadb": "mysql", "postgresql": "postgresql"}


@pytest.fixture(params=list(TYPES))
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def name() -> str:
    return f"service_{uuid4().hex[:12]}"


@pytest.fixture
async def engine(server: Server, name: str, tmp_path: Any) -> AsyncIterator[AsyncEngine]:
    config = {
        "data_dir": str(tmp_path / "data"),
        "sinks": {
            "audit_db": {
                "type": TYPES[server.name],
                "url": server.url,
                "table": name,
                "provision": True,
                "outbox": True,
            },
            "copy": {"type": "memory", "batch": {"linger": 0}},
        },
        "routes": [{"name": "all", "to": ["audit_db", "copy"]}],
    }
    engine = create_async_engine(server.url)
    async with logweir.running(config) as runtime:
        await runtime.await_sinks(30)
        yield engine
    async with engine.begin() as connection:
        for table in (name, f"{name}_outbox", f"{name}_transfers"):
            await connection.execute(text(f"DROP TABLE IF EXISTS {table}"))
    await engine.dispose()


async def rows(engine: AsyncEngine, name: str) -> list[str]:
    async with engine.connect() as connection:
        return list(await connection.scalars(select(audit_table(name).c.action)))


async def test_rows_commit_roll_back_and_are_relayed_with_the_transaction(
    engine: AsyncEngine, name: str
) -> None:
    async with AsyncSession(engine) as session:
        await LogService(session).create_audit_log(user_id=7, action="fund.undone")
        await session.rollback()
    async with AsyncSession(engine) as session, session.begin():
        kept = await LogService(session).create_audit_log(
            user_id=7, action="fund.transfer", extra_info={"note": "Überweisung \u0000 🎉"}
        )
        assert await rows(engine, name) == []
    alone = await LogService().create_audit_log(user_id=8, action="fund.alone")
    assert sorted(await rows(engine, name)) == ["fund.alone", "fund.transfer"]
    await until(lambda: len(MemorySink.of("copy").events) == 2, timeout=30)
    assert set(MemorySink.of("copy").events) == {kept.id, alone.id}
    assert MemorySink.of("copy").events[kept.id].fields["note"] == "Überweisung \u0000 🎉"


PAGE = (Path(__file__).parents[2] / "docs/how-to/relational-audit-store.md").read_text()


async def test_the_documented_query_finds_what_extra_info_was_given(
    engine: AsyncEngine, server: Server, name: str
) -> None:
    await LogService().create_audit_log(user_id=7, action="fund.transfer", extra_info={"amount": 100})
    asked = {
        "mysql": "extra_info->>'$.amount'",
        "mariadb": "JSON_VALUE(extra_info, '$.amount')",
        "postgresql": "extra_info->>'amount'",
    }[server.name]
    assert f"`{asked}`" in PAGE
    async with engine.connect() as connection:
        assert list(await connection.scalars(text(f"SELECT {asked} FROM {name}"))) == ["100"]


async def test_audit_rows_join_with_business_rows(engine: AsyncEngine, name: str) -> None:
    transfers = Table(
        f"{name}_transfers",
        MetaData(),
        Column("id", String(32), primary_key=True),
        Column("owner", String(20)),
    )
    audit = audit_table(name)
    async with engine.begin() as connection:
        await connection.run_sync(transfers.create)
    for number, owner in (("t-1", "ann"), ("t-2", "bob")):
        async with AsyncSession(engine) as session, session.begin():
            await session.execute(transfers.insert().values(id=number, owner=owner))
            await LogService(session).create_audit_log(user_id="eve", action="fund.transfer", resource=number)
    query = (
        select(audit.c.user_id, transfers.c.owner)
        .join(transfers, transfers.c.id == audit.c.resource)
        .where(transfers.c.owner == "bob")
    )
    async with engine.connect() as connection:
        # A column of another collation cannot be compared without saying so: the audit table's is binary.
        assert (await connection.execute(query)).all() == [("eve", "bob")]
