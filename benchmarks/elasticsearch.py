"""The Elasticsearch sink beside the same client's own ``bulk()`` of the same documents in a bare loop.

Each run writes batches of 1,000 into a daily index of its own with the same template: once by the sink,
from events, and once by the bare client, from operations that were made before the clock started. One
worker and two, with compression and without; both sides compress, or none does. The server that answered
is named.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from secrets import token_hex
from typing import Any

from elasticsearch import AsyncElasticsearch

from logweir.benchmarks.measure import Bar, Report, Series, take_turns
from logweir.benchmarks.writing import BATCH, Write, in_batches, named, order_events, write_all
from logweir.event import Event
from logweir.sinks.contract import SinkContext
from logweir.sinks.elasticsearch.client import ElasticsearchClient
from logweir.sinks.elasticsearch.config import ElasticsearchConfig
from logweir.sinks.elasticsearch.sink import ElasticsearchSink
from logweir.sinks.shared.search_engine.bulk_body import bodies
from logweir.sinks.shared.search_engine.encode import to_document
from logweir.sinks.shared.search_engine.layout import Layout
from logweir.sinks.shared.search_engine.packing import packed
from logweir.sinks.shared.search_engine.server import ask_server

__all__ = ["ENVIRONMENT_VARIABLE", "measure"]

#: Names the server to measure.
ENVIRONMENT_VARIABLE = "LOGWEIR_BENCH_ELASTICSEARCH_URL"

_DEFAULT_URL = "http://127.0.0.1:9200"
_MOST = 100 * 2**20


def measure(*, events: int = 20_000, runs: int = 7, url: str | None = None) -> Report:
    """Measure all contenders in one run.

    Args:
        events: In each run.
        runs: Of each contender.
        url: The server; by default the one that the environment names.
    """
    address = url or os.environ.get(ENVIRONMENT_VARIABLE, _DEFAULT_URL)
    report = Report(f"Elasticsearch: batches of {BATCH:,}, {events:,} events a run")
    for compress in (True, False):
        _compare(report, address, events, runs, compress=compress)
    report.series += asyncio.run(_sent())
    report.notes.append(f"The server that answered: {asyncio.run(_server_name(address))}.")
    return report


def _compare(report: Report, url: str, events: int, runs: int, *, compress: bool) -> None:
    spent: dict[str, list[float]] = {}

    def contender(name: str, workers: int, *, bare: bool) -> tuple[str, Callable[[], float]]:
        who = f"{name}, {'gzip' if compress else 'plain'}, {named(workers)}"

        def run() -> float:
            rate, cpu = asyncio.run(_run(url, workers, events, compress=compress, bare=bare))
            spent.setdefault(who, []).append(cpu)
            return rate

        return who, run

    one, bare_one, two, bare_two = take_turns(
        [
            contender("sink", 1, bare=False),
            contender("bulk()", 1, bare=True),
            contender("sink", 2, bare=False),
            contender("bulk()", 2, bare=True),
        ],
        runs,
        "events/s",
    )
    cpu, bare_cpu = (Series(f"{who.name}, CPU", "µs/event", spent[who.name][1:]) for who in (one, bare_one))
    report.series += [one, bare_one, two, bare_two, cpu, bare_cpu]
    report.bars += [
        Bar(one.ratio(bare_one), 0.9, at_most=False),
        Bar(two.ratio(bare_two), 0.9, at_most=False),
        Bar(two.ratio(one), 1.2, at_most=False),
        Bar(bare_cpu.ratio(cpu), 0.9, at_most=False),
    ]


async def _run(url: str, workers: int, count: int, *, compress: bool, bare: bool) -> tuple[float, float]:
    options = {"index": f"bench-{token_hex(6)}", "layout": "daily", "provision": True, "replicas": 0}
    config = ElasticsearchConfig.model_validate(
        {"url": url, "compress": compress, "retry": {"timeout": 120}, **options}
    )
    sink = ElasticsearchSink(config, SinkContext(workers=workers))
    client = AsyncElasticsearch(url, http_compress=compress, connections_per_node=workers)
    patient = client.options(request_timeout=120)
    batches: list[Any] = in_batches(order_events(count + 1, varied=True))
    write: Write = sink.write
    await sink.open()
    try:
        await sink.write(batches.pop())  # the index stands before the clock starts
        if bare:
            layout = Layout(config.index, streaming=False)
            index = layout.index_of(batches[0][0].time)
            batches = [operations_of(batch) for batch in batches]

            async def write(operations: Any) -> None:
                await patient.bulk(index=index, operations=operations)

        spent = await write_all(write, batches, workers)
        return count / spent.wall, spent.cpu / count * 1e6
    finally:
        await sink.close()
        answer = await client.indices.get(index=f"{config.index}-*")
        for index in answer:
            await client.indices.delete(index=index)
        await client.indices.delete_index_template(name=config.index)
        await client.close()


def operations_of(batch: Sequence[Event]) -> list[Any]:
    operations: list[Any] = []
    for event in batch:
        operations += ({"create": {"_id": event.id}}, to_document(event))
    return operations


async def _sent() -> list[Series]:
    """The bodies of a batch's requests, by the functions that make them for the sink."""
    batch = order_events(BATCH, varied=True)
    made = bodies(batch, range(BATCH), Layout("bench", streaming=False), to_document, _MOST)
    data = [body.data async for body in made]
    return [
        Series("sent without compression", "bytes/event", [sum(map(len, data)) / BATCH]),
        Series("sent with gzip", "bytes/event", [sum(len(packed(body)) for body in data) / BATCH]),
    ]


async def _server_name(url: str) -> str:
    client = await ElasticsearchClient.make(ElasticsearchConfig(url=url), 1)
    try:
        return (await ask_server(client)).name
    finally:
        await client.close()
