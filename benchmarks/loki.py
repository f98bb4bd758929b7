"""The Loki sink beside the same client's own push in a bare loop, and what goes over the wire.

Each run pushes batches of 1,000 into streams of its own: once by the sink, from events; and once by a bare
loop of the same httpx client, which makes a body of the same lines and metadata, that were made before the
clock started, batch by batch: one stream, no labels chosen, nothing looked at in the answer but its status.
One worker and two, by protobuf with snappy and by gzip JSON. The server may be any that speaks Loki's push
API (a VictoriaLogs by a URL that ends in ``/insert``); the report names the one that answered.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from collections.abc import Callable, Sequence
from uuid import uuid4

import cramjam
import httpx

from logweir.benchmarks.loki_messages import PushRequest, label_pair
from logweir.benchmarks.measure import Report, Series
from logweir.benchmarks.suite.natives.victorialogs import is_victorialogs, name_of
from logweir.benchmarks.writing import BATCH, compare, in_batches, named, order_events, write_all
from logweir.sinks.contract import SinkContext
from logweir.sinks.loki.config import LokiConfig
from logweir.sinks.loki.encode import Encoder
from logweir.sinks.loki.labels import LabelGuard
from logweir.sinks.loki.protobuf import stream_part
from logweir.sinks.loki.push_body import json_body, json_part, protobuf_body
from logweir.sinks.loki.sink import LokiSink

__all__ = ["ENVIRONMENT_VARIABLE", "measure"]

#: Names the server to measure.
ENVIRONMENT_VARIABLE = "LOGWEIR_BENCH_LOKI_URL"

_DEFAULT_URL = "http://127.0.0.1:3100"
_PUSH = "/loki/api/v1/push"
_JSON_LEVEL = 1  # the sink's own, so that both sides compress alike

Line = tuple[int, bytes, dict[str, str]]
Body = Callable[[str, Sequence[Line]], bytes]


def measure(*, events: int = 4_000, runs: int = 50, url: str | None = None) -> Report:
    """Measure all contenders in one run; many short turns, so that both meet the same noise.

    Args:
        events: In each run.
        runs: Of each contender.
        url: The server; by default the one that the environment names.
    """
    address = url or os.environ.get(ENVIRONMENT_VARIABLE, _DEFAULT_URL)
    report = Report(f"Loki: batches of {BATCH:,}, {events:,} events a run")
    for encoding in ("protobuf", "json"):
        for workers in (1, 2):
            _compare(report, address, encoding, workers, events, runs)
    report.series += _wire_series()
    report.notes.append(f"The server that answered: {_server_name(address)}.")
    return report


def _compare(report: Report, url: str, encoding: str, workers: int, events: int, runs: int) -> None:
    who = f"{encoding}, {named(workers)}"
    compare(
        report,
        (f"sink, {who}", lambda: _run_sink(url, encoding, workers, events)),
        (f"httpx alone, {who}", lambda: _run_bare(url, encoding, workers, events)),
        runs,
    )


async def _run_sink(url: str, encoding: str, workers: int, count: int) -> float:
    config = LokiConfig.model_validate(
        {"url": url, "encoding": encoding, "static_labels": {"job": uuid4().hex}, "retry": {"timeout": 60}}
    )
    sink = LokiSink(config, SinkContext(workers=workers))
    await sink.open()
    try:
        return count / (await write_all(sink.write, in_batches(order_events(count)), workers)).wall
    finally:
        await sink.close()


async def _run_bare(url: str, encoding: str, workers: int, count: int) -> float:
    body, headers = BARE_BODIES[encoding]
    job = uuid4().hex
    lines = [
        (entry.stamp, entry.line, dict(entry.metadata)) for entry in _encoder().entries(order_events(count))
    ]
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as client:

        async def push(batch: Sequence[Line]) -> None:
            response = await client.post(_PUSH, content=body(job, batch))
            if response.status_code != httpx.codes.NO_CONTENT:
                raise RuntimeError(response.text)

        await client.get("/ready")  # connected, as an open sink is
        return count / (await write_all(push, in_batches(lines), workers)).wall


def _bare_protobuf(job: str, batch: Sequence[Line]) -> bytes:
    request = PushRequest()
    stream = request.streams.add(labels=f'{{job="{job}"}}')
    for stamp, line, metadata in batch:
        entry = stream.entries.add()
        entry.line = line
        entry.timestamp.seconds, entry.timestamp.nanos = divmod(stamp, 10**9)
        entry.structuredMetadata.extend(map(label_pair, metadata, metadata.values()))
    return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))


def _bare_json(job: str, batch: Sequence[Line]) -> bytes:
    values = [[str(stamp), line.decode(), metadata] for stamp, line, metadata in batch]
    body = json.dumps({"streams": [{"stream": {"job": job}, "values": values}]})
    return gzip.compress(body.encode(), _JSON_LEVEL)


BARE_BODIES: dict[str, tuple[Body, dict[str, str]]] = {
    "protobuf": (_bare_protobuf, {"Content-Type": "application/x-protobuf"}),
    "json": (_bare_json, {"Content-Type": "application/json", "Content-Encoding": "gzip"}),
}


def _server_name(url: str) -> str:
    if is_victorialogs(url):
        return name_of(url)
    sink = LokiSink(LokiConfig(url=url))
    return asyncio.run(sink.check()).server


def _encoder() -> Encoder:
    config = LokiConfig(url=_DEFAULT_URL)
    names = [label.name for label in config.labels]
    return Encoder(config.static_labels, names, config.metadata, LabelGuard(dict.fromkeys(names, 100)))


def _wire_series() -> list[Series]:
    """Bytes of a request's body for each event; a batch is large enough for headers not to count."""
    entries = _encoder().entries(order_events(BATCH))
    protobuf = protobuf_body(entries, [stream_part(entries)])
    text = json_body(entries, [json_part(entries)])
    sizes = {
        "protobuf, before snappy": len(bytes(cramjam.snappy.decompress_raw(protobuf))),
        "protobuf, sent": len(protobuf),
        "JSON, before gzip": len(gzip.decompress(text)),
        "JSON, sent": len(text),
    }
    return [Series(name, "bytes/event", [size / BATCH]) for name, size in sizes.items()]
