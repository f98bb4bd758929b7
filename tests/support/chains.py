"""Audit tables whose rows are chained, on any relational database, and hands that tamper with them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from logweir.event import Event, Kind
from logweir.sinks import registry
from logweir.sinks.contract import SinkContext
from logweir.sinks.sql.sink import SqlSink
from logweir.sinks.tamper_evidence import Chaining, Finding, Head, Tally, Trouble
from logweir.testing.contract import make_event
from support.sql import run

TYPES = {"sqlite": "sqlite", "mysql": "mysql", "mariadb": "mysql", "postgresql": "postgresql"}
KEY = SecretStr("a key of the tests' own")


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

    async def drop(self) -> None:
        for suffix in ("", "_chain", "_chain_gone", "_chain_ids", "_chain_closed", "_outbox"):
            await self.run(f"DROP TABLE IF EXISTS TABLE_{suffix}")


def audit_event(number: int, **fields: Any) -> Event:
    """An event with something in every column."""
    typed = {"user_id": "u", "status": "success", "resource": "r", "error_type": "E", "duration_ms": 1.5}
    started = 1_700_000_000_000_000_000
    return make_event(
        f"action {number}", {**typed, "n": number, **fields}, kind=Kind.AUDIT, time_ns=started + number * 1000
    )


async def findings(sink: SqlSink) -> list[Finding]:
    return [finding async for finding in sink.verify(Tally())]


async def heads(sink: SqlSink) -> list[Head]:
    return [head async for head in sink.heads()]


def summary(found: list[Finding]) -> list[tuple[Trouble, int | None, int | None]]:
    """What was found where, in order."""
    return sorted((item.trouble, item.seq, item.last) for item in found)
