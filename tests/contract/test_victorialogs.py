"""The VictoriaLogs sink keeps the contract on the real server, in each form of what it writes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from logweir.event import Event, Kind, new_event_id
from logweir.sinks.contract import Query, SinkContext
from logweir.sinks.results import WriteResult
from logweir.sinks.victorialogs.config import VictoriaLogsConfig
from logweir.sinks.victorialogs.sink import VictoriaLogsSink
from logweir.testing.contract import SinkContract
from servers.server import Server
from support import victorialogs


class ReadAtOnce(VictoriaLogsSink):
    """The sink, on a server that shows at once what it takes within a second by itself."""

    _shows_all = False

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        self._shows_all = False
        return await super().write(batch)

    async def search(self, query: Query) -> AsyncIterator[Event]:
        await self._shown()
        async for event in super().search(query):
            yield event

    async def prune(self, before: datetime, *, kind: Kind | None = None, limit: int = 10_000) -> int:
        await self._shown()
        return await super().prune(before, kind=kind, limit=limit)

    async def _shown(self) -> None:
        if not self._shows_all:
            await asyncio.to_thread(victorialogs.show, self.config.url)
            self._shows_all = True


class TestVictoriaLogs(SinkContract):
    idempotent = False
    options: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(autouse=True)
    def _server(self, victorialogs: Server) -> None:
        self.url = victorialogs.url
        self.job = new_event_id()

    def make_sink(self, tmp_path: Path) -> VictoriaLogsSink:
        options = {"static_fields": {"job": self.job}, "retry": {"timeout": 60}, **self.options}
        config = VictoriaLogsConfig.model_validate({"url": self.url, **options})
        return ReadAtOnce(config, SinkContext(name="logs", workers=2))


class TestOtherwise(TestVictoriaLogs):
    options = {
        "max_columns": 1,
        "gzip": False,
        "max_request_bytes": 20_000,
        "stream_fields": ["level"],
        "account_id": 7,
        "project_id": 9,
    }
