"""Deleting from VictoriaLogs, where it was started with ``-delete.enable``; otherwise it refuses.

A deletion is a task that the server works on by itself and that rewrites what is stored: meant for what must
go by law or by accident. What is old goes by the server's own ``-retentionPeriod``, at no cost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime

from logweir.encoding.times import parse_time
from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Kind
from logweir.sinks.query_match import nanoseconds
from logweir.sinks.victorialogs.client import VictoriaLogsClient
from logweir.sinks.victorialogs.query import ids_filter, quoted, span_filter

__all__ = ["delete", "prune"]

#: Ids that are counted at once: a query has at most 16 KiB.
_COUNTED = 100
#: Ids that one task deletes: each task rewrites what is stored.
_DELETED = 10_000
_PATIENCE = (0.02, 0.5)
_DISABLED = "are disabled"


async def delete(client: VictoriaLogsClient, ours: str, ids: Sequence[str]) -> int:
    """Delete the entries of these ids.

    Args:
        client: The connection.
        ours: The filter by which this sink's entries are known.
        ids: The ids.

    Returns:
        How many of them were there.

    Raises:
        SinkRejected: The server deletes nothing.
        SinkUnavailable: It does not answer.
    """
    wanted = sorted(set(ids))
    if not wanted:
        return 0
    there = [found for part in _parts(wanted, _COUNTED) for found in await _present(client, ours, part)]
    for part in _parts(there, _DELETED):
        await _run(client, f"{ours} {ids_filter(part)}")
    return len(there)


async def prune(
    client: VictoriaLogsClient, ours: str, before: datetime, kind: Kind | None, limit: int
) -> int:
    """Delete at most so many of the oldest entries before a time; return how many events went.

    Raises:
        SinkRejected: The server deletes nothing.
        SinkUnavailable: It does not answer.
    """
    conditions = ours if kind is None else f"{ours} kind:={quoted(kind)}"
    old = f"{conditions} {span_filter((None, nanoseconds(before)))}"
    # Twice what may go, for entries that stand there twice.
    query = f"{old} | sort by (_time, id) limit {2 * limit + 1} | fields _time, id"
    times: dict[str, int] = {}
    count = 0
    async for row in client.rows(query):
        count += 1
        if "id" in row:
            times.setdefault(row["id"], parse_time(row["_time"]))
    if not times:
        return 0
    if len(times) <= limit and count <= 2 * limit:
        await _run(client, old)
        return len(times)
    return await delete(client, ours, list(times)[:limit])


async def _present(client: VictoriaLogsClient, ours: str, ids: list[str]) -> list[str]:
    query = f"{ours} {ids_filter(ids)} | uniq by (id)"
    return sorted([row["id"] async for row in client.rows(query)])


async def _run(client: VictoriaLogsClient, entries: str) -> None:
    """Run a task, and wait until the server has done it."""
    try:
        answer = await client.ask("/delete/run_task", {"filter": entries})
    except SinkRejected as error:
        if _DISABLED not in str(error):
            raise
        raise SinkRejected(
            "this VictoriaLogs deletes nothing: start it with -delete.enable, or leave it to -retentionPeriod"
        ) from None
    try:
        task = str(answer["task_id"])
    except (KeyError, TypeError):
        raise SinkUnavailable("VictoriaLogs did not say which task deletes") from None
    pause, longest = _PATIENCE
    while task in {str(one.get("task_id")) for one in await client.ask("/delete/active_tasks", {})}:
        await asyncio.sleep(pause)
        pause = min(2 * pause, longest)


def _parts(ids: list[str], size: int) -> Iterator[list[str]]:
    for first in range(0, len(ids), size):
        yield ids[first : first + size]
