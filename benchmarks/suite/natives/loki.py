"""Loki by its HTTP interface."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import httpx
import msgspec

from logweir.benchmarks.suite.natives.base import Native
from logweir.benchmarks.suite.truth import Aggregation, LabelQuestion
from logweir.errors import LogweirError
from logweir.event import Event
from logweir.sinks.query_match import nanoseconds

__all__ = ["LokiNative"]

_HOUR = 3600
_STORED = re.compile(r"^loki_ingester_chunk_stored_bytes_total\S* ([0-9.e+]+)$", re.MULTILINE)
_encode = msgspec.json.Encoder().encode


class LokiNative(Native):
    """Streams with a label of their own for each store; Loki deletes nothing on request."""

    def _job(self, store: str) -> str:
        return f"bench-{self.spec.run}-{store}"

    def sink_settings(self, store: str) -> dict[str, Any]:
        """See :meth:`Native.sink_settings`."""
        return {"type": "loki", "url": self.spec.url, "static_labels": {"job": self._job(store)}}

    def production_settings(self) -> dict[str, Any]:
        """See :meth:`Native.production_settings`."""
        return {"type": "loki", "url": self.spec.url, "labels": ["env", "service", "level"]}

    async def open(self) -> None:
        """See :meth:`Native.open`."""
        self._client = httpx.AsyncClient(base_url=self.spec.url, timeout=120)
        self._before: dict[str, float] = {}

    async def close(self) -> None:
        """See :meth:`Native.close`."""
        await self._client.aclose()

    async def server(self) -> str:
        """See :meth:`Native.server`."""
        version = (await self._get("/loki/api/v1/status/buildinfo")).get("version")
        return f"Loki {version}" if version else "Loki (built without a version, it reports none)"

    async def wipe(self, store: str) -> None:
        """See :meth:`Native.wipe`: nothing is deleted, the names of the stores are new in each run."""
        await self._flush()
        self._before[store] = await self._stored_bytes()

    async def settle(self, store: str) -> None:
        """See :meth:`Native.settle`: chunks are written out."""
        await self._flush()

    async def compact(self, store: str) -> None:
        """See :meth:`Native.compact`: chunks are written out."""
        await self._flush()

    async def storage(self, store: str) -> dict[str, float]:
        """See :meth:`Native.storage`: chunks as the ingester counts them since the store began, no index.

        Raises:
            LogweirError: The run was resumed, and the count before it began is not known.
        """
        if store not in self._before:
            raise LogweirError("what Loki stored for this run alone is not known any more")
        return {"total": await self._stored_bytes() - self._before[store]}

    async def aggregate(self, store: str, ask: Aggregation) -> Counter[tuple[int, str]]:
        """See :meth:`Native.aggregate`: hours are counted at their ends."""
        first = int(ask.start.timestamp()) // _HOUR * _HOUR
        last = int(ask.end.timestamp()) // _HOUR * _HOUR + _HOUR
        query = f'sum by (level) (count_over_time({{job="{self._job(store)}"}}[1h]))'
        times = {"start": first + _HOUR, "end": last, "step": "1h"}
        answer = await self._get("/loki/api/v1/query_range", query=query, **times)
        return Counter(
            {
                (int(stamp) - _HOUR, line["metric"]["level"]): int(float(count))
                for line in answer["data"]["result"]
                for stamp, count in line["values"]
            }
        )

    async def labelled(self, store: str, ask: LabelQuestion, limit: int) -> list[str]:
        """See :meth:`Native.labelled`."""
        query = f'{{job="{self._job(store)}", service="{ask.service}", level="{ask.level}"}}'
        times = {"start": nanoseconds(ask.start), "end": nanoseconds(ask.end), "direction": "forward"}
        answer = await self._get("/loki/api/v1/query_range", query=query, limit=limit, **times)
        entries = [entry for stream in answer["data"]["result"] for entry in stream["values"]]
        entries.sort(key=lambda entry: int(entry[0]))
        return [json.loads(entry[1])["id"] for entry in entries[:limit]]

    async def bare_write(self, store: str, batch: Sequence[Event]) -> None:
        """See :meth:`Native.bare_write`: one push of gzipped JSON, as the interface's guide shows it."""
        streams: dict[tuple[str, str], list[list[str]]] = defaultdict(list)
        for event in batch:
            line = {"event": event.name, "id": event.id, "trace_id": event.trace_id, "fields": event.fields}
            streams[event.service, event.level].append([str(event.time), _encode(line).decode()])
        body = {
            "streams": [
                {"stream": {"job": self._job(store), "service": service, "level": level}, "values": values}
                for (service, level), values in streams.items()
            ]
        }
        headers = {"content-type": "application/json", "content-encoding": "gzip"}
        data = gzip.compress(_encode(body), 1)
        answer = await self._client.post("/loki/api/v1/push", content=data, headers=headers)
        answer.raise_for_status()

    async def _flush(self) -> None:
        """Have the ingester write its chunks, and wait until it has."""
        (await self._client.post("/flush")).raise_for_status()
        for _ in range(600):
            text = (await self._client.get("/metrics")).text
            if "\nloki_ingester_flush_queue_length 0\n" in text:
                return
            await asyncio.sleep(0.1)

    async def _stored_bytes(self) -> float:
        text = (await self._client.get("/metrics")).text
        return sum(float(number) for number in _STORED.findall(text))

    async def _get(self, path: str, **parameters: Any) -> Any:
        answer = await self._client.get(path, params=parameters)
        answer.raise_for_status()
        return answer.json()
