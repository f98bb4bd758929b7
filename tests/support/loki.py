"""Talking to a double of Loki that runs in this process."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import cramjam
from aiohttp.test_utils import TestClient, TestServer

from servers.loki_double.decoding import PushRequest
from servers.loki_double.options import parse_arguments
from servers.loki_double.server import LokiDouble

PUSH, QUERY, TAIL = "/loki/api/v1/push", "/loki/api/v1/query_range", "/loki/api/v1/tail"
JSON = {"Content-Type": "application/json"}

Client = TestClient[Any, Any]


@asynccontextmanager
async def double(tmp_path: Path, *flags: str) -> AsyncIterator[Client]:
    arguments = ["-port=1", f"-data={tmp_path}", "-auth.enabled=false", *flags]
    server = TestServer(LokiDouble(parse_arguments(arguments)).application())
    await server.start_server(auto_decompress=False)
    async with TestClient(server) as client:
        yield client


def body(*lines: str, **labels: str) -> bytes:
    now = time.time_ns()
    values = [[str(now + number), line] for number, line in enumerate(lines)]
    return json.dumps({"streams": [{"stream": labels or {"job": "j"}, "values": values}]}).encode()


def protobuf(line: str) -> bytes:
    request = PushRequest()
    stream = request.streams.add(labels='{job="j", level="INFO"}')
    entry = stream.entries.add(line=line)
    entry.timestamp.seconds = int(time.time())
    entry.structuredMetadata.add(name="kind", value="audit")
    return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))


async def push(client: Client, content: bytes, **headers: str) -> tuple[int, str]:
    async with client.post(PUSH, data=content, headers={**JSON, **headers}) as answer:
        return answer.status, await answer.text()


async def ask(client: Client, query: str = '{job="j"}', **more: Any) -> Any:
    async with client.get(QUERY, params={"query": query, **more}) as answer:
        assert answer.status == 200, await answer.text()
        return (await answer.json())["data"]["result"]


async def refusal(client: Client, path: str, **parameters: Any) -> tuple[int, str]:
    async with client.get(path, params=parameters) as answer:
        return answer.status, await answer.text()
