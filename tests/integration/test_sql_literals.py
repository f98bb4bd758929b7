"""What is written as SQL literals is read as it was, by each server, in each mode and charset that changes them."""

import asyncio
import uuid
from typing import Any

import aiomysql  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from logweir.sinks.contract import Query
from logweir.sinks.sql import literals
from logweir.testing.contract import make_event
from support.sql import make_sink, opened, table_name

MODES = [
    "",
    "ANSI_QUOTES",
    "NO_BACKSLASH_ESCAPES",
    "ANSI_QUOTES,NO_BACKSLASH_ESCAPES",
    "ANSI,STRICT_ALL_TABLES",
    "PIPES_AS_CONCAT,IGNORE_SPACE,NO_BACKSLASH_ESCAPES",
]
#: What means something inside a literal, somewhere, beside anything.
HOSTILE = st.text(st.sampled_from("'\"\\\0\n\r\x1a%_`;-- /*x\u00bf\u5c27\u8a31\u00df😀"), max_size=40)
TEXTS = st.one_of(HOSTILE, st.text(st.characters(codec="utf-8"), max_size=40))
ROWS = st.lists(
    st.tuples(
        TEXTS,
        st.one_of(st.none(), TEXTS),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False),
    ),
    min_size=1,
    max_size=12,
)


@pytest.fixture(params=["mysql", "mariadb"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param).url)


async def connect(url: str, **options: Any) -> Any:
    parts = make_url(url)
    return await aiomysql.connect(
        host=parts.host,
        port=parts.port,
        user=parts.username,
        password=parts.password,
        db=parts.database,
        **options,
    )


async def make_table(connection: Any, table: str) -> Any:
    cursor = await connection.cursor()
    await cursor.execute(
        f"CREATE TEMPORARY TABLE {table} (n INT, a LONGTEXT, b LONGTEXT, c BIGINT, d DOUBLE)"
        " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    )
    return cursor


@pytest.mark.parametrize("mode", MODES)
def test_every_row_is_read_as_it_was_in_each_mode(url: str, mode: str) -> None:
    table = f"lit_{uuid.uuid4().hex[:12]}"
    with asyncio.Runner() as runner:
        session = f"SET SESSION sql_mode = '{mode}'"
        connection = runner.run(connect(url, charset="utf8mb4", init_command=session))
        cursor = runner.run(make_table(connection, table))
        assert literals.may_write(connection)

        async def read_back(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
            await cursor.execute(f"DELETE FROM {table}")
            made = literals.written(rows, connection.server_status)
            for statement in literals.statements(f"INSERT INTO {table} VALUES", made):
                await cursor.execute(statement)
            await cursor.execute(f"SELECT * FROM {table} ORDER BY n")
            return list(await cursor.fetchall())

        @given(ROWS)
        @settings(max_examples=60)
        def check(rows: list[tuple[Any, ...]]) -> None:
            numbered = [(number, *row) for number, row in enumerate(rows)]
            assert runner.run(read_back(numbered)) == numbered

        try:
            check()
        finally:
            runner.run(connection.ensure_closed())


@pytest.mark.parametrize("charset", ["gbk", "big5", "sjis", "cp932", "gb2312", "latin1", "euckr"])
async def test_other_charsets_are_left_to_the_driver(url: str, charset: str) -> None:
    connection = await connect(url, charset=charset)
    try:
        assert not literals.may_write(connection)
    finally:
        await connection.ensure_closed()


@pytest.mark.parametrize("safe", [True, False])
async def test_a_sink_stores_the_same_whoever_writes_its_rows(
    url: str, safe: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(literals, "may_write", lambda _connection: asked.append(safe) or safe)
    events = [make_event(text=f"it's \\ {number} \0 100 %s", number=number / 7) for number in range(50)]
    async with opened(make_sink("mysql", url, table_name())) as sink:
        await sink.write(events)

        found = [event async for event in sink.search(Query(limit=100))]

    assert asked
    assert {event.id: event.fields for event in found} == {event.id: event.fields for event in events}
