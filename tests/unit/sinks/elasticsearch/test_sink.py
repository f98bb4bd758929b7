"""What the sink makes of servers that have data streams and ILM.

The server of the tests manages neither, so that here, and only here, a stub stands at the HTTP seam and answers
what such servers answer.
"""

import gzip
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.sinks.elasticsearch.config import ElasticsearchConfig
from logweir.sinks.elasticsearch.sink import ElasticsearchSink
from logweir.sinks.results import HealthStatus


def error(kind: str, reason: str = "why", **more: Any) -> dict[str, Any]:
    return {"type": kind, "reason": reason, **more}


HAS = {"available": True, "enabled": True}
LIFE: dict[str, Any] = {"delete_after": "90d"}


class _Stub(BaseHTTPRequestHandler):
    """Answers as a server with all its modules does, to what the sink asks when it opens and checks."""

    protocol_version = "HTTP/1.1"
    answers: dict[str, Any]
    seen: list[tuple[str, str, Any, str]]

    def _answer(self) -> None:
        data = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.headers.get("content-encoding") == "gzip":
            data = gzip.decompress(data)
        target = self.path.split("?")[0]
        self.seen.append(
            (self.command, target, json.loads(data.strip() or b"null"), self.headers.get("authorization", ""))
        )
        status, body = self.answers.get(f"{self.command} {target}", (404, {}))
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("X-elastic-product", "Elasticsearch")
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = _answer  # noqa: N815 - named by the standard library

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def stub() -> Iterator[tuple[str, type[_Stub]]]:
    node = {"version": "9.0.1", "http": {"max_content_length_in_bytes": 1000}}
    older = {"version": "8.19.0", "http": {"max_content_length_in_bytes": 2000}}
    handler = type("Handler", (_Stub,), {"seen": []})
    handler.answers = {
        "GET /_nodes/http": (200, {"nodes": {"a": node, "b": older}}),
        "GET /_xpack": (200, {"features": {"data_streams": HAS, "ilm": HAS}}),
        "PUT /_ilm/policy/app-logs": (200, {"acknowledged": True}),
        "PUT /_index_template/app-logs": (200, {"acknowledged": True}),
        "POST /app-logs/_bulk": (400, {"error": error("action_request_validation_exception", "no requests")}),
        "POST /_index_template/_simulate_index/app-logs": (
            200,
            {"template": {"mappings": {"properties": {"fields": {"type": "flattened"}}}}},
        ),
        "GET /_cluster/health": (200, {"status": "green", "number_of_nodes": 2}),
        "POST /_security/user/_has_privileges": (200, {"index": {"app-logs": {"create_doc": True}}}),
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    server.server_close()
    thread.join()


async def test_a_server_that_has_them_gets_a_data_stream_and_a_policy(stub: Any) -> None:
    url, handler = stub
    sink = ElasticsearchSink(
        ElasticsearchConfig(url=url, provision=True, lifecycle=LIFE, api_key="a2V5")  # type: ignore[arg-type]
    )
    await sink.open()
    try:
        health = await sink.check()
    finally:
        await sink.close()
    put = {target: body for method, target, body, _ in handler.seen if method == "PUT"}
    assert list(put) == ["/_ilm/policy/app-logs", "/_index_template/app-logs"]
    assert put["/_index_template/app-logs"]["data_stream"] == {}
    assert {authorization for *_, authorization in handler.seen} == {"ApiKey a2V5"}
    assert health.detail == "cluster green; data stream app-logs; ILM policy app-logs"
    assert health.server == "Elasticsearch 8.19.0"


async def test_privileges_that_are_missing_are_reported(stub: Any) -> None:
    url, handler = stub
    granted = {"app-logs": {"create_doc": False, "read": True}}
    handler.answers["POST /_security/user/_has_privileges"] = (200, {"index": granted})
    sink = ElasticsearchSink(
        ElasticsearchConfig(url=url, provision=True, username="u", password="hush")  # type: ignore[arg-type]
    )
    await sink.open()
    try:
        health = await sink.check()
    finally:
        await sink.close()
    assert health.status is HealthStatus.DEGRADED
    assert "lack create_doc" in health.detail
    assert handler.seen[0][3].startswith("Basic ")


async def test_wrong_credentials_are_reported_when_opening(stub: Any) -> None:
    url, handler = stub
    handler.answers["GET /_nodes/http"] = (
        401,
        {"error": error("security_exception", "unable to authenticate")},
    )
    sink = ElasticsearchSink(ElasticsearchConfig(url=url, username="u", password="hush"))  # type: ignore[arg-type]
    with pytest.raises(SinkUnavailable, match="refuses the credentials.*unable to authenticate"):
        await sink.open()


async def test_a_policy_that_the_server_refuses_is_reported_when_opening(stub: Any) -> None:
    url, handler = stub
    handler.answers["PUT /_ilm/policy/app-logs"] = (
        403,
        {"error": error("security_exception", "no manage_ilm")},
    )
    sink = ElasticsearchSink(ElasticsearchConfig(url=url, provision=True, lifecycle=LIFE))  # type: ignore[arg-type]
    with pytest.raises(SinkRejected, match="no manage_ilm"):
        await sink.open()


async def test_what_is_not_elasticsearch_is_reported() -> None:
    class Other(_Stub):
        answers: dict[str, Any] = {}
        seen: list[Any] = []

        def send_header(self, keyword: str, value: str) -> None:
            if keyword != "X-elastic-product":
                super().send_header(keyword, value)

    Other.answers = {"GET /_nodes/http": (200, {})}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Other)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        sink = ElasticsearchSink(ElasticsearchConfig(url=f"http://127.0.0.1:{server.server_port}"))
        with pytest.raises(SinkUnavailable, match="not Elasticsearch"):
            await sink.open()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
