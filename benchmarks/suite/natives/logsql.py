"""VictoriaLogs by its own interface: lines of JSON in, LogsQL out."""

from __future__ import annotations

import asyncio
import gzip
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import httpx
import msgspec

from logweir.benchmarks.suite.natives.base import Native
from logweir.benchmarks.suite.natives.victorialogs import IN_MEMORY_SECONDS, name_of
from logweir.benchmarks.suite.truth import Aggregation, LabelQuestion
from logweir.encoding.times import parse_time
from logweir.event import Event

__all__ = ["LogsqlNative"]

_SECOND = 10**9
_PUSH = "/insert/jsonline?_stream_fields=job,env,service&_msg_field=event"
_LINES = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
_SIZES = "sum(values_bytes) as values, sum(bloom_bytes) as filters, sum(dict_bytes) as dictionaries"
_encode_lines = msgspec.json.Encoder().encode_lines
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class LogsqlNative(Native):
    """Streams with a field of their own for each store; nothing is deleted."""

    def _job(self, store: str) -> str:
        # Not the job of the sink `loki`, which may be measured on the same server.
        return f"bench-lines-{self.spec.run}-{store}"

    def sink_settings(self, store: str) -> dict[str, Any]:
        """See :meth:`Native.sink_settings`."""
        return {"type": "victorialogs", "url": self.spec.url, "static_fields": {"job": self._job(store)}}

    def production_settings(self) -> dict[str, Any]:
        """See :meth:`Native.production_settings`."""
        return {"type": "victorialogs", "url": self.spec.url, "stream_fields": ["env", "service"]}

    async def open(self) -> None:
        """See :meth:`Native.open`."""
        self._client = httpx.AsyncClient(base_url=self.spec.url, timeout=120)

    async def close(self) -> None:
        """See :meth:`Native.close`."""
        await self._client.aclose()

    async def server(self) -> str:
        """See :meth:`Native.server`."""
        return await asyncio.to_thread(name_of, self.spec.url)

    async def wipe(self, store: str) -> None:
        """See :meth:`Native.wipe`: nothing is deleted, the names of the stores are new in each run."""

    async def settle(self, store: str) -> None:
        """See :meth:`Native.settle`: what is in memory is opened, and has the time in which it is written."""
        (await self._client.get("/internal/force_flush")).raise_for_status()
        await asyncio.sleep(IN_MEMORY_SECONDS)

    async def compact(self, store: str) -> None:
        """See :meth:`Native.compact`: what is in memory is written, and parts are merged."""
        for path in ("/internal/force_flush", "/internal/force_merge"):
            (await self._client.get(path)).raise_for_status()

    async def storage(self, store: str) -> dict[str, float]:
        """See :meth:`Native.storage`: columns and filters by its own ``block_stats``; no index of streams."""
        rows = await self._ask(f"{self._of(store)} | block_stats | stats {_SIZES}")
        return {"total": sum(float(size) for row in rows for size in row.values())}

    async def aggregate(self, store: str, ask: Aggregation) -> Counter[tuple[int, str]]:
        """See :meth:`Native.aggregate`."""
        query = (
            f"{self._of(store)} {_between(ask.start, ask.end)} | stats by (_time:1h, level) count() as events"
        )
        return Counter(
            {
                (parse_time(row["_time"]) // _SECOND, row["level"]): int(row["events"])
                for row in await self._ask(query)
            }
        )

    async def labelled(self, store: str, ask: LabelQuestion, limit: int) -> list[str]:
        """See :meth:`Native.labelled`."""
        where = f'{{service="{ask.service}"}} level:="{ask.level}" {_between(ask.start, ask.end)}'
        query = f"{self._of(store)} {where} | sort by (_time, id) limit {limit} | fields id"
        return [row["id"] for row in await self._ask(query)]

    async def bare_write(self, store: str, batch: Sequence[Event]) -> None:
        """See :meth:`Native.bare_write`: one push of gzipped lines, as its page on data ingestion."""
        lines = [
            {
                "_time": event.time,
                "event": event.name,
                "id": event.id,
                "job": self._job(store),
                "env": event.env,
                "service": event.service,
                "level": event.level,
                "trace_id": event.trace_id,
                "fields": event.fields,
            }
            for event in batch
        ]
        data = gzip.compress(_encode_lines(lines), 1)
        (await self._client.post(_PUSH, content=data, headers=_LINES)).raise_for_status()

    def _of(self, store: str) -> str:
        return f'{{job="{self._job(store)}"}}'

    async def _ask(self, query: str) -> list[dict[str, Any]]:
        answer = await self._client.post("/select/logsql/query", data={"query": query})
        answer.raise_for_status()
        return [_decode(line) for line in answer.content.split(b"\n") if line]


def _between(start: datetime, end: datetime) -> str:
    return f'_time:>="{start.isoformat()}" _time:<"{end.isoformat()}"'
