"""VictoriaLogs, written through Loki's push API and asked by LogsQL.

It has no LogQL, so the classes of questions have no figure; ingest, freshness and storage have.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import httpx
import msgspec

from logweir.benchmarks.suite.natives.loki import LokiNative
from logweir.benchmarks.suite.truth import Aggregation, LabelQuestion
from logweir.errors import LogweirError
from logweir.sinks.contract import Query

__all__ = ["IN_MEMORY_SECONDS", "VictoriaLogsNative", "count_lines", "is_victorialogs", "name_of"]

_NOT_MEASURED = "not measured: no LogQL here"
#: What it took is on disk after five seconds (its ``-inmemoryDataFlushInterval``), and one more.
IN_MEMORY_SECONDS = 6.0
#: Loki's push API is below this path.
_INSERT = "/insert"
#: Ids that are named in a query; more are compared here, since a query has at most 16 KiB.
_MOST_IDS = 100
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def is_victorialogs(url: str) -> bool:
    """Whether the server of a sink's ``url`` is a VictoriaLogs: its metrics say so."""
    if not url.endswith(_INSERT):
        return False
    answer = httpx.get(f"{_root(url)}/metrics", timeout=60)
    return answer.status_code == httpx.codes.OK and "\nvl_data_size_bytes{" in f"\n{answer.text}"


def name_of(url: str) -> str:
    """Name and version of the VictoriaLogs behind a sink's ``url``, as its metrics report them."""
    answer = httpx.get(f"{_root(url)}/metrics", timeout=60)
    answer.raise_for_status()
    for line in answer.text.splitlines():
        version = line.partition('short_version="')[2].partition('"')[0]
        if line.startswith("vm_app_version{") and version:
            return f"VictoriaLogs {version}"
    return "VictoriaLogs (built without a version, it reports none)"


def count_lines(url: str, job: str) -> int:
    """How many lines of a job there are, those too that were taken a moment ago."""
    root = _root(url)
    httpx.get(f"{root}/internal/force_flush", timeout=60).raise_for_status()
    query = {"query": f'{{job="{job}"}} | stats count() as lines'}
    answer = httpx.post(f"{root}/select/logsql/query", data=query, timeout=60)
    answer.raise_for_status()
    return sum(int(row["lines"]) for row in _rows(answer.content))


class VictoriaLogsNative(LokiNative):
    """Streams with a label of their own for each store; nothing is deleted."""

    async def unanswered(self) -> str:
        """See :meth:`Native.unanswered`."""
        return _NOT_MEASURED

    async def open(self) -> None:
        """See :meth:`Native.open`."""
        await super().open()
        self._server = httpx.AsyncClient(base_url=_root(self.spec.url), timeout=120)

    async def close(self) -> None:
        """See :meth:`Native.close`."""
        await super().close()
        await self._server.aclose()

    async def server(self) -> str:
        """See :meth:`Native.server`."""
        return await asyncio.to_thread(name_of, self.spec.url)

    async def wipe(self, store: str) -> None:
        """See :meth:`Native.wipe`: nothing is deleted, the names of the stores are new in each run."""

    async def settle(self, store: str) -> None:
        """See :meth:`Native.settle`: what is in memory is opened, and has the time in which it is written."""
        (await self._server.get("/internal/force_flush")).raise_for_status()
        await asyncio.sleep(IN_MEMORY_SECONDS)

    async def compact(self, store: str) -> None:
        """See :meth:`Native.compact`: what is in memory is written, and parts are merged."""
        for path in ("/internal/force_flush", "/internal/force_merge"):
            (await self._server.get(path)).raise_for_status()

    async def storage(self, store: str) -> dict[str, float]:
        """See :meth:`Native.storage`: columns and filters by its own ``block_stats``; no index of streams."""
        sizes = "sum(values_bytes) as values, sum(bloom_bytes) as filters, sum(dict_bytes) as dictionaries"
        rows = await self._ask(f'{{job="{self._job(store)}"}} | block_stats | stats {sizes}')
        return {"total": sum(float(size) for row in rows for size in row.values())}

    async def ids(self, store: str, query: Query) -> list[str] | None:
        """See :meth:`Native.ids`; of conditions it knows ids, start, limit and order.

        Raises:
            LogweirError: The query has another condition.
        """
        known = Query(ids=query.ids, start=query.start, limit=query.limit, newest_first=query.newest_first)
        if query != known:
            raise LogweirError(_NOT_MEASURED)
        found = [row["id"] for row in await self._ask(_logsql(self._job(store), query))]
        return found if query.ids is None else [one for one in found if one in query.ids]

    async def aggregate(self, store: str, ask: Aggregation) -> Counter[tuple[int, str]]:
        """See :meth:`Native.aggregate`."""
        raise LogweirError(_NOT_MEASURED)

    async def labelled(self, store: str, ask: LabelQuestion, limit: int) -> list[str]:
        """See :meth:`Native.labelled`."""
        raise LogweirError(_NOT_MEASURED)

    async def _ask(self, query: str) -> Sequence[dict[str, Any]]:
        answer = await self._server.post("/select/logsql/query", data={"query": query})
        answer.raise_for_status()
        return _rows(answer.content)


def _logsql(job: str, query: Query) -> str:
    parts = [f'{{job="{job}"}}']
    if query.start is not None:
        parts.append(f"_time:>={query.start.isoformat()}")
    if query.ids is not None and len(query.ids) <= _MOST_IDS:
        parts.append(f"id:in({', '.join(sorted(query.ids))})")
    if query.limit is not None:
        parts.append(f"| sort by (_time{' desc' if query.newest_first else ''}) limit {query.limit}")
    return f"{' '.join(parts)} | fields id"


def _rows(content: bytes) -> list[dict[str, Any]]:
    return [_decode(line) for line in content.split(b"\n") if line]


def _root(url: str) -> str:
    return url.removesuffix(_INSERT)
