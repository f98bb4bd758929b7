"""A table for each event, in real databases: within the bound, migrated, read back, deleted, over one pool."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import create_async_engine
from typer.testing import CliRunner

import logweir
from logweir.cli.app import app
from logweir.errors import SinkUnavailable
from logweir.sinks import registry
from logweir.sinks.contract import Deletable, Prunable, Readable, SinkContext
from logweir.sinks.results import HealthStatus, WriteResult
from logweir.sinks.templated import TemplatedSink
from logweir.sinks.threaded import as_async
from logweir.testing.contract import assert_law, make_event
from support.sql import TYPES, table_name
from support.templated import found, ids, is_open

SERVERS = ["sqlite", *TYPES]
UUID = "3f2c1e9a-0000-4000-8000-0123456789ab"


class Store(NamedTuple):
    """A database, and what the names of a test's tables begin with."""

    kind: str
    url: str
    prefix: str

    async def run(self, *statements: str) -> None:
        """Run statements past the sink; `[name]` in them is the table of that value."""
        engine = create_async_engine(self.url)
        quote = engine.dialect.identifier_preparer.quote_identifier
        async with engine.begin() as connection:
            for statement in statements:
                before, _, rest = statement.partition("[")
                name, _, after = rest.partition("]")
                await connection.execute(text(before + quote(self.prefix + name) + after))
        await engine.dispose()

    async def counts(self) -> dict[str, int]:
        """The tables by their values, each with the number of its rows."""
        engine = create_async_engine(self.url)
        quote = engine.dialect.identifier_preparer.quote_identifier
        async with engine.connect() as connection:
            names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
            ours = sorted(name for name in names if name.startswith(self.prefix))
            found = {
                name.removeprefix(self.prefix): await connection.scalar(
                    text(f"SELECT count(*) FROM {quote(name)}")
                )
                for name in ours
            }
        await engine.dispose()
        return found


@pytest.fixture(params=SERVERS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "sqlite":
        yield Store("sqlite", f"sqlite+aiosqlite:///{tmp_path}/audit.db", "a_")
        return
    server = request.getfixturevalue(request.param)
    store = Store(TYPES[request.param], server.url, f"{table_name()[:8]}_")
    yield store
    for name in await store.counts():
        await store.run(f"DROP TABLE [{name}]")


@asynccontextmanager
async def opened(store: Store, *, read_only: bool = False, **more: Any) -> AsyncIterator[Any]:
    sink_class: Any = registry.resolve(store.kind)
    options = {"url": store.url, "table": store.prefix + "{fields.tenant}", "provision": True, **more}
    config = sink_class.Config.model_validate(options)
    sink = as_async(sink_class(config, SinkContext(name="audit", workers=2, read_only=read_only)))
    assert isinstance(sink, TemplatedSink)
    async with is_open(sink):
        yield sink


def take_away(folder: Path) -> None:
    for path in folder.glob("audit.db*"):
        path.unlink()


async def test_each_event_goes_to_the_table_that_its_field_names(store: Store) -> None:
    tenants = [
        "order-api",
        "Acme",
        "order_user",
        UUID,
        "order-api",
        "x; DROP",
        '"',
        "`",
        "a.b",
        "third",
        None,
    ]
    events = [make_event(tenant=tenant) for tenant in tenants]
    async with opened(store, max_destinations=3) as sink:
        assert await sink.write(events) == WriteResult.all_stored()
        assert (await sink.write(events)).duplicate == {*range(len(events))}
        health = await sink.check()
        assert health.status is HealthStatus.OK
        assert "3 of at most 3 destinations" in health.detail
        assert len({id(one.itself._require_open()) for one in sink._open.values()}) == 1
    assert await store.counts() == {"order-api": 2, UUID: 1, "a.b": 1, "overflow": 7}
    async with opened(store, read_only=True) as sink:
        assert isinstance(sink, Readable)
        assert isinstance(sink, Deletable)
        assert isinstance(sink, Prunable)
        assert await found(sink) == ids(*events)
        assert await found(sink, limit=2) == ids(*events[:2])
        assert await found(sink, fields={"tenant": UUID}) == ids(events[3])
    async with opened(store) as sink:
        assert await sink.delete(ids(events[0], events[3], events[9])) == 3
        assert await sink.prune(datetime(2100, 1, 1, tzinfo=UTC), limit=4) == 4
        assert len(await found(sink)) == len(events) - 7


async def test_a_table_of_somebody_elses_at_the_place_of_a_destination_gets_nothing_and_is_not_read(
    store: Store,
) -> None:
    await store.run("CREATE TABLE [taken] (id VARCHAR(36) PRIMARY KEY)")
    events = [make_event(tenant="taken"), make_event(tenant="a")]
    async with opened(store) as sink:
        result = await sink.write(events)
        assert (result.retry, result.rejected) == ({0}, {})
        assert "lacks the columns" in result.retry_reason
        assert await found(sink) == ids(events[1])
    assert await store.counts() == {"a": 1, "overflow": 0, "taken": 0}


async def test_a_table_that_is_dropped_under_the_sink_is_made_anew_and_the_others_do_not_wait(
    store: Store,
) -> None:
    events = [make_event(tenant=tenant) for tenant in ("a", "b", "a")]
    async with opened(store) as sink:
        await sink.write(events[:2])
        await store.run("DROP TABLE [a]")
        assert_law(await sink.write(events), 3)
    assert await store.counts() == {"a": 2, "b": 1, "overflow": 0}


async def test_without_provision_a_table_that_is_missing_holds_up_its_own_events_alone(store: Store) -> None:
    events = [make_event(tenant=tenant) for tenant in ("a", "b", "a")]
    async with opened(store) as sink:
        await sink.write([make_event(tenant="b")])
    async with opened(store, provision=False) as sink:
        result = await sink.write(events)
        assert (result.retry, result.rejected) == ({0, 2}, {})
        assert "is missing" in result.retry_reason
        async with opened(store) as other:  # as an operator would
            await other.write([make_event(tenant="a")])
        assert (await sink.write(events)).duplicate == {1}
    assert await store.counts() == {"a": 3, "b": 2, "overflow": 0}


async def test_a_table_that_is_locked_holds_up_its_own_events_alone(store: Store) -> None:
    if store.kind == "sqlite":
        pytest.skip("a file has one lock for all its tables")
    lock = (
        "LOCK TABLE [a] IN ACCESS EXCLUSIVE MODE" if store.kind == "postgresql" else "LOCK TABLES [a] WRITE"
    )
    events = [make_event(tenant=tenant) for tenant in ("a", "b", "c", "a", "b", "c")]
    engine = create_async_engine(store.url)
    quote = engine.dialect.identifier_preparer.quote_identifier
    async with opened(store, retry={"timeout": 3}) as sink:
        await sink.write(events[:3])
        async with engine.connect() as connection:
            await connection.execute(text(lock.replace("[a]", quote(f"{store.prefix}a"))))
            results = await asyncio.gather(sink.write(events[3:]), sink.write(events[3:]))
            assert all(result.retry == {0} and not result.rejected for result in results)
            await connection.rollback()
            if store.kind == "mysql":
                await connection.execute(text("UNLOCK TABLES"))
        await engine.dispose()
        assert (await sink.write(events)).duplicate >= {0, 1, 2, 4, 5}
    assert await store.counts() == {"a": 2, "b": 2, "c": 2, "overflow": 0}


async def test_what_is_there_is_read_though_the_overflow_is_not(store: Store) -> None:
    event = make_event(tenant="a")
    async with opened(store) as sink:
        await sink.write([event])
    await store.run("DROP TABLE [overflow]")
    async with opened(store, read_only=True) as sink:
        assert await found(sink) == ids(event)
    assert await store.counts() == {"a": 1}


async def test_a_reader_of_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    store = Store("sqlite", f"sqlite+aiosqlite:///{tmp_path}/absent.db", "a_")
    with pytest.raises(SinkUnavailable, match=r"absent\.db does not exist"):
        async with opened(store, read_only=True):
            pass


async def test_a_file_that_is_taken_away_is_made_anew_with_the_tables_of_what_comes(tmp_path: Path) -> None:
    store = Store("sqlite", f"sqlite+aiosqlite:///{tmp_path}/audit.db", "a_")
    events = [make_event(tenant=tenant) for tenant in ("a", "b", None, "a")]
    async with opened(store) as sink:
        await sink.write(events)
        take_away(tmp_path)
        left = events
        for _ in range(5):
            try:
                result = await sink.write(left)
            except SinkUnavailable:
                continue
            assert not result.rejected
            left = [left[index] for index in sorted(result.retry)]
            if not left:
                break
        assert sorted(await found(sink)) == sorted(ids(*events))
    assert await store.counts() == {"a": 2, "b": 1, "overflow": 1}


async def test_two_writers_make_the_same_tables_at_once(store: Store) -> None:
    events = [make_event(tenant=f"t{number % 12}") for number in range(60)]

    async def write_all(sink: Any) -> None:
        left = events
        for _ in range(20):
            result = await sink.write(left)
            assert not result.rejected
            left = [left[index] for index in sorted(result.retry)]
            if not left:
                return
        raise AssertionError(result.retry_reason)

    async with opened(store) as one, opened(store) as other:
        await asyncio.gather(write_all(one), write_all(other))
        assert sorted(await found(one)) == sorted(ids(*events))
    assert await store.counts() == {**{f"t{number}": 5 for number in range(12)}, "overflow": 0}


def test_what_the_runtime_wrote_by_tenant_is_found_by_the_commands(tmp_path: Path) -> None:
    file = tmp_path / "routing.yaml"
    file.write_text(
        f"""
service: shop
data_dir: {tmp_path}/state
sinks:
  db:
    type: sqlite
    url: sqlite+aiosqlite:///{tmp_path}/audit.db
    table: audit_{{fields.tenant}}
    provision: true
  files: {{type: file, path: '{tmp_path}/copy.jsonl'}}
routes:
  - {{name: all, to: [db]}}
"""
    )
    trace = "0af7651916cd43dd8448eb211c80319c"
    with logweir.running(file):
        for tenant in ("acme", "globex", "../../acme"):
            logweir.audit_sync("order.placed", tenant=tenant, trace_id=trace)
        assert logweir.flush(30)

    def ask(*command: str) -> str:
        answer = CliRunner().invoke(app, [*command, "--config", str(file)])
        assert answer.exit_code == 0, answer.output
        return answer.output

    assert ask("query", "--json").count("order.placed") == 3
    assert ask("query", "--json", "--field", "tenant=globex").count("order.placed") == 1
    assert ask("trace", trace).count("order.placed") == 3
    assert "CREATE TABLE IF NOT EXISTS audit_overflow" in ask("schema", "--sink", "db")
    ask("migrate", "--from", "db", "--to", "files")
    assert (tmp_path / "copy.jsonl").read_text().count("order.placed") == 3
    ask("check")


def test_tables_of_a_template_are_printed_as_their_overflow() -> None:
    sink_class: Any = registry.resolve("sqlite")
    sink = sink_class(sink_class.Config.model_validate({"table": "audit_{fields.tenant}"}))
    script = sink.provision_script()
    assert script.startswith(
        "-- the same for each table of audit_{fields.tenant}\nCREATE TABLE IF NOT EXISTS audit_overflow"
    )


@pytest.mark.parametrize(
    "value", ["a_user", "a_outbox", "a_chain", "a_chain_gone", "a_pkey", "x" * 43, "Acme", "a__user"]
)
def test_a_value_that_would_name_what_stands_beside_another_table_leads_to_none(value: str) -> None:
    sink_class: Any = registry.resolve("sqlite")
    config = sink_class.Config.model_validate({"table": "audit_{fields.tenant}"})
    assert config.at_destination(f"audit_{value}") is None
    assert config.at_destination(f"audit_{value.lower()[:1]}") is not None
