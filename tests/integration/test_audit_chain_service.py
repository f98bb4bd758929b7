"""Chains of rows in the application's own transactions, of models, of archives, and of whole runtimes."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import BigInteger, Column, Table, create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

import logweir
from logweir.config.loading import load_config
from logweir.errors import SinkRejected
from logweir.settings.retention import RetentionConfig
from logweir.sinks.sql.table import audit_table
from logweir.stores.archive.restoring import restore
from logweir.stores.archive.retention import Job, apply
from logweir.stores.archive.storage import Storage
from logweir.stores.reading import opened
from support.chains import Place, audit_event, findings, heads

URL = "sqlite+aiosqlite:///audit.db"
CONFIG: dict[str, Any] = {
    "audit": {"chain": True, "chain_key": "a key of sixteen characters"},
    "sinks": {"db": {"type": "sqlite", "url": URL, "provision": True, "outbox": True, "workers": 4}, "rest": {"type": "null"}},
    "routes": [{"name": "a", "match": {"kind": "audit"}, "to": ["db", "rest"]}, {"name": "r", "to": ["rest"]}],
}  # fmt: skip


async def found(config: dict[str, Any]) -> tuple[list[Any], list[int]]:
    """What verifying finds, and how long the chains are."""
    async with opened("db", await asyncio.to_thread(load_config, config)) as sink:
        return await findings(sink.itself), sorted(head.seq for head in await heads(sink.itself))


async def test_rows_in_the_callers_transaction_are_chained_and_roll_back_with_it(tmp_path: Path) -> None:
    engine = create_async_engine(URL)
    async with logweir.running(CONFIG):
        await logweir.LogService().create_audit_log(user_id=1, action="own")
        async with AsyncSession(engine) as session, session.begin():
            await logweir.LogService(session).create_audit_log(user_id=1, action="kept")
            await logweir.LogService(session).create_audit_log(user_id=1, action="kept too")
        async with AsyncSession(engine) as session:
            await logweir.LogService(session).create_audit_log(user_id=1, action="rolled back")
            await session.rollback()
        await logweir.audit("fund.transfer", user_id=2)
        assert await logweir.aflush()
    await engine.dispose()
    assert await found(CONFIG) == ([], [1, 1, 1, 1])


def test_synchronous_sessions_chain_too(tmp_path: Path) -> None:
    engine = create_engine("sqlite:///audit.db")
    with logweir.running(CONFIG):
        logweir.LogService().create_audit_log_sync(user_id=1, action="own")
        with Session(engine) as session, session.begin():
            logweir.LogService(session).create_audit_log_sync(user_id=1, action="kept")
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM audit_log WHERE chain_hash IS NULL")) == 0
    engine.dispose()
    assert asyncio.run(found(CONFIG)) == ([], [1, 1])


async def test_archived_and_restored_rows_are_sound(tmp_path: Path) -> None:
    config = await asyncio.to_thread(load_config, CONFIG)
    async with opened("db", config) as sink:
        await sink.writer.write([audit_event(number) for number in range(250)])
    rule = RetentionConfig.model_validate({"after": "1d", "archive": str(tmp_path / "archive")})
    summary = await apply(config, Job("db", rule), datetime.now(UTC))
    assert (summary.archived, summary.deleted) == (250, 250)
    assert await found(CONFIG) == ([], [])
    storage = await asyncio.to_thread(lambda: Storage(str(tmp_path / "archive"), {}))
    async with opened("db", config) as sink:
        assert (await restore(storage, sink)).restored == 250
    assert await found(CONFIG) == ([], [250])
    pruned = RetentionConfig.model_validate({"after": "1d"})
    await apply(config, Job("db", pruned), datetime.now(UTC) + timedelta(days=1))
    assert await found(CONFIG) == ([], [])


def _model(*, chained: bool) -> Table:
    table = audit_table("own", chained=chained)
    table.append_column(Column("amount", BigInteger))
    return table


chained_model = _model(chained=True)
plain_model = _model(chained=False)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    import sys

    monkeypatch.setitem(sys.modules, "own_models", sys.modules[__name__])
    return Place("sqlite", f"sqlite+aiosqlite:///{tmp_path / 'own.db'}", "own")


async def test_a_model_of_the_applications_is_chained_if_it_has_the_columns(own: Place) -> None:
    async with own.opened(model="own_models:chained_model") as sink:
        batch = [
            audit_event(number, amount=number, chain_writer="forged", chain_seq=1) for number in range(9)
        ]
        await sink.write(batch[:5])
        assert (await sink.write(batch)).duplicate == {*range(5)}
        await sink.record(audit_event(10))
        assert await findings(sink) == []
        await own.run("UPDATE TABLE_ SET amount = 99")  # the application's own column, which it may change
        assert await findings(sink) == []
        await own.run("UPDATE TABLE_ SET status = 'failed' WHERE chain_seq = 5")
        assert len(await findings(sink)) == 1
    with pytest.raises(
        SinkRejected, match="lacks the columns chain_writer, chain_seq, chain_prev, chain_hash"
    ):
        await own.sink(model="own_models:plain_model").open()


async def test_without_a_chain_a_field_of_that_name_never_becomes_a_link(own: Place) -> None:
    async with own.opened(model="own_models:chained_model", chained=False) as sink:
        await sink.write([audit_event(1, chain_writer="forged", chain_seq=1)])
    assert await own.run("SELECT chain_writer, chain_seq FROM TABLE_") == [(None, None)]
