"""The relational sinks keep the contract on real servers: MySQL, MariaDB and PostgreSQL."""

import asyncio
import json
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec import structs
from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from logweir.event import Kind
from logweir.sinks import registry
from logweir.sinks.contract import SinkContext
from logweir.sinks.sql.sink import SqlSink
from logweir.sinks.threaded import as_async
from logweir.testing.contract import SinkContract, make_event

CONTEXT = SinkContext(workers=2)
TEXT = st.text(st.characters(codec="utf-8"), max_size=300)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
TYPED = st.sampled_from(["user_id", "status", "resource", "error_type", "duration_ms"])


async def run(url: str, *statements: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


async def provision(sink: SqlSink) -> None:
    await sink.open()
    await sink.close()


def canonical(fields: dict[str, Any]) -> str:
    """1 is not 1.0, 0.0 not -0.0 and 1 not true; MySQL orders the keys of an object its own way."""
    return json.dumps(fields, sort_keys=True)


class OnAServer(SinkContract):
    """Each class has a table of its own, and each test finds it empty."""

    server: ClassVar[str]
    kind: ClassVar[str] = "mysql"
    url: ClassVar[str]
    table: ClassVar[str]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _own_table(cls, request: pytest.FixtureRequest) -> Iterator[None]:
        cls.url, cls.table = request.getfixturevalue(cls.server).url, f"c_{uuid.uuid4().hex[:16]}"
        asyncio.run(provision(cls.sink()))
        yield
        asyncio.run(run(cls.url, f"DROP TABLE {cls.table}"))

    @pytest.fixture(autouse=True)
    async def _empty_table(self) -> AsyncIterator[None]:
        yield
        await run(self.url, f"DELETE FROM {self.table}")

    @classmethod
    def sink(cls) -> SqlSink:
        sink_class: Any = registry.resolve(cls.kind)
        config = sink_class.Config(url=cls.url, table=cls.table, provision=True)
        return sink_class(config, CONTEXT)  # type: ignore[no-any-return]

    def make_sink(self, tmp_path: Path) -> SqlSink:
        return self.sink()

    async def test_f6_an_event_that_comes_again_with_another_time_is_a_duplicate(
        self, tmp_path: Path
    ) -> None:
        first = make_event("first", time_ns=10**18)
        again = structs.replace(first, time=2 * 10**18)
        async with self.opened(tmp_path) as (sink, itself):
            await sink.write([first])
            result = await sink.write([make_event("new", time_ns=2 * 10**18), again])
            assert (result.duplicate, result.rejected) == ({1}, {})
            assert len(await self.stored(itself)) == 2

    @settings(
        max_examples=4,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(st.lists(st.dictionaries(TYPED | TEXT, JSON, max_size=6), min_size=8, max_size=8), TEXT)
    async def test_whatever_is_logged_comes_back_as_it_was(
        self, tmp_path: Path, fields: list[dict[str, Any]], name: str
    ) -> None:
        batch = [make_event(name, item, kind=Kind.AUDIT) for item in fields]
        async with self.opened(tmp_path) as (sink, itself):
            result = await sink.write(batch)
            assert not result.rejected
            found = {event.id: event for event in await self.stored(itself, [event.id for event in batch])}
            for event in batch:
                assert found[event.id].name == event.name
                assert canonical(found[event.id].fields) == canonical(event.fields)


class TestMysql(OnAServer):
    server = "mysql"


class TestMariadb(OnAServer):
    server = "mariadb"


class TestPostgresql(OnAServer):
    server = "postgresql"
    kind = "postgresql"


class _ByTemplate(OnAServer):
    """Each number has a table of its own, as far as three reach."""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _own_table(cls, request: pytest.FixtureRequest) -> Iterator[None]:
        cls.url, cls.table = request.getfixturevalue(cls.server).url, f"t_{uuid.uuid4().hex[:10]}_"
        yield
        asyncio.run(cls._each("DROP TABLE"))

    @pytest.fixture(autouse=True)
    async def _empty_table(self) -> AsyncIterator[None]:
        yield
        await self._each("DELETE FROM")

    @classmethod
    async def _each(cls, act: str) -> None:
        engine = create_async_engine(cls.url)
        async with engine.connect() as connection:
            names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
        await engine.dispose()
        await run(cls.url, *(f"{act} {name}" for name in names if name.startswith(cls.table)))

    def make_sink(self, tmp_path: Path) -> Any:
        sink_class: Any = registry.resolve(self.kind)
        table = f"{self.table}{{fields.number}}"
        config = sink_class.Config(url=self.url, table=table, provision=True, max_destinations=3)
        return as_async(sink_class(config, CONTEXT))


#: tests/integration/test_templated_tables.py has the short form.
in_the_long_form = pytest.mark.skipif(os.environ.get("LOGWEIR_SOAK") != "long", reason="takes minutes")


@pytest.mark.soak
@in_the_long_form
class TestMysqlByTemplate(_ByTemplate):
    server = "mysql"


@pytest.mark.soak
@in_the_long_form
class TestMariadbByTemplate(_ByTemplate):
    server = "mariadb"


@pytest.mark.soak
@in_the_long_form
class TestPostgresqlByTemplate(_ByTemplate):
    server = "postgresql"
    kind = "postgresql"
