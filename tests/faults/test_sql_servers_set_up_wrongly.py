"""Relational servers that are read only, or whose table is another now: nobody's event is at fault for it."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from logweir.errors import SinkUnavailable
from logweir.sinks.results import HealthStatus
from logweir.sinks.sql.sink import SqlSink
from logweir.testing.contract import make_event
from servers import Server
from support.sql import make_sink, names, opened, run, table_name

#: What makes new sessions read only, and what ends that; the sessions that began meanwhile stay so.
READ_ONLY = {
    "mysql": ("SET GLOBAL transaction_read_only = ON", "SET GLOBAL transaction_read_only = OFF"),
    "mariadb": ("SET GLOBAL tx_read_only = ON", "SET GLOBAL tx_read_only = OFF"),
}


@pytest.fixture(params=["mysql", "mariadb", "postgresql"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


async def test_b2_after_a_failover_no_connection_to_the_server_that_is_read_only_now_is_kept(
    own_server: Any, mysql: Server, proxy: Any
) -> None:
    old, table = own_server("mysql"), table_name()
    async with opened(make_sink("mysql", mysql.url, table)):
        pass  # as replication would have made the table there
    address = proxy(old)
    async with opened(make_sink("mysql", address.url, table)) as sink:
        await sink.write([make_event("before")])
        await two_connections(sink)
        await run(old.url, "SET GLOBAL super_read_only = 1")
        address.lead_to(mysql.url)
        with pytest.raises(SinkUnavailable, match=r"\(1290\)"):
            await sink.write([make_event("refused")])
        await two_connections(sink)
        for number in range(3):
            await sink.write([make_event(f"after {number}")])
        assert await names(sink) == ["after 0", "after 1", "after 2"]
    await run(mysql.url, f"DROP TABLE {table}")


async def two_connections(sink: SqlSink) -> None:
    """See that the pool has both its connections."""
    async with sink._require_open().connect() as one, sink._require_open().connect() as another:
        for connection in (one, another):
            await connection.exec_driver_sql("SELECT 1")


@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
async def test_b2_a_session_that_began_read_only_is_left_once_the_server_refused_it_a_write(
    own_server: Any, kind: str
) -> None:
    server, table = own_server(kind), table_name()
    async with opened(make_sink(kind, server.url, table)):
        pass
    await run(server.url, READ_ONLY[kind][0])
    async with opened(make_sink(kind, server.url, table, provision=False)) as sink:
        with pytest.raises(SinkUnavailable, match=r"\(1792\)"):
            await sink.write([make_event()])
        await run(server.url, READ_ONLY[kind][1])
        await sink.write([make_event("stored")])
        assert await names(sink) == ["stored"]


async def test_b2_a_role_that_is_read_only_costs_postgresql_one_connection_after_another(
    postgresql: Server,
) -> None:
    table, role = table_name(), table_name()
    url = make_url(postgresql.url).set(username=role).render_as_string(hide_password=False)
    async with opened(make_sink("postgresql", postgresql.url, table)):
        pass
    await run(postgresql.url, f"CREATE ROLE {role} LOGIN", f"GRANT ALL ON {table}, logweir_schema TO {role}",
              f"ALTER ROLE {role} SET default_transaction_read_only = on")  # fmt: skip
    async with opened(make_sink("postgresql", url, table, provision=False)) as sink:
        with pytest.raises(SinkUnavailable, match="read-only"):
            await sink.write([make_event()])
        await run(postgresql.url, f"ALTER ROLE {role} RESET default_transaction_read_only")
        await sink.write([make_event("stored")])
        assert await names(sink) == ["stored"]
    await run(postgresql.url, f"DROP OWNED BY {role}", f"DROP ROLE {role}", f"DROP TABLE {table}")


async def test_b2_a_connection_that_was_killed_is_replaced(server: Server) -> None:
    table = table_name()
    mine, kill = {
        "postgresql": ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend({})"),
    }.get(server.name, ("SELECT connection_id()", "KILL {}"))
    async with opened(make_sink(server.name, server.url, table, workers=1)) as sink:
        async with sink._require_open().connect() as connection:
            number = (await connection.exec_driver_sql(mine)).scalar_one()
        await run(server.url, kill.format(number))
        with pytest.raises(SinkUnavailable):
            await sink.write([make_event()])
        await sink.write([make_event("stored")])
        assert await names(sink) == ["stored"]
    await run(server.url, f"DROP TABLE {table}")


async def test_b1_a_column_that_is_gone_or_new_is_not_the_events_fault(server: Server) -> None:
    table = table_name()
    async with opened(make_sink(server.name, server.url, table)) as sink:
        await run(server.url, f"ALTER TABLE {table} DROP COLUMN status")
        with pytest.raises(SinkUnavailable, match="status"):
            await sink.write([make_event(), make_event()])
        await run(server.url, f"ALTER TABLE {table} ADD COLUMN status VARCHAR(64)")
        if server.name != "postgresql":  # which says it as it says that of a row
            await run(server.url, f"ALTER TABLE {table} ADD COLUMN mine INTEGER NOT NULL",
                      f"ALTER TABLE {table} ALTER COLUMN mine DROP DEFAULT")  # fmt: skip
            with pytest.raises(SinkUnavailable, match="mine"):
                await sink.write([make_event()])
            await run(server.url, f"ALTER TABLE {table} DROP COLUMN mine")
        await sink.write([make_event("stored")])
        assert await names(sink) == ["stored"]
    await run(server.url, f"DROP TABLE {table}")


@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
@pytest.mark.parametrize("charset", ["latin1", "utf8mb3"])
async def test_b7_a_letter_that_the_tables_character_set_lacks_waits_and_check_foresees_it(
    request: pytest.FixtureRequest, kind: str, charset: str
) -> None:
    server, table = request.getfixturevalue(kind), table_name()
    async with opened(make_sink(kind, server.url, table)) as sink:
        assert (await sink.check()).status is HealthStatus.OK
        await run(server.url, f"ALTER TABLE {table} CONVERT TO CHARACTER SET {charset}")
        batch = [make_event("plain"), make_event("\N{GRINNING FACE}"), make_event("after it")]
        result = await sink.write(batch)
        assert (result.retry, result.rejected) == ({1}, {})
        assert "convert the table to utf8mb4" in result.retry_reason
        health = await sink.check()
        assert health.status is HealthStatus.DEGRADED
        assert charset in health.detail
        await run(server.url, f"ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        assert (await sink.write(batch)).duplicate == {0, 2}
        assert (await sink.check()).status is HealthStatus.OK
        assert await names(sink) == [event.name for event in batch]
    await run(server.url, f"DROP TABLE {table}")


async def test_b7_a_letter_that_a_database_of_postgresqls_lacks_waits_and_check_foresees_it(
    postgresql: Server,
) -> None:
    name = table_name()
    await in_autocommit(
        postgresql.url,
        f"CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'",
    )
    url = make_url(postgresql.url).set(database=name).render_as_string(hide_password=False)
    async with opened(make_sink("postgresql", url, "audit_log")) as sink:
        result = await sink.write([make_event("plain"), make_event("\N{GRINNING FACE}")])
        assert (result.retry, result.rejected) == ({1}, {})
        assert "LATIN1" in result.retry_reason
        health = await sink.check()
        assert (health.status, "LATIN1" in health.detail) == (HealthStatus.DEGRADED, True)
    await in_autocommit(postgresql.url, f"DROP DATABASE {name}")


@pytest.mark.parametrize("missing", ["DELETE", "UPDATE"])
async def test_b7_check_foresees_the_right_that_retention_or_the_outbox_will_need(
    server: Server, missing: str
) -> None:
    table, role = table_name(), table_name()[:30]
    sink = make_sink(server.name, server.url, table, outbox=True)
    async with opened(sink):
        pass
    rights = ", ".join({"SELECT", "INSERT", "UPDATE", "DELETE"} - {missing})
    name = role if server.name == "postgresql" else f"'{role}'@'%'"
    made = (
        f"CREATE ROLE {name} LOGIN"
        if server.name == "postgresql"
        else f"CREATE USER {name} IDENTIFIED BY 'q'"
    )
    await run(
        server.url, made, *(f"GRANT {rights} ON {each} TO {name}" for each in (table, f"{table}_outbox"))
    )
    address = make_url(server.url).set(username=role, password="q").render_as_string(hide_password=False)
    sink = make_sink(server.name, address, table, outbox=True, provision=False, retention={"after": "30d"})
    async with opened(sink):
        health = await sink.check()
    assert health.status is HealthStatus.DEGRADED
    expected = {
        "DELETE": f"may not remove rows of {table}, as retention does",
        "UPDATE": f"may not change rows of {table}_outbox",
    }
    assert expected[missing] in health.detail
    if server.name == "postgresql":
        await run(server.url, f"DROP OWNED BY {role}")
    await run(server.url, f"DROP {'ROLE' if server.name == 'postgresql' else 'USER'} {name}",
              f"DROP TABLE {table}", f"DROP TABLE {table}_outbox")  # fmt: skip


async def in_autocommit(url: str, statement: str) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


async def test_b9_a_connection_that_was_idle_for_too_long_leaves_no_traceback_when_it_is_closed(
    own_server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = own_server("mariadb", args=["--wait-timeout=1"])
    async with opened(make_sink("mariadb", server.url, table_name())) as sink:
        await sink.write([make_event("before")])
        deadline = asyncio.get_running_loop().time() + 30
        idle = "SELECT count(*) FROM information_schema.processlist WHERE command = 'Sleep'"
        while (await run(server.url, idle))[0][0]:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.1)  # the server's own clock, which we cannot await
    assert not [record for record in caplog.records if record.name.startswith("sqlalchemy")]
