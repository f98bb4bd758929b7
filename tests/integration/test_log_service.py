"""The explicit service: rows in the caller's transaction, in one of its own, and relayed by the outbox."""

import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

import logweir
from conftest import until
from logweir.auditing.log_service import LogService
from logweir.context.binding import bind
from logweir.event import Event
from logweir.integrations.fastapi import log_service
from logweir.process.threads import in_thread
from logweir.sinks.memory import MemorySink
from logweir.sinks.sql import outbox
from logweir.sinks.sql.table import audit_table

AUDIT = audit_table("audit_log")
TRANSFERS = Table(
    "transfers", MetaData(), Column("id", Integer, primary_key=True), Column("owner", String(20))
)


def notes_in(folder: Path) -> int:
    with sqlite3.connect(folder / "bank.db") as connection:
        count: int = connection.execute("SELECT count(*) FROM audit_log_outbox").fetchone()[0]
    connection.close()
    return count


def config(folder: Path, **sink: Any) -> dict[str, Any]:
    return {
        "data_dir": str(folder / "data"),
        "service": "bank",
        "classify": [{"kind": "audit", "match": {"event": "fund.*"}}],
        "sinks": {
            "audit_db": {
                "type": "sqlite",
                "url": f"sqlite+aiosqlite:///{folder}/bank.db",
                "provision": True,
                **sink,
            },
            "copy": {"type": "memory", "batch": {"linger": 0}},
        },
        "routes": [
            {"name": "audit", "match": {"kind": "audit"}, "to": ["audit_db", "copy"]},
            {"name": "rest", "match": {"kind": "tracing"}, "to": ["copy"]},
        ],
        "audit": {"timeout": 3},
    }


@pytest.fixture
async def running(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[logweir.Runtime]:
    async with logweir.running(config(tmp_path, **getattr(request, "param", {}))) as runtime:
        yield runtime


@pytest.fixture
async def engine(tmp_path: Path, running: logweir.Runtime) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/bank.db")
    async with engine.begin() as connection:
        await connection.run_sync(TRANSFERS.create)
    yield engine
    await engine.dispose()


async def rows(engine: AsyncEngine) -> list[Any]:
    async with engine.connect() as connection:
        return list((await connection.execute(select(AUDIT).order_by(AUDIT.c.id))).mappings())


def relayed() -> dict[str, Event]:
    return dict(MemorySink.of("copy").events)


with_outbox = pytest.mark.parametrize("running", [{"outbox": True}], indirect=True)


async def test_a_row_commits_with_the_business_data(engine: AsyncEngine) -> None:
    async with AsyncSession(engine) as session, session.begin():
        await session.execute(TRANSFERS.insert().values(id=1, owner="ann"))
        event = await LogService(session).create_audit_log(
            user_id=7, action="fund.transfer", resource=1, extra_info={"amount": 100}, password="x"
        )
        assert await rows(engine) == []
    (row,) = await rows(engine)
    assert row["id"] == event.id
    assert (row["action"], row["user_id"], row["status"], row["kind"]) == (
        "fund.transfer",
        "7",
        "success",
        "audit",
    )
    assert row["extra_info"] == {
        "user_id": 7,
        "resource": 1,
        "amount": 100,
        "password": "***",
    }


async def test_extra_info_is_found_by_the_documented_query(engine: AsyncEngine) -> None:
    await LogService().create_audit_log(user_id=7, action="fund.transfer", extra_info={"amount": 100})
    await LogService().create_audit_log(user_id=7, action="fund.transfer", amount=101)
    await logweir.audit("fund.transfer", amount=102, acknowledge="stored")
    async with engine.connect() as connection:
        asked = "SELECT extra_info->>'$.amount' FROM audit_log ORDER BY 1"
        assert list(await connection.scalars(text(asked))) == [100, 101, 102]


async def test_a_row_rolls_back_with_the_business_data(engine: AsyncEngine) -> None:
    async with AsyncSession(engine) as session:
        await LogService(session).create_audit_log(user_id=7, action="fund.transfer")
        await session.rollback()
    assert await rows(engine) == []


async def test_a_synchronous_session_is_served_too(engine: AsyncEngine, tmp_path: Path) -> None:
    def work() -> None:
        sync_engine = create_engine(f"sqlite:///{tmp_path}/bank.db")
        with Session(sync_engine) as session, session.begin():
            LogService(session).create_audit_log_sync(user_id=7, action="fund.kept")
        with Session(sync_engine) as session:
            LogService(session).create_log_sync("fund.undone")
            session.rollback()
        with sync_engine.begin() as connection:
            LogService(connection).create_log_sync("note", level="warning", where="here")
        sync_engine.dispose()

    await in_thread(work)
    assert [(row["action"], row["level"]) for row in await rows(engine)] == [
        ("fund.kept", "info"),
        ("note", "warning"),
    ]


async def test_without_a_session_the_row_is_committed_when_the_call_returns(engine: AsyncEngine) -> None:
    with bind(user_id="ann", trace_id="4bf92f3577b34da6a3ce929d0e0e4736"):
        await LogService().create_audit_log(user_id=None, action="fund.transfer")
    (row,) = await rows(engine)
    assert (row["user_id"], row["trace_id"]) == ("ann", "4bf92f3577b34da6a3ce929d0e0e4736")


async def test_without_a_session_a_thread_may_wait(engine: AsyncEngine) -> None:
    await in_thread(lambda: LogService().create_log_sync("note"))
    assert [row["action"] for row in await rows(engine)] == ["note"]
    with pytest.raises(logweir.AuditError, match="await"):
        LogService().create_log_sync("note")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"action": "", "user_id": 1}, "action"),
        ({"action": "x", "user_id": 1, "level": "loud"}, "level"),
        ({"action": "x", "user_id": 1, "status": ""}, "status"),
    ],
)
async def test_wrong_arguments_are_named_and_write_nothing(
    engine: AsyncEngine, arguments: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(logweir.AuditError, match=complaint):
        await LogService().create_audit_log(**arguments)
    assert await rows(engine) == []


async def test_c4_any_name_may_be_a_field_of_a_row(engine: AsyncEngine) -> None:
    fields: dict[str, Any] = {"self": 1, "kind": "gift", "persist_db": "x", "name": "y", "fields": None}
    audited = await LogService().create_audit_log(action="a\udcff", user_id=7, level="WARN", **fields)  # type: ignore[arg-type]
    del fields["kind"]
    logged = await LogService().create_log("b\udcff", level=40, **fields)  # type: ignore[arg-type]
    assert (audited.name, audited.level, logged.name, logged.level) == (
        "a\\udcff",
        "warning",
        "b\\udcff",
        "error",
    )
    assert audited.fields == {"user_id": 7, "status": "success", "kind": "gift", **fields}
    assert logged.fields == fields
    assert [row["action"] for row in await rows(engine)] == ["a\\udcff", "b\\udcff"]


async def test_a_session_of_the_wrong_kind_is_refused(engine: AsyncEngine) -> None:
    async with AsyncSession(engine) as session:
        with pytest.raises(logweir.AuditError, match="asynchronous"):
            LogService(session).create_log_sync("note")
    with pytest.raises(logweir.AuditError, match="synchronous"):
        await LogService(Session()).create_log("note")


async def test_a_sink_without_a_table_is_refused(engine: AsyncEngine) -> None:
    with pytest.raises(logweir.LogweirError, match="has no table"):
        await LogService(sink="copy").create_log("note")
    with pytest.raises(logweir.LogweirError, match="there is no sink 'absent'"):
        await LogService(sink="absent").create_log("note")


async def test_without_the_outbox_nothing_is_relayed(engine: AsyncEngine, running: logweir.Runtime) -> None:
    await LogService().create_audit_log(user_id=7, action="fund.transfer")
    await running._relay._empty(running._pipeline.channels["audit_db"])
    assert relayed() == {}


async def test_b9_a_start_says_nothing_of_an_outbox_where_all_is_well(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with logweir.running(config(tmp_path, outbox=True)) as runtime:
        await runtime._relay.once(runtime._pipeline.channels["audit_db"])
    assert "waits" not in caplog.text


@with_outbox
async def test_a_committed_row_is_relayed_to_the_other_sinks_of_its_route(engine: AsyncEngine) -> None:
    async with AsyncSession(engine) as session, session.begin():
        event = await LogService(session).create_audit_log(user_id=7, action="fund.transfer", amount=1)
    await until(relayed)
    assert relayed() == {event.id: relayed()[event.id]}
    assert relayed()[event.id].fields == {"user_id": 7, "status": "success", "amount": 1}


@with_outbox
async def test_a_row_that_was_rolled_back_is_never_relayed(engine: AsyncEngine) -> None:
    async with AsyncSession(engine) as session:
        await LogService(session).create_audit_log(user_id=7, action="fund.undone")
        await session.rollback()
    kept = await LogService().create_audit_log(user_id=7, action="fund.kept")
    await until(relayed)
    assert list(relayed()) == [kept.id]


@with_outbox
async def test_what_could_not_be_relayed_is_relayed_by_the_next_process(
    tmp_path: Path, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "CLAIM_SECONDS", 1)
    await in_thread(logweir.stop)
    broken = config(tmp_path, outbox=True)
    broken["sinks"]["copy"] = {
        "type": "file",
        "path": str(tmp_path / "copy.jsonl"),
        "queue": {"type": "memory"},
    }
    broken["audit"]["timeout"] = 0.2
    broken["drain_timeout"] = 0.1
    (tmp_path / "copy.jsonl").mkdir()
    async with logweir.running(broken):
        event = await LogService().create_audit_log(user_id=7, action="fund.transfer")
        await until(lambda: logweir.metrics().sinks["copy"].accepted)
    async with logweir.running(config(tmp_path, outbox=True)):
        await until(relayed, timeout=30)
        assert list(relayed()) == [event.id]


async def test_what_another_sink_refuses_is_its_dead_letter_and_not_relayed_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    picky = config(tmp_path, outbox=True)
    picky["sinks"]["copy"] |= {"type": "support.sinks:RefusesBad", "queue": {"type": "memory"}}
    async with logweir.running(picky) as runtime:
        await LogService().create_audit_log(user_id=7, action="bad")
        await until(lambda: runtime.metrics().sinks["copy"].dead)
        await LogService().create_audit_log(user_id=7, action="fund.transfer")
        await until(lambda: runtime.metrics().sinks["copy"].stored)
        await until(lambda: notes_in(tmp_path) == 0)
        assert runtime.metrics().sinks["copy"].dead == 1
    assert "an event of the outbox" not in caplog.text


async def test_fastapi_gives_an_endpoint_the_service_in_its_own_session(engine: AsyncEngine) -> None:
    async def get_session() -> AsyncIterator[AsyncSession]:
        async with AsyncSession(engine) as session:
            yield session

    app = FastAPI()

    @app.post("/transfers/{number}")
    async def transfer(
        number: int,
        session: Annotated[AsyncSession, Depends(get_session)],
        logs: Annotated[LogService, Depends(log_service(get_session))],
    ) -> None:
        await session.execute(TRANSFERS.insert().values(id=number, owner="ann"))
        await logs.create_audit_log(user_id="ann", action="fund.transfer", resource=number)
        if number > 1:
            await session.rollback()
        await session.commit()

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bank") as client:
        for number in (1, 2):
            assert (await client.post(f"/transfers/{number}")).status_code == 200
    assert [row["extra_info"]["resource"] for row in await rows(engine)] == [1]


async def test_audit_rows_join_with_business_rows(engine: AsyncEngine) -> None:
    for number, owner in ((1, "ann"), (2, "bob")):
        async with AsyncSession(engine) as session, session.begin():
            await session.execute(TRANSFERS.insert().values(id=number, owner=owner))
            await LogService(session).create_audit_log(
                user_id="eve", action="fund.transfer", resource=str(number)
            )
    query = (
        select(AUDIT.c.user_id, TRANSFERS.c.owner)
        .join(TRANSFERS, TRANSFERS.c.id == AUDIT.c.resource.cast(Integer))
        .where(TRANSFERS.c.owner == "bob")
    )
    async with engine.connect() as connection:
        assert (await connection.execute(query)).all() == [("eve", "bob")]


def test_the_ledger_example_moves_money_and_audit_rows_together(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "logweir.examples.ledger"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "t-3: ann has not got 900; neither the money nor an audit row moved",
        "eve moved 30.00 from ann to bob",
        "eve moved 50.00 from ann to bob",
    ]


def test_x1_the_ledger_example_leaves_tables_that_it_did_not_make(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("CREATE TABLE accounts (owner TEXT)")
        connection.execute("INSERT INTO accounts VALUES ('a real one')")
    done = subprocess.run(
        [sys.executable, "-m", "logweir.examples.ledger"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "has the tables accounts already" in done.stderr
    assert "Traceback" not in done.stderr
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        assert connection.execute("SELECT owner FROM accounts").fetchall() == [("a real one",)]
