"""The Loki sink keeps the contract on a real server that speaks its push API, in both encodings.

VictoriaLogs has no LogQL: what it stored is read back by LogsQL and put together by the sink's own decoder,
so an event that comes back is the one that was sent. It keeps an entry that is sent again once more; events
are compared by their distinct ids.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from logweir.event import Event, new_event_id
from logweir.sinks.contract import Query, SinkContext
from logweir.sinks.loki import LokiConfig, LokiSink
from logweir.sinks.loki.encode import to_event
from logweir.sinks.query_match import matches
from logweir.testing.contract import SinkContract
from servers import Server
from servers.kinds import Options
from servers.pool import Pool
from support import victorialogs


class SinkReadByLogsQL(LokiSink):
    """The sink, with a search that asks VictoriaLogs for every entry of its job."""

    async def search(self, query: Query) -> AsyncIterator[Event]:
        """Yield what matches, in order of time, each id once."""
        found = {event.id: event for event in await self._everything() if matches(event, query)}
        ordered = sorted(found.values(), key=lambda event: (event.time, event.id), reverse=query.newest_first)
        for event in ordered[: query.limit]:
            yield event

    async def _everything(self) -> list[Event]:
        url = self.config.url.removesuffix("/insert")
        async with httpx.AsyncClient(base_url=url, timeout=60, verify=False) as client:
            await client.get("/internal/force_flush")
            query = f'{{job="{self.config.static_labels["job"]}"}}'
            answer = await client.post("/select/logsql/query", data={"query": query})
        answer.raise_for_status()
        rows = victorialogs.decoded(answer.content)
        events = [to_event(victorialogs.time_of(row), row["_msg"], row) for row in rows]
        assert None not in events, "a line that is not one of the sink's"
        return [event for event in events if event is not None]


@pytest.fixture(scope="module")
def unparsing(victorialogs: Server) -> Iterator[str]:
    """The URL of a server that keeps the line whole, as ``_msg``, not taken apart into fields of text."""
    pool = Pool(brief=True)
    try:
        server = pool.own("victorialogs", Options(brief=True, args=("-loki.disableMessageParsing",)))
        yield server.url
        pool.discard(server)
    finally:
        pool.close()


class TestProtobufIntoVictoriaLogs(SinkContract):
    reports_duplicates = False  # it never says what it had
    options: ClassVar[dict[str, Any]] = {"encoding": "protobuf"}

    @pytest.fixture(autouse=True)
    def _own_job(self, unparsing: str) -> None:
        self.url, self.job = unparsing, new_event_id()

    def make_sink(self, tmp_path: Path) -> LokiSink:
        config = LokiConfig(
            url=victorialogs.push_url(self.url), static_labels={"job": self.job}, **self.options
        )
        return SinkReadByLogsQL(config, SinkContext(name="loki", workers=2))


class TestJsonIntoVictoriaLogs(TestProtobufIntoVictoriaLogs):
    options = {"encoding": "json"}
