"""PostgreSQL behind PgBouncer, which gives each transaction whichever connection is free."""

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import make_url

from logweir.errors import SinkUnavailable
from logweir.sinks.results import HealthStatus
from logweir.testing.contract import make_event
from servers import Server
from support.sql import make_sink, names, opened, run, table_name

EVENTS = 40


async def write_from_four_workers(sink: Any) -> None:
    async def write(worker: int) -> None:
        for number in range(EVENTS):
            result = await sink.write([make_event(f"{worker} {number}", amount=number)])
            assert (result.retry, result.rejected) == (frozenset(), {})

    await asyncio.gather(*(write(worker) for worker in range(4)))


@pytest.mark.parametrize("options", [{"pooler": True}, {"of_the_url": "statement_cache_size=0"}], ids=str)
async def test_b3_behind_a_pooler_no_write_fails_and_reading_and_checking_work(
    pgbouncer: Server, options: dict[str, Any]
) -> None:
    query = options.pop("of_the_url", None)
    url = f"{pgbouncer.url}?{query}" if query else pgbouncer.url
    async with opened(make_sink("postgresql", url, table := table_name(), workers=4, **options)) as sink:
        await write_from_four_workers(sink)
        assert len(await names(sink)) == 4 * EVENTS
        health = await sink.check()
        assert health.status is HealthStatus.OK, health.detail
        batch = [make_event("again"), make_event("and again")]
        await sink.write(batch)
        assert (await sink.write(batch)).duplicate == {0, 1}
        await run(f"{pgbouncer.url}?prepared_statement_cache_size=0", f"DROP TABLE {table}")


async def test_b3_the_server_ends_long_statements_behind_a_pooler_too(pgbouncer: Server) -> None:
    sink = make_sink("postgresql", pgbouncer.url, table_name(), pooler=True, statement_timeout=7)
    async with opened(sink), sink._transaction() as connection:
        settings = [
            (await connection.exec_driver_sql(f"SHOW {name}")).scalar_one()
            for name in (
                "statement_timeout",
                "lock_timeout",
                "idle_in_transaction_session_timeout",
                "TimeZone",
            )
        ]
        assert settings == ["7s", "7s", "7s", "UTC"]


async def test_b3_a_pooler_that_refuses_the_connection_is_reported_with_what_to_set(
    pgbouncer: Server,
) -> None:
    with pytest.raises(SinkUnavailable, match="pooler: true"):
        await make_sink("postgresql", pgbouncer.url, table_name()).open()


async def test_b3_without_a_pooler_the_option_costs_nothing_but_round_trips(postgresql: Server) -> None:
    async with opened(make_sink("postgresql", postgresql.url, table := table_name(), pooler=True)) as sink:
        await sink.write([make_event("stored")])
        assert await names(sink) == ["stored"]
    await run(postgresql.url, f"DROP TABLE {table}")


def test_b3_a_number_in_the_url_that_is_none_is_refused_by_name() -> None:
    url = str(make_url("postgresql+asyncpg://h/d?statement_cache_size=none"))
    with pytest.raises(ValidationError, match="statement_cache_size"):
        make_sink("postgresql", url, "audit_log")
