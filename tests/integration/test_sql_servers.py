"""The relational sinks on real servers: what they create, refuse, find and report."""

import asyncio
import sys
import types
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Boolean, Column, DateTime, Integer, MetaData, Numeric, String, Table
from typer.testing import CliRunner

from logweir.cli.app import app
from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event, Kind
from logweir.sinks.contract import Query
from logweir.sinks.results import HealthStatus, WriteResult
from logweir.sinks.sql.schema import MIGRATIONS, Migration, Schema
from logweir.sinks.sql.sink import SqlSink
from logweir.sinks.sql.table import audit_table
from logweir.testing.contract import make_event
from servers import Server
from support.sql import make_sink, names, opened, run, table_name

LABELS = {"mysql": "MySQL ", "mariadb": "MariaDB ", "postgresql": "PostgreSQL "}


@dataclass
class Place:
    """A server, and a table there that is this test's own."""

    name: str
    server: Server
    table: str

    @property
    def url(self) -> str:
        return self.server.url

    def sink(self, **options: Any) -> SqlSink:
        return make_sink(self.name, options.pop("url", self.url), self.table, **options)

    async def run(self, statement: str) -> list[Any]:
        return [*await run(self.url, statement.replace("TABLE_", self.table))]


@pytest.fixture(params=["mysql", "mariadb", "postgresql"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    place = Place(request.param, request.getfixturevalue(request.param), table_name())
    yield place
    for suffix in ("", "_outbox", "_copy"):
        await place.run(f"DROP TABLE IF EXISTS TABLE_{suffix}")


# -- opening and checking -------------------------------------------------------------------------------


async def test_check_names_the_server_that_answers(place: Place) -> None:
    async with opened(place.sink()) as sink:
        health = await sink.check()
    assert health.status is HealthStatus.OK
    assert health.server.startswith(LABELS[place.name])
    assert health.detail == f"table {place.table}, version 2"


async def test_a_missing_table_is_reported_unless_it_may_be_made(place: Place) -> None:
    with pytest.raises(SinkRejected, match=r"is missing; create it, or set provision: true"):
        await place.sink(provision=False).open()


async def test_a_wrong_password_is_reported_and_never_shown(place: Place) -> None:
    if place.name == "postgresql":
        pytest.skip("this server trusts loopback")
    sink = place.sink(url=place.url.replace(":p@", ":hunter22@"))
    with pytest.raises(SinkUnavailable, match="Access denied") as caught:
        await sink.open()
    assert "hunter22" not in f"{caught.value!r} {sink.config!r} {sink._url!r}"


async def test_a_server_that_is_not_there_is_unavailable(place: Place) -> None:
    sink = place.sink(url=place.url.replace(f":{place.server.port}/", ":1/"))
    with pytest.raises(SinkUnavailable):
        await sink.open()


async def test_several_processes_may_provision_at_once(place: Place) -> None:
    sinks = [place.sink(outbox=True) for _ in range(4)]
    await asyncio.gather(*(sink.open() for sink in sinks))
    for sink in sinks:
        await sink.write([make_event()])
        await sink.close()
    assert await place.run("SELECT count(*) FROM TABLE_") == [(4,)]


async def test_an_account_that_may_only_write_and_read_is_enough(place: Place) -> None:
    async with opened(place.sink()):
        pass
    user = place.table[:30]
    if place.name == "postgresql":
        await place.run(f"CREATE ROLE {user} LOGIN PASSWORD 'q'")
        await place.run(f"GRANT SELECT, INSERT ON TABLE_ TO {user}")
        url = place.url.replace("postgres@", f"{user}:q@")
    else:
        await place.run(f"CREATE USER '{user}'@'localhost' IDENTIFIED BY 'q'")
        await place.run(f"GRANT SELECT, INSERT ON TABLE_ TO '{user}'@'localhost'")
        url = place.url.replace("u:p@", f"{user}:q@")
    try:
        async with opened(place.sink(url=url)) as sink:
            await sink.write([make_event("kept")])
            assert await names(sink) == ["kept"]
            health = await sink.check()
            assert health.status is HealthStatus.OK, health.detail
    finally:
        if place.name == "postgresql":
            await place.run(f"DROP OWNED BY {user}")
            await place.run(f"DROP ROLE {user}")
        else:
            await place.run(f"DROP USER '{user}'@'localhost'")


async def test_a_read_only_server_is_reported_by_check(place: Place) -> None:
    if place.name != "postgresql":
        pytest.skip("read_only is the whole server's there, and others use it")
    async with opened(place.sink()) as sink:
        async with sink._require_open().connect() as connection:
            await connection.exec_driver_sql("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
            await connection.commit()
        health = await sink.check()
    assert health.status is HealthStatus.DOWN
    assert "read-only" in health.detail


# -- the table and its versions -------------------------------------------------------------------------


def script_of(place: Place, tmp_path: Path, **options: str) -> str:
    url = options.get("url", place.url)
    kind = "postgresql" if place.name == "postgresql" else "mysql"
    (tmp_path / "routing.yaml").write_text(
        f"sinks: {{db: {{type: {kind}, url: '{url}', table: {place.table}}}}}\nroutes: [{{name: a, to: db}}]\n"
    )
    done = CliRunner().invoke(app, ["schema", "--sink", "db"])
    assert done.exit_code == 0, done.output
    return done.stdout


async def test_the_printed_script_makes_a_table_that_needs_no_provisioning(
    place: Place, tmp_path: Path
) -> None:
    script = await asyncio.to_thread(script_of, place, tmp_path)
    await run(place.url, *script.strip().rstrip(";").split(";\n"))
    async with opened(place.sink(provision=False)) as sink:
        await sink.write([make_event("kept")])
        assert (await sink.check()).detail == f"table {place.table}, version 2"
        assert await names(sink) == ["kept"]


async def test_text_compares_byte_for_byte_and_no_character_is_lost(place: Place) -> None:
    users = ["ann", "Ann", "ann ", "änn", "🎉"]
    async with opened(place.sink()) as sink:
        await sink.write([make_event(user, user_id=user, note=user) for user in users])
        for user in users:
            for query in (Query(name=user), Query(fields={"user_id": user}), Query(fields={"note": user})):
                assert await names(sink, query) == [user], (user, query)
        assert sorted(await names(sink, Query(text="Ann"))) == ["Ann"]


async def test_each_index_serves_the_question_it_is_there_for(place: Place) -> None:
    async with opened(place.sink()) as sink:
        batch = [
            make_event(user_id=f"user {number % 100}", time_ns=number * 10**9 + 10**18)
            for number in range(3000)
        ]
        await sink.write(batch)
    if place.name == "postgresql":
        await place.run("ANALYZE TABLE_")
        explain = "EXPLAIN SELECT * FROM TABLE_ WHERE "
    else:
        await place.run("ANALYZE TABLE TABLE_")
        explain = "EXPLAIN FORMAT=TRADITIONAL SELECT * FROM TABLE_ WHERE "
        if place.name == "mariadb":
            explain = "EXPLAIN SELECT * FROM TABLE_ WHERE "
    for condition, index in (
        ("user_id = 'user 7' AND time_us > 1000000100000000", "user_time"),
        ("trace_id = 'none'", "trace"),
        ("time_us < 1000000010000000", "time"),
    ):
        plan = str(await place.run(explain + condition))
        assert f"ix_{place.table}_{index}" in plan, plan


@pytest.mark.parametrize("place", ["mysql", "mariadb"], indirect=True)
@pytest.mark.parametrize("newest_first", [False, True])
async def test_reading_everything_reads_no_row_once_for_each_page(
    place: Place, monkeypatch: pytest.MonkeyPatch, newest_first: bool
) -> None:
    monkeypatch.setattr("logweir.sinks.sql.reading.PAGE", 50)
    count, start = 1500, 1_700_000_000_000_000_000

    async def read() -> int:
        rows = await place.run("SHOW GLOBAL STATUS LIKE 'Handler_read%'")
        return sum(int(value) for _, value in rows)

    async with opened(place.sink(provision=True)) as sink:
        # Of each three two share a microsecond, so that pages end within one.
        times = [start + number // 3 * 1000 + number % 2 for number in range(count)]
        await sink.write([make_event("a", time_ns=time) for time in times])
        before = await read()
        query = Query(limit=None, newest_first=newest_first)
        found = [(event.time, event.id) async for event in sink.search(query)]
        assert await read() - before < 8 * count
    assert len(found) == count
    assert found == sorted(found, reverse=newest_first)


async def test_an_index_that_is_missing_is_made_again(place: Place) -> None:
    async with opened(place.sink()):
        pass
    on = "" if place.name == "postgresql" else " ON TABLE_"
    await place.run(f"DROP INDEX ix_TABLE__trace{on}".replace("TABLE__trace", f"{place.table}_trace"))
    async with opened(place.sink()) as sink, sink._require_open().connect() as connection:
        found = await connection.run_sync(sink._schema._look)
    assert f"ix_{place.table}_trace" in found.indexes[place.table]


THIRD = (*MIGRATIONS, Migration(3, ("tenant",)))


def migrated(sink: SqlSink) -> None:
    """What a later logweir would be: its table has one column more."""
    sink._table = audit_table(sink.config.table)
    sink._table.append_column(Column("tenant", String(32)))
    know = sink._know

    def know_more(database: Any) -> None:
        know(database)
        sink._schema = Schema([sink._table], database, migrations=THIRD)

    sink._know = know_more  # type: ignore[method-assign]


async def test_an_older_table_is_migrated_and_keeps_its_rows(place: Place) -> None:
    async with opened(place.sink()) as sink:
        await sink.write([make_event("old")])
    later = [place.sink() for _ in range(3)]
    for sink in later:
        migrated(sink)
    await asyncio.gather(*(sink.open() for sink in later))
    async with later[0]._require_open().connect() as connection:
        assert await connection.run_sync(later[0]._schema.version) == 3
    assert await names(later[0]) == ["old"]
    assert await place.run("SELECT tenant FROM TABLE_") == [(None,)]
    for sink in later:
        await sink.close()


async def test_without_provision_an_older_table_is_reported_and_left_alone(place: Place) -> None:
    async with opened(place.sink()):
        pass
    sink = place.sink(provision=False)
    migrated(sink)
    with pytest.raises(SinkRejected, match="has version 2 and this logweir needs 3; set provision: true"):
        await sink.open()


async def test_a_newer_table_serves_and_is_reported(place: Place) -> None:
    later = place.sink()
    migrated(later)
    async with opened(later):
        pass
    async with opened(place.sink()) as sink:
        await sink.write([make_event("kept")])
        health = await sink.check()
    assert health.status is HealthStatus.DEGRADED
    assert "has version 3 and this logweir knows 2" in health.detail


# -- writing --------------------------------------------------------------------------------------------


async def test_one_bad_row_is_rejected_and_the_rest_is_stored(place: Place) -> None:
    batch = [make_event(f"event {number:02}") for number in range(50)]
    bad = Event("x" * 40, 1, Kind.AUDIT, "info", "too long an id", "s", "e", None, None, {})
    batch[7], batch[23] = bad, make_event("not JSON", value=object())
    batch[31] = make_event("no UTF-8 \ud800")
    async with opened(place.sink()) as sink:
        result = await sink.write(batch)
        assert set(result.rejected) == {7, 23, 31}
        assert "too long" in result.rejected[7]
        assert not result.duplicate
        expected = [event.name for index, event in enumerate(batch) if index not in result.rejected]
        assert await names(sink) == expected


async def test_a_unique_key_of_ones_own_is_no_duplicate_event(place: Place) -> None:
    async with opened(place.sink()) as sink:
        await place.run("CREATE UNIQUE INDEX u_TABLE_ ON TABLE_ (resource)")
        result = await sink.write(
            [make_event("a", resource="r"), make_event("b", resource="r"), make_event("c")]
        )
        assert set(result.rejected) == {1}
        assert not result.duplicate
        assert await names(sink) == ["a", "c"]


@pytest.mark.wound("vector #20118")
async def test_two_processes_that_write_the_same_batch_store_it_once(place: Place) -> None:
    batch = [make_event(str(number)) for number in range(200)]
    async with opened(place.sink()) as one, opened(place.sink()) as other:
        results = await asyncio.gather(one.write(batch), other.write(batch), return_exceptions=True)
        for result in results:  # a deadlock may end one of them, which is sent again
            assert not isinstance(result, BaseException) or isinstance(result, SinkUnavailable)
        assert (await one.write(batch)).duplicate == set(range(200))
        assert await place.run("SELECT count(*), count(DISTINCT id) FROM TABLE_") == [(200, 200)]


async def test_injection_in_every_field_is_stored_as_data(place: Place) -> None:
    attacks = [
        "'; DROP TABLE TABLE_; --",
        "\\'; DROP TABLE TABLE_; --",
        '" OR 1=1 --',
        "%s %(id)s {0} $1 ? :id",
        "/*!50000 SELECT 1 */",
        "\\",
        "\x00\x1a\b\n\r\t",
        "${jndi:ldap://x} #{1}",
        "'/**/UNION/**/SELECT/**/1,2,3",
    ]
    typed = ("user_id", "status", "resource", "error_type", "duration_ms")
    async with opened(place.sink()) as sink:
        batch = []
        for attack in (item.replace("TABLE_", place.table) for item in attacks):
            fields = {**dict.fromkeys(typed, attack), attack: {attack: [attack]}}
            short = attack[:36]
            batch.append(
                Event(short, 1, Kind.AUDIT, short, attack, attack, attack, attack[:64], attack[:64], fields)
            )
        result = await sink.write(batch)
        assert not result.rejected, result.rejected
        found = {event.id: event async for event in sink.search(Query())}
        assert found == {event.id: event for event in batch}
        for event in batch:
            for query in (
                Query(name=event.name),
                Query(trace_id=event.trace_id),
                Query(ids=frozenset({event.id})),
                Query(fields={"user_id": event.fields["user_id"]}),
                Query(fields={event.name: {event.name: [event.name]}}),
                Query(text=event.name),
            ):
                ids = [item.id async for item in sink.search(query)]
                assert event.id in ids, (event.name, query)
                assert query.text or ids == [event.id], (event.name, query)


async def test_deep_nesting_is_stored(place: Place) -> None:
    inner: Any = "bottom"
    for _ in range(60):
        inner = {"a": inner}
    event = make_event("deep", inner=inner)
    async with opened(place.sink()) as sink:
        assert not (await sink.write([event])).rejected
        assert [found.fields async for found in sink.search(Query())] == [event.fields]


async def test_the_pool_never_has_more_connections_than_workers(place: Place) -> None:
    async with opened(place.sink(workers=2)) as sink:
        batches = [[make_event() for _ in range(50)] for _ in range(8)]
        await asyncio.gather(*(sink.write(batch) for batch in batches), *(names(sink) for _ in range(4)))
        pool: Any = sink._require_open().pool
        assert pool.size() == 2
        assert pool.checkedin() + pool.overflow() <= 2
    assert await place.run("SELECT count(*) FROM TABLE_") == [(400,)]


@pytest.mark.busy
async def test_a_row_lock_held_by_another_ends_the_wait_in_time(place: Place) -> None:
    event = make_event()
    sink = place.sink(retry={"timeout": "4s"}, statement_timeout="60s")
    async with opened(sink), opened(place.sink()) as other, other._require_open().connect() as connection:
        await connection.run_sync(other.record_in, event)
        async with asyncio.timeout(30):
            with pytest.raises(SinkUnavailable, match=r"(?i)lock"):
                await sink.write([event])
        await connection.rollback()
        assert not (await sink.write([event])).duplicate


@pytest.mark.busy
async def test_a_statement_that_takes_too_long_is_ended(place: Place) -> None:
    slow = {"mysql": "SELECT sleep(20)", "mariadb": "SELECT sleep(20)", "postgresql": "SELECT pg_sleep(20)"}
    async with opened(place.sink(statement_timeout="1s")) as sink:
        async with asyncio.timeout(10):
            with pytest.raises(SinkUnavailable):
                async with sink._transaction() as connection:
                    await connection.exec_driver_sql(slow[place.name])
        assert not (await written_in_time(sink)).rejected


async def written_in_time(sink: SqlSink) -> WriteResult:
    """Write an event, as a worker does: again, where a busy machine took longer than the sink's limit."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await sink.write([make_event()])
            except SinkUnavailable as error:
                if "did not answer in time" not in str(error):
                    raise


async def test_a_table_that_was_dropped_is_made_again(place: Place) -> None:
    async with opened(place.sink()) as sink:
        await place.run("DROP TABLE TABLE_")
        assert not (await sink.write([make_event("kept")])).rejected
        assert await names(sink) == ["kept"]


async def test_without_provision_a_dropped_table_is_waited_for(place: Place) -> None:
    async with opened(place.sink()):
        pass
    async with opened(place.sink(provision=False)) as sink:
        await place.run("DROP TABLE TABLE_")
        with pytest.raises(SinkUnavailable, match=place.table):
            await sink.write([make_event()])


async def test_the_explicit_row_and_the_batch_know_each_other(place: Place) -> None:
    event = make_event("\0 once", {"user_id": "ann", "note": "Grüße \0"}, kind=Kind.AUDIT)
    async with opened(place.sink(outbox=True)) as sink:
        await sink.record(event)
        await sink.record(event)
        assert (await sink.write([event])).duplicate == {0}
        assert [found.fields async for found in sink.search(Query(text="Grüße"))] == [event.fields]
        waiting = await sink.outbox_waiting(10)
        assert [item.id for item in waiting] == [event.id]
        await sink.outbox_done([event.id])
        assert await sink.outbox_waiting(10) == []


@pytest.mark.busy
async def test_an_explicit_row_whose_first_attempt_commits_late_is_stored_once(place: Place) -> None:
    event = make_event("once", kind=Kind.AUDIT)
    async with opened(place.sink()) as sink, opened(place.sink()) as other:
        async with other._require_open().connect() as connection:
            await connection.run_sync(other.record_in, event)
            again = asyncio.ensure_future(sink.record(event))  # waits for the row's lock
            await asyncio.wait((again,), timeout=0.3)
            assert not again.done()
            await connection.commit()
            await again
        assert await names(sink) == ["once"]


# -- reading --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("newest_first", [False, True])
async def test_pages_join_without_a_gap_even_within_one_nanosecond(place: Place, newest_first: bool) -> None:
    batch = [make_event(str(number), time_ns=10**18 + number // 700) for number in range(2100)]
    async with opened(place.sink()) as sink:
        await sink.write(batch)
        found = [event.id async for event in sink.search(Query(limit=None, newest_first=newest_first))]
        ordered = sorted((event.time, event.id) for event in batch)
        assert found == [id_ for _, id_ in (reversed(ordered) if newest_first else ordered)]
        limited = sink.search(Query(limit=1500, newest_first=newest_first))
        assert [event.id async for event in limited] == found[:1500]


async def test_pruning_takes_the_oldest_first_in_small_steps(place: Place) -> None:
    batch = [make_event(str(day), time_ns=day * 86_400 * 10**9, kind=Kind.AUDIT) for day in (3, 1, 2)]
    async with opened(place.sink()) as sink:
        await sink.write(batch)
        assert await sink.prune(datetime(1980, 1, 1, tzinfo=UTC), limit=2) == 2
        assert await names(sink) == ["3"]


DOCUMENT = Path(__file__).parents[2] / "docs" / "how-to" / "relational-audit-store.md"


def documented(server: str, row: str) -> str:
    """The SQL that the how-to page gives for a question."""
    cells = next(line for line in DOCUMENT.read_text().splitlines() if line.startswith(f"| {row} |")).split(
        "|"
    )
    cell = cells[3 if server == "postgresql" else 2]
    return cell.split("`")[3 if server == "mariadb" and "MariaDB" in cell else 1]


async def test_the_sql_of_the_how_to_page_says_what_it_promises(place: Place) -> None:
    async with opened(place.sink()) as sink:
        old = make_event("old", time_ns=10**18, user_id=7, amount=5)
        await sink.write([make_event("new", user_id=7, amount=12), old])
    moment = documented(place.name, "the time")
    found = await place.run(f"SELECT {moment} FROM TABLE_ WHERE action = 'old'")
    assert found[0][0].replace(tzinfo=UTC).year == 2001
    recent = documented(place.name, "the last day")
    assert await place.run(f"SELECT action FROM TABLE_ WHERE {recent}") == [("new",)]
    field = documented(place.name, "a field")
    assert sorted(await place.run(f"SELECT {field} FROM TABLE_")) == [("12",), ("5",)]
    join = documented(place.name, "the user's row")
    users = "(SELECT 7 AS id, 'Ann' AS name)"
    join = join.replace("JOIN users u", f"JOIN {users} u")
    assert await place.run(f"SELECT u.name FROM TABLE_ a {join}") == [("Ann",), ("Ann",)]


async def test_a_partitioned_table_of_ones_own_keeps_each_event_once(place: Place, tmp_path: Path) -> None:
    script = await asyncio.to_thread(script_of, place, tmp_path)
    script = script.replace("PRIMARY KEY (id)\n)", "PRIMARY KEY (id, time_us)\n)")
    months = [number * 10**15 for number in (1, 2)]
    if place.name == "postgresql":
        script = script.replace("(id, time_us)\n)", "(id, time_us)\n) PARTITION BY RANGE (time_us)")
        parts = [f"{place.table}_copy PARTITION OF {place.table} DEFAULT"]
        bound = f"FOR VALUES FROM (0) TO ({months[0]})"
        parts.append(f"{place.table}_outbox PARTITION OF {place.table} {bound}")
        more = [f"CREATE TABLE {part}" for part in parts]
    else:
        bounds = ", ".join(f"PARTITION p{month} VALUES LESS THAN ({month})" for month in months)
        ranges = f" PARTITION BY RANGE (time_us) ({bounds}, PARTITION rest VALUES LESS THAN MAXVALUE)"
        script = script.replace("utf8mb4_bin;", f"utf8mb4_bin{ranges};", 1)
        more = []
    await run(place.url, *script.strip().rstrip(";").split(";\n"), *more)
    batch = [make_event(str(number), time_ns=number * 10**17) for number in range(30)]
    async with opened(place.sink(provision=False)) as sink:
        await sink.write(batch[:20])
        assert (await sink.write([*batch, batch[29]])).duplicate == {*range(20), 30}
        assert await names(sink) == [event.name for event in batch]
        assert await sink.prune(datetime(2001, 9, 9, tzinfo=UTC)) == 10


async def test_d1_a_row_for_which_there_is_no_partition_waits_for_it_and_the_others_are_stored(
    place: Place, tmp_path: Path
) -> None:
    script = await asyncio.to_thread(script_of, place, tmp_path)
    script = script.replace("PRIMARY KEY (id)\n)", "PRIMARY KEY (id, time_us)\n)")
    if place.name == "postgresql":
        script = script.replace("(id, time_us)\n)", "(id, time_us)\n) PARTITION BY RANGE (time_us)")
        first = [
            f"CREATE TABLE {place.table}_p1 PARTITION OF {place.table} FOR VALUES FROM (0) TO ({10**15})"
        ]
        second = f"CREATE TABLE {place.table}_outbox PARTITION OF {place.table} DEFAULT"
    else:
        ranges = f" PARTITION BY RANGE (time_us) (PARTITION p1 VALUES LESS THAN ({10**15}))"
        script = script.replace("utf8mb4_bin;", f"utf8mb4_bin{ranges};", 1)
        first = []
        second = f"ALTER TABLE {place.table} ADD PARTITION (PARTITION p2 VALUES LESS THAN MAXVALUE)"
    await run(place.url, *script.strip().rstrip(";").split(";\n"), *first)
    batch = [
        make_event("ahead", time_ns=2 * 10**18),
        *(make_event(str(n), time_ns=n * 10**17) for n in range(9)),
    ]
    async with opened(place.sink(provision=False)) as sink:
        alone = await sink.write(batch[:1])
        together = await sink.write(batch)
        assert alone.retry == together.retry == {0}
        assert "partition" in alone.retry_reason
        assert await names(sink) == [event.name for event in batch[1:]]
        await run(place.url, second)
        assert await sink.write(batch[:1]) == WriteResult.all_stored()


# -- a model of the application's -----------------------------------------------------------------------


@pytest.fixture
def model(place: Place) -> Iterator[Table]:
    table = audit_table(place.table)
    for column in (
        Column("tenant", Integer, nullable=True),
        Column("amount", Numeric(12, 2)),
        Column("paid_at", DateTime),
        Column("urgent", Boolean),
        Column("source", String(16), server_default="app"),
    ):
        table.append_column(column)
    module = types.ModuleType("their_models")
    module.Audit = type("Audit", (), {"__table__": table})  # type: ignore[attr-defined]
    module.table = table  # type: ignore[attr-defined]
    module.poor = Table("poor", MetaData(), Column("id", String(36)), Column("time_us", Integer))  # type: ignore[attr-defined]
    sys.modules["their_models"] = module
    yield table
    del sys.modules["their_models"]


async def test_the_columns_of_a_model_are_filled_from_fields_of_their_names(
    place: Place, model: Table
) -> None:
    batch = [
        make_event("paid", tenant=7, amount="12.50", paid_at="2026-01-02T03:04:05", urgent=True),
        make_event("odd", tenant="seven", amount=None, urgent="yes"),
        make_event("\0 none"),
    ]
    async with opened(place.sink(model="their_models:Audit")) as sink:
        assert not (await sink.write(batch)).rejected
        assert (await sink.write([*batch, make_event("new", tenant=8)])).duplicate == {0, 1, 2}
        found = [event async for event in sink.search(Query(ids=frozenset(event.id for event in batch)))]
        assert {event.id: event.fields for event in found} == {event.id: event.fields for event in batch}
        health = await sink.check()
        assert health.status is HealthStatus.OK, health.detail
    rows = await place.run(
        "SELECT tenant, amount, paid_at, urgent FROM TABLE_ ORDER BY tenant IS NULL, tenant"
    )
    assert rows[0] == (7, Decimal("12.50"), datetime.fromisoformat("2026-01-02T03:04:05"), 1)
    assert rows[1] == (8, None, None, None)
    assert rows[2] == (None, None, None, None)


async def test_a_model_without_the_audit_columns_is_refused_with_their_names(
    place: Place, model: Table
) -> None:
    with pytest.raises(ValidationError, match="lacks the audit columns time_ns, kind, level, action"):
        place.sink(model="their_models:poor")
    with pytest.raises(ValidationError, match="names no model"):
        place.sink(model="their_models:Absent")
