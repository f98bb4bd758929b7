"""What changed, in the transactions of real servers: synchronous and asynchronous drivers, statements, XA."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    Numeric,
    String,
    Table,
    create_engine,
    delete,
    func,
    insert,
    make_url,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import logweir
from logweir.context import bind
from logweir.integrations.sqlalchemy import audit_changes, history
from logweir.process.threads import in_thread
from servers import Server

TYPES = {"mysql": "mysql", "mariadb": "mysql", "postgresql": "postgresql"}
DRIVERS = {"mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql", "postgresql": "postgresql+psycopg"}
ENDINGS = ("", "_outbox", "_chain", "_chain_gone", "_chain_ids", "_chain_closed")
NAME = f"chg_{uuid4().hex[:12]}"  # others work in the same databases


class Base(DeclarativeBase):
    pass


links = Table(
    f"{NAME}_links",
    Base.metadata,
    Column("account_id", ForeignKey(f"{NAME}_accounts.id"), primary_key=True),
    Column("tag_id", ForeignKey(f"{NAME}_tags.id"), primary_key=True),
)


class Tag(Base):
    __tablename__ = f"{NAME}_tags"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class Account(Base):
    __tablename__ = f"{NAME}_accounts"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(String(50))
    balance: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    version: Mapped[int] = mapped_column(server_default="7")
    created: Mapped[datetime] = mapped_column(server_default=func.now())
    tags: Mapped[list[Tag]] = relationship(secondary=links)


audit_changes(Account, load_before=True, action="accounts")


@pytest.fixture(params=list(TYPES))
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    return getattr(request, "param", {})


@pytest.fixture
async def engine(server: Server, options: dict[str, Any], tmp_path: Any) -> AsyncIterator[AsyncEngine]:
    table = f"{NAME}_audit"
    config = {
        "data_dir": str(tmp_path / "data"),
        "sinks": {
            "audit_db": {
                "type": TYPES[server.name],
                "url": server.url,
                "table": table,
                "provision": True,
                "outbox": "audit" in options,
            },
        },
        "routes": [{"name": "all", "to": ["audit_db"]}],
        **options,
    }
    engine = create_async_engine(server.url)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with logweir.running(config) as runtime:
        await runtime.await_sinks(30)
        yield engine
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        for ending in ENDINGS:
            await connection.execute(text(f"DROP TABLE IF EXISTS {table}{ending}"))
    await engine.dispose()


def work(session: Session) -> int:
    """What every session is to record, in one transaction that is committed."""
    red = Tag(id=1)
    account = Account(owner="ann", balance=Decimal("5.50"), tags=[red])
    session.add_all([account, Account(owner="bob")])
    session.flush()
    number = account.id
    account.owner = "eve"
    account.version = Account.version + 1  # type: ignore[assignment]
    account.tags.remove(red)
    session.flush()
    with session.begin_nested() as savepoint:
        account.owner = "never"
        session.flush()
        savepoint.rollback()
    with session.begin_nested():
        session.execute(update(Account).where(Account.owner == "eve").values(balance=Account.balance * 2))
    session.expire(account)
    account.owner = "dan"
    session.flush()
    session.execute(insert(Account), [{"id": number + 10, "owner": "new"}, {"id": number + 11, "owner": "n"}])
    session.execute(delete(Account).where(Account.owner == "bob"))
    session.bulk_insert_mappings(Account, [{"owner": "bulk"}])  # type: ignore[arg-type]
    return number


async def check(number: int) -> None:
    changes = await history(Account, number)
    assert [(each.operation, each.user_id) for each in changes] == [
        ("insert", 7),
        ("update", 7),
        ("update", 7),
        ("update", 7),
    ]
    added, renamed, doubled, last = changes
    created = added.after.pop("created")
    assert created
    assert added.after == {"id": number, "owner": "ann", "balance": "5.50", "version": 7}
    assert added.collections == {"tags": {"added": [{"id": 1}], "removed": []}}
    assert (renamed.before, renamed.after) == (
        {"owner": "ann", "version": 7},
        {"owner": "eve", "version": 8},
    )
    assert renamed.collections == {"tags": {"added": [], "removed": [{"id": 1}]}}
    assert (doubled.before, doubled.after) == ({"balance": "5.50"}, {"balance": "11.00"})
    assert (last.before, last.after) == ({"owner": "eve"}, {"owner": "dan"})
    bob = await history(Account, number + 1)
    assert [(each.operation, each.before.get("owner")) for each in bob] == [
        ("insert", None),
        ("delete", "bob"),
    ]
    (new,) = await history(Account, number + 11)
    assert (new.operation, new.after["owner"], new.after["version"]) == ("insert", "n", 7)


async def test_a_table_that_is_emptied_is_not_silent(engine: AsyncEngine) -> None:
    async with AsyncSession(engine) as session, session.begin():
        session.add(Account(id=1, owner="ann"))
    async with engine.begin() as connection:
        await connection.execute(text(f"DELETE FROM {NAME}_links"))
        await connection.execute(text(f"TRUNCATE TABLE {NAME}_links"))
    async with engine.connect() as connection:
        query = text(f"SELECT action FROM {NAME}_audit ORDER BY id")
        assert list(await connection.scalars(query)) == ["accounts.insert", "accounts.statement"]


CHAINED = pytest.mark.parametrize(
    "options", [{}, {"audit": {"chain": True}}], indirect=True, ids=["plain", "chain"]
)


@CHAINED
async def test_an_asynchronous_session_is_audited(engine: AsyncEngine) -> None:
    with bind(user_id=7):
        async with AsyncSession(engine) as session, session.begin():
            number = await session.run_sync(work)
    await check(number)


async def test_a_synchronous_session_is_audited(engine: AsyncEngine, server: Server) -> None:
    def run() -> int:
        url = make_url(server.url).set(drivername=DRIVERS[server.name])
        sync_engine = create_engine(url)
        try:
            with bind(user_id=7), Session(sync_engine) as session, session.begin():
                return work(session)
        finally:
            sync_engine.dispose()

    await check(await in_thread(run))


async def test_the_rows_of_a_statement_are_those_that_it_changes(engine: AsyncEngine) -> None:
    async with AsyncSession(engine) as session, session.begin():
        session.add(Account(id=1, owner="ann", version=1))
    async with AsyncSession(engine) as reader, AsyncSession(engine) as writer:
        # What this transaction has seen is older than what its UPDATE changes, where reads are repeatable.
        await reader.get_one(Account, 1)
        async with writer.begin():
            (await writer.get_one(Account, 1)).version = 5
        await reader.execute(update(Account).values(version=Account.version + 1))
        await reader.commit()
    changes = await history(Account, 1)
    assert [(each.before.get("version"), each.after["version"]) for each in changes] == [
        (None, 1),
        (1, 5),
        (5, 6),
    ]


@pytest.mark.parametrize("server", ["mysql", "mariadb"], indirect=True)  # PostgreSQL's is off by default
async def test_a_prepared_transaction_is_audited_with_its_rows(engine: AsyncEngine, server: Server) -> None:
    def run() -> None:
        url = make_url(server.url).set(drivername=DRIVERS[server.name])
        sync_engine = create_engine(url)
        try:
            for number, committed in ((1, True), (2, False)):
                with Session(sync_engine, twophase=True) as session:
                    session.add(Account(id=number, owner="ann"))
                    session.prepare()
                    (session.commit if committed else session.rollback)()
        finally:
            sync_engine.dispose()

    await in_thread(run)
    assert len(await history(Account, 1)) == 1
    assert await history(Account, 2) == []


async def test_what_the_sinks_themselves_write_is_not_looked_at(engine: AsyncEngine) -> None:
    for number in range(3):
        await logweir.audit(f"UPDATE {Account.__tablename__} SET owner = 'x'", number=number)
    assert await logweir.aflush(30)
    found = logweir.metrics().sinks["audit_db"]
    assert (found.stored, found.failures, found.last_error) == (3, 0, "")


async def test_a_transaction_whose_connection_broke_ends_as_it_did_before(engine: AsyncEngine) -> None:
    slow = "SELECT pg_sleep(20)" if engine.dialect.name == "postgresql" else "SELECT sleep(20)"
    with pytest.raises(TimeoutError):
        async with engine.begin() as connection, asyncio.timeout(0.5):
            await connection.exec_driver_sql(slow)
    async with engine.begin() as connection:
        assert (await connection.exec_driver_sql("SELECT 1")).scalar_one() == 1


async def test_a_statement_as_bytes_is_reported_as_one_of_text_is(engine: AsyncEngine) -> None:
    if engine.dialect.name != "mysql":
        pytest.skip("its driver takes text alone")
    async with engine.begin() as connection:
        statement = f"INSERT INTO {Account.__tablename__} (owner) VALUES ('ann')".encode()
        await connection.exec_driver_sql(statement)  # type: ignore[arg-type]
    async with engine.connect() as connection:
        names = (await connection.execute(text(f"SELECT action FROM {NAME}_audit"))).scalars().all()
    assert names == ["accounts.statement"]
