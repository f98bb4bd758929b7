"""Audit tables whose rows are chained, on any relational database, and hands that tamper with them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from logweir.event import Event, Kind
from logweir.sinks import registry
from logweir.sinks.contract import SinkContext
from logweir.sinks.sql.sink import SqlSink
from logweir.sinks.tamper_evidence import Chaining, Finding, Head, Part, Tally, Trouble
from logweir.stores.verification import PartResult, across, verify_one
from logweir.testing.contract import make_event
from support.sql import run

TYPES = {"sqlite": "sqlite", "mysql": "mysql", "mariadb": "mysql", "postgresql": "postgresql"}
KEY = SecretStr("a key of the tests' own")
#: How many parts of about the same size the rows are divided into: one of them has others on both of its sides.
_PARTS = 3
#: What is behind the name of the audit table, and of those beside it.
_TABLES = ("", "_chain", "_chain_gone", "_chain_ids", "_chain_closed")


@dataclass
class Place:
    """A database, and a table there that is this test's own."""

    name: str
    url: str
    table: str

    def sink(
        self, *, key: SecretStr | None = None, chained: bool = True, read_only: bool = False, **options: Any
    ) -> SqlSink:
        sink_class: Any = registry.resolve(TYPES[self.name])
        named = {} if "model" in options else {"table": self.table}
        config = sink_class.Config(url=self.url, **named, **{"provision": True, **options})
        chaining = Chaining(key) if chained else None
        return sink_class(config, SinkContext(workers=4, chaining=chaining, read_only=read_only))  # type: ignore[no-any-return]

    @asynccontextmanager
    async def opened(self, **options: Any) -> AsyncIterator[SqlSink]:
        sink = self.sink(**options)
        await sink.open()
        try:
            yield sink
        finally:
            await sink.close()

    async def run(self, *statements: str) -> list[Any]:
        return [*await run(self.url, *(statement.replace("TABLE_", self.table) for statement in statements))]

    async def keep(self) -> None:
        """Copy what the tables hold, for :meth:`put_back`."""
        await self.run(
            *(f"CREATE TABLE TABLE_{suffix}_kept AS SELECT * FROM TABLE_{suffix}" for suffix in _TABLES)
        )

    async def put_back(self) -> None:
        """Let the tables hold what they held when it was kept."""
        await self.run(
            *(f"DELETE FROM TABLE_{suffix}" for suffix in _TABLES),
            *(f"INSERT INTO TABLE_{suffix} SELECT * FROM TABLE_{suffix}_kept" for suffix in _TABLES),
        )

    async def drop(self) -> None:
        suffixes = (*_TABLES, *(f"{suffix}_kept" for suffix in _TABLES), "_outbox")
        await self.run(*(f"DROP TABLE IF EXISTS TABLE_{suffix}" for suffix in suffixes))


def audit_event(number: int, **fields: Any) -> Event:
    """An event with something in every column."""
    typed = {"user_id": "u", "status": "success", "resource": "r", "error_type": "E", "duration_ms": 1.5}
    started = 1_700_000_000_000_000_000
    time_ns = fields.pop("time_ns", started + number * 1000)
    return make_event(f"action {number}", {**typed, "n": number, **fields}, kind=Kind.AUDIT, time_ns=time_ns)


async def findings(sink: SqlSink) -> list[Finding]:
    """What is wrong, as the whole and as its parts find it."""
    found = [finding async for finding in sink.verify(Tally())]
    before = Tally()
    again, _ = await findings_in_parts(sink, await sink.divide(_PARTS, 1, before), before)
    assert summary(again) == summary(found)
    return found


async def findings_in_parts(
    sink: SqlSink, parts: Sequence[Part], before: Tally | None = None
) -> tuple[list[Finding], Tally]:
    """What is wrong, and what was looked at, the last part first, as no whole would do it."""
    results = [PartResult() for _ in parts]
    for part, result in reversed([*zip(parts, results, strict=True)]):
        await verify_one(sink, part, result)
    found, tally = await put_together(sink, parts, results)
    if before is not None:
        tally.stock = before.stock
        found += [finding async for finding in sink.unread(tally)]
    return found, tally


async def put_together(
    sink: SqlSink, parts: Sequence[Part], results: Sequence[PartResult]
) -> tuple[list[Finding], Tally]:
    """What parts have found, all together."""
    found, tally = [finding async for finding in sink.beginning()], Tally()
    for result in results:
        found += result.listed
        tally.add(result.tally)
    found += [finding async for finding in across(sink, parts, results)]
    return found, tally


async def heads(sink: SqlSink) -> list[Head]:
    return [head async for head in sink.heads()]


def summary(found: list[Finding]) -> list[tuple[Trouble, int | None, int | None]]:
    """What was found where, in order; what lies in no row comes first."""
    places = [(item.trouble, item.seq, item.last) for item in found]
    return sorted(places, key=lambda place: (place[0], place[1] or 0, place[2] or 0))
