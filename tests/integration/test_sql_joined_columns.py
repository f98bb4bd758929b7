"""What PostgreSQL splits into rows is stored, and refused, as what its driver gives it row by row."""

import asyncio
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs
from sqlalchemy.dialects.postgresql import asyncpg as dialects

from logweir.sinks.contract import Query
from logweir.sinks.sql import writing
from logweir.sinks.sql.encode import to_parameters
from logweir.sinks.sql.joined_columns import insert_of, joined
from logweir.sinks.sql.table import audit_table
from logweir.testing.contract import make_event
from servers import Server
from support.sql import make_sink, opened, table_name

HOSTILE = st.text(st.sampled_from("'\"\\\n\r\t\v\x1a%,{}()_ ␛x\u00bf\u5c27ß😀"), max_size=30)
TEXTS = st.one_of(
    HOSTILE, st.text(st.characters(codec="utf-8", exclude_characters="\0\x1e\x1f"), max_size=40)
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1)
FIELDS = st.fixed_dictionaries(
    {},
    optional={"user_id": TEXTS, "status": TEXTS | NUMBERS, "duration_ms": NUMBERS, "other": TEXTS | NUMBERS},
)
EVENTS = st.lists(
    st.tuples(TEXTS, FIELDS, st.integers(-(2**62), 2**62), st.none() | TEXTS.map(lambda text: text[:64])),
    min_size=2,
    max_size=8,
)


class Both:
    """A table for each way, in one connection."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.plain, self.columns = table_name(), table_name()
        marks = ", ".join(f"${number}" for number in range(1, 17))
        self.by_rows = f"INSERT INTO {self.plain} VALUES ({marks})"
        dialect: Any = dialects.dialect()  # type: ignore[no-untyped-call]
        self.by_columns = insert_of(f"INSERT INTO {self.columns}", audit_table("t"), dialect)

    async def make(self, like: str) -> None:
        for table in (self.plain, self.columns):
            await self.connection.execute(f"CREATE TEMPORARY TABLE {table} (LIKE {like})")

    async def write(self, rows: list[tuple[Any, ...]]) -> tuple[str | None, str | None]:
        """Write rows in both ways; return the two codes of what was refused."""
        columns = joined(rows)
        assert columns is not None
        await self.connection.execute(f"TRUNCATE {self.plain}, {self.columns}")
        return (
            await _refused(self.connection.executemany(self.by_rows, rows)),
            await _refused(self.connection.fetch(self.by_columns, *columns)),
        )

    async def stored(self) -> list[list[tuple[Any, ...]]]:
        """What is there, each value as its text, which for JSON is what was written."""
        names = ", ".join(f"{name}::text" for name in audit_table("t").columns.keys())  # noqa: SIM118 - of columns
        tables = (self.plain, self.columns)
        return [
            [tuple(row) for row in await self.connection.fetch(f"SELECT {names} FROM {table} ORDER BY id")]
            for table in tables
        ]


async def _refused(work: Any) -> str | None:
    try:
        await work
    except asyncpg.PostgresError as error:
        return str(error.sqlstate)
    return None


def test_every_row_is_stored_as_the_driver_would_have_stored_it(postgresql: Server) -> None:
    with asyncio.Runner() as runner:
        both = runner.run(_both(postgresql.url))

        @given(EVENTS)
        @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        def check(parts: list[tuple[Any, ...]]) -> None:
            events = [
                structs.replace(make_event(name, fields, time_ns=time), trace_id=trace)
                for name, fields, time, trace in parts
            ]
            refused = runner.run(both.write([to_parameters(event) for event in events]))
            assert refused == (None, None)
            plain, columns = runner.run(both.stored())
            assert plain == columns
            assert len(plain) == len(events)

        try:
            check()
        finally:
            runner.run(both.connection.close())


async def test_a_text_that_is_too_long_is_refused_and_not_cut(postgresql: Server) -> None:
    both = await _both(postgresql.url)
    try:
        rows = [_of_service("s" * length) for length in (1, 256)]
        assert await both.write(rows) == ("22001", "22001")
        blanks = [_of_service("s" + " " * length) for length in (1, 300)]
        assert await both.write(blanks) == (None, None)
        plain, columns = await both.stored()
        assert plain == columns
    finally:
        await both.connection.close()


@pytest.mark.parametrize("by_columns", [True, False])
async def test_a_sink_stores_the_same_by_columns_and_by_rows(
    postgresql: Server, by_columns: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def asked_joined(rows: Any) -> list[str] | None:
        asked.append(True)
        return joined(rows) if by_columns else None

    monkeypatch.setattr(writing, "joined", asked_joined)
    events = [make_event(text=f"it's \\ {number} \0 ␛ 100 %s", number=number / 7) for number in range(50)]
    events.append(make_event("a\x1eb", sign="\x1f"))
    async with opened(make_sink("postgresql", postgresql.url, table_name())) as sink:
        first = await sink.write(events[:30])
        again = await sink.write([*events, events[3]])

        found = [event async for event in sink.search(Query(limit=100))]

    assert asked
    assert not first.duplicate
    assert again.duplicate == frozenset([*range(30), 51])
    assert {event.id: event.fields for event in found} == {event.id: event.fields for event in events}


def _of_service(service: str) -> tuple[Any, ...]:
    return to_parameters(structs.replace(make_event(), service=service))


async def _both(url: str) -> Both:
    table = table_name()
    async with opened(make_sink("postgresql", url, table)):
        pass
    both = Both(await asyncpg.connect(url.replace("+asyncpg", "")))
    await both.make(table)
    return both
