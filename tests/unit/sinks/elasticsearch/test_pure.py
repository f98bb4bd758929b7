"""The decisions of the Elasticsearch sink, without a server; and what it makes of servers that have data streams and ILM.

The server of the tests manages neither, so that here, and only here, a stub stands at the HTTP seam and answers
what such servers answer.
"""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import elastic_transport
import pytest
from elasticsearch import ApiError, ConnectionTimeout
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from logweir.encoding.fields import equal
from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event, Kind, new_event_id
from logweir.sinks.contract import Query
from logweir.sinks.elasticsearch.bulk_body import bodies
from logweir.sinks.elasticsearch.config import ElasticsearchConfig
from logweir.sinks.elasticsearch.encode import to_document, to_event, to_unindexed_document
from logweir.sinks.elasticsearch.health import describe
from logweir.sinks.elasticsearch.layout import LAST_NS, Layout
from logweir.sinks.elasticsearch.provisioning import Plan, choose
from logweir.sinks.elasticsearch.pruning import Held, held_by, whole
from logweir.sinks.elasticsearch.query import page_of, to_filters
from logweir.sinks.elasticsearch.rollover import MARGIN_NS, suspects
from logweir.sinks.elasticsearch.schema import index_template, lifecycle_policy
from logweir.sinks.elasticsearch.server import Server, features_of
from logweir.sinks.elasticsearch.sink import ElasticsearchSink
from logweir.sinks.elasticsearch.verdicts import Verdict, failure, item_verdict
from logweir.sinks.results import HealthStatus

DAY = 86_400 * 10**9
DAILY = Layout("app", streaming=False)
STREAM = Layout("app", streaming=True)

numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


def event_at(time_ns: int, **fields: Any) -> Event:
    return Event(new_event_id(), time_ns, Kind.AUDIT, "info", "paid", "shop", "test", "ab" * 16, None, fields)


# -- documents ------------------------------------------------------------------------------------------


@given(fields=st.dictionaries(st.text(), values, max_size=4), time_ns=st.integers(-(2**63), 2**63 - 1))
@pytest.mark.parametrize("encoder", [to_document, to_unindexed_document])
def test_a_document_read_back_is_the_identical_event(
    encoder: Any, fields: dict[str, Any], time_ns: int
) -> None:
    event = event_at(time_ns)
    event = Event(*[getattr(event, name) for name in event.__struct_fields__[:9]], fields)
    (body,) = bodies([event], [0], DAILY, encoder, 2**20)
    back = to_event(json.loads(body.data.splitlines()[1]))
    assert back == event
    assert repr(back.fields) == repr(event.fields)  # 1 is not 1.0, nor True


def test_a_document_has_the_names_of_ecs() -> None:
    document = to_document(event_at(1_700_000_000_123_456_789, user_id=7, inner={"note": ["hello world"]}))
    assert document["@timestamp"] == "2023-11-14T22:13:20.123456789Z"
    assert document["event"]["action"] == "paid"
    assert document["event"]["kind"] == "audit"
    assert document["log"] == {"level": "info"}
    assert document["service"] == {"name": "shop", "environment": "test"}
    assert document["trace"] == {"id": "ab" * 16}
    assert document["message"] == "paid user_id=7 inner.note=hello world"
    assert document["fields"] == {"user_id": 7, "inner": {"note": ["hello world"]}}


@given(
    sizes=st.lists(st.integers(0, 400), max_size=12),
    days=st.lists(st.integers(0, 3), min_size=12, max_size=12),
    most=st.integers(1, 1500),
)
def test_bodies_hold_every_event_once_in_order_below_the_limit(
    sizes: list[int], days: list[int], most: int
) -> None:
    batch = [event_at(day * DAY, body="x" * size) for size, day in zip(sizes, days, strict=False)]
    made = list(bodies(batch, range(len(batch)), DAILY, to_document, most))
    assert [number for body in made for number in body.events] == list(range(len(batch)))
    for body in made:
        assert len(body.data) <= most or len(body.events) == 1
        lines = [json.loads(line) for line in body.data.splitlines()]
        for number, action, document in zip(body.events, lines[::2], lines[1::2], strict=True):
            about = action["create"]
            assert about.pop("_index", body.index) == DAILY.index_of(batch[number].time)
            assert about == {"_id": batch[number].id} == {"_id": document["event"]["id"]}


@pytest.mark.parametrize(
    ("time_ns", "index"),
    [
        (0, "app-1970.01.01"),
        (DAY - 1, "app-1970.01.01"),
        (DAY, "app-1970.01.02"),
        (-1, "app-1970.01.01"),
        (2**63 - 1, "app-2262.01.01"),
        (1_767_225_600 * 10**9, "app-2026.01.01"),
    ],
)
def test_a_day_has_an_index_of_its_own(time_ns: int, index: str) -> None:
    assert DAILY.index_of(time_ns) == index
    assert STREAM.index_of(time_ns) == "app"
    assert any(index.startswith(pattern.removesuffix("*")) for pattern in DAILY.patterns)
    assert not any("app-errors-2026.01.01".startswith(pattern[:-1]) for pattern in DAILY.patterns)


# -- verdicts -------------------------------------------------------------------------------------------


def error(kind: str, reason: str = "why", **more: Any) -> dict[str, Any]:
    return {"type": kind, "reason": reason, **more}


@pytest.mark.parametrize(
    ("item", "verdict"),
    [
        ({"status": 201}, Verdict.STORED),
        ({"status": 200}, Verdict.STORED),
        ({"status": 409, "error": error("version_conflict_engine_exception")}, Verdict.DUPLICATE),
        ({"status": 429, "error": error("es_rejected_execution_exception")}, Verdict.RETRY),
        ({"status": 503, "error": error("unavailable_shards_exception")}, Verdict.RETRY),
        ({"status": 500}, Verdict.RETRY),
        ({"status": 403, "error": error("cluster_block_exception")}, Verdict.RETRY),
        ({"status": 403, "error": error("security_exception")}, Verdict.RETRY),
        ({"status": 404, "error": error("index_not_found_exception")}, Verdict.RETRY),
        ({"status": 400, "error": error("index_closed_exception")}, Verdict.RETRY),
        ({"status": 400, "error": error("document_parsing_exception")}, Verdict.REJECTED),
        ({"status": 400, "error": error("illegal_argument_exception")}, Verdict.REJECTED),
        ({"status": 413}, Verdict.REJECTED),
        (
            {
                "status": 400,
                "error": error("document_parsing_exception", "field [fields] of type [flattened]"),
            },
            Verdict.UNINDEXABLE,
        ),
    ],
)
def test_an_item_is_judged_by_whose_fault_it_is(item: dict[str, Any], verdict: Verdict) -> None:
    assert item_verdict(item)[0] is verdict


def test_a_reason_names_the_innermost_cause() -> None:
    cause = error("mapper", "outer", caused_by=error("x", "middle", caused_by=error("y", "inner\nmore")))
    assert item_verdict({"status": 400, "error": cause})[1] == "mapper: outer: inner"


def answered(status: int, body: Any = None, **headers: str) -> ApiError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    node = elastic_transport.NodeConfig("http", "h", 1)
    headers_ = elastic_transport.HttpHeaders(named)
    meta = elastic_transport.ApiResponseMeta(status, "1.1", headers_, 0.1, node)
    return ApiError("no", meta, body)


@pytest.mark.parametrize("status", [401, 403, 404, 405, 408, 429, 500, 502, 503, 504])
def test_a_request_that_failed_for_everybodys_reasons_is_tried_again(status: int) -> None:
    assert isinstance(failure(answered(status)), SinkUnavailable)


def test_a_request_that_elasticsearch_itself_refuses_is_rejected_but_not_one_that_a_proxy_does() -> None:
    said = {"error": error("action_request_validation_exception", "id is too long")}
    assert isinstance(failure(answered(400, said)), SinkRejected)
    assert "id is too long" in str(failure(answered(400, said)))
    assert isinstance(failure(answered(400, "<html>Bad Request</html>")), SinkUnavailable)
    assert isinstance(failure(answered(413)), SinkRejected)


def test_the_servers_wish_to_wait_is_passed_on() -> None:
    for text, seconds in {"7": 7.0, "0.5": 0.5, "-1": 0.0, "soon": None, "nan": None, "inf": None}.items():
        failed = failure(answered(429, retry_after=text))
        assert isinstance(failed, SinkUnavailable)
        assert failed.retry_after == seconds, text


@pytest.mark.parametrize(
    "raised", [elastic_transport.ConnectionError("reset"), ConnectionTimeout("late"), RuntimeError("odd")]
)
def test_a_request_without_an_answer_is_tried_again(raised: Exception) -> None:
    assert isinstance(failure(raised), SinkUnavailable)


# -- searching ------------------------------------------------------------------------------------------


@given(left=scalars, right=scalars)
def test_values_that_are_equal_have_a_term_in_common(left: Any, right: Any) -> None:
    """The index knows a value by its JSON text; what it does not find is lost, so that it must find enough."""
    filters = to_filters(Query(fields={"a": left}))
    if equal(left, right) and filters:
        terms = filters[0]["bool"]["should"][0]["terms"]["fields.a"]
        indexed = right if isinstance(right, str) else json.dumps(right)
        canonical = {float(term) if not isinstance(right, str | bool) else term for term in terms}
        expected = float(indexed) if not isinstance(right, str | bool) else indexed
        assert expected in canonical


@pytest.mark.parametrize("name", ["", ".", "a..b", "a b", "a*", "a\0", "ü"])
def test_odd_names_are_not_left_to_the_index(name: str) -> None:
    assert to_filters(Query(fields={name: 1})) == []


def test_bounds_of_time_that_the_index_cannot_hold_are_brought_inside() -> None:
    far = Query(start=datetime(1, 1, 1, tzinfo=UTC), end=datetime(9999, 1, 1, tzinfo=UTC))
    assert to_filters(far)[0]["range"]["@timestamp"] == {
        "gte": "1970-01-01T00:00:00.000000000Z",
        "lte": "2262-01-01T00:00:00.000000000Z",
    }
    assert DAILY.index_of(LAST_NS) == "app-2262.01.01"


def test_a_page_begins_after_the_one_before() -> None:
    body = page_of(Query(newest_first=True), 10, ["2026-01-01T00:00:00.000000000Z", "x"])
    assert body["search_after"] == ["2026-01-01T00:00:00.000000000Z", "x"]
    assert body["size"] == 10
    assert [next(iter(key.values()))["order"] for key in body["sort"]] == ["desc", "desc"]


def test_wildcards_in_a_text_stand_for_themselves() -> None:
    clause = to_filters(Query(text="a*b?c\\"))[0]["bool"]["should"][1]
    assert clause["wildcard"]["event.action"]["value"] == "*a\\*b\\?c\\\\*"


# -- pruning and rollover -------------------------------------------------------------------------------


def test_only_indexes_that_are_wholly_old_go_oldest_first_within_the_limit() -> None:
    held = [Held("a", 10, 100), Held("b", 10, 200), Held("c", 10, 300)]
    assert [one.index for one in whole(held, 300, 100, None)] == ["a", "b", "c"]
    assert [one.index for one in whole(held, 299, 100, None)] == ["a", "b"]
    assert [one.index for one in whole(held, 300, 20, None)] == ["a", "b"]
    assert [one.index for one in whole(held, 300, 19, None)] == ["a"]
    assert [one.index for one in whole(held, 300, 100, "a")] == ["b", "c"]


def test_the_newest_event_of_an_index_is_taken_a_millisecond_later_than_the_server_says() -> None:
    bucket = {"key": "a", "doc_count": 3, "newest": {"value": 1000.0}}
    empty = {"key": "b", "doc_count": 0, "newest": {"value": None}}
    answer = {"aggregations": {"indexes": {"buckets": [bucket, empty]}}}
    assert held_by(answer) == [Held("a", 3, 1_001_000_000)]
    assert held_by({}) == []


def test_only_events_from_before_the_index_that_took_them_are_looked_for_elsewhere() -> None:
    began = {"one": 0, "two": 10 * MARGIN_NS}
    batch = [event_at(10 * MARGIN_NS + offset) for offset in (-1, MARGIN_NS - 1, MARGIN_NS)]
    assert suspects(batch, dict.fromkeys(range(3), "two"), began) == [0, 1]
    assert suspects(batch, dict.fromkeys(range(3), "one"), began) == []
    assert suspects(batch, dict.fromkeys(range(3), "two"), {"two": 10 * MARGIN_NS}) == []


# -- configuration --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "localhost:9200"}, "not the URL of a node"),
        ({"url": "http://user:hush@h:9200"}, "leave user and password out of the URL"),
        ({"url": "http://h:9200/?pretty"}, "ends with its port"),
        ({"url": []}, "at least 1 item"),
        ({"url": ["http://a:1", "http://a:1"]}, "names a node twice"),
        ({"url": ["http://a:1", "https://b:1"]}, "either all nodes are reached by https or none"),
        ({"index": "App"}, "is no index name"),
        ({"index": "-app"}, "is no index name"),
        ({"username": "u"}, "belong together"),
        ({"username": "u", "password": "p", "api_key": "k"}, "either api_key or username"),
        ({"client_key": "k.pem"}, "needs client_certificate"),
        ({"lifecycle": {"warm_after": "9d", "delete_after": "7d"}}, "longer than the one before"),
        ({"layout": "daily", "lifecycle": {"warm_after": "9d"}}, "needs a data stream"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        ElasticsearchConfig(**options)
    messages = [problem["msg"] for problem in caught.value.errors()]
    assert not any("hush" in message for message in messages)


def test_secrets_are_not_shown() -> None:
    config = ElasticsearchConfig(username="u", password="hush")
    sink = ElasticsearchSink(config)
    assert "hush" not in repr(config) + repr(sink) + sink.provision_script()


def test_the_package_elasticsearch_is_not_hidden_by_the_folder() -> None:
    program = (
        "import logweir.sinks.elasticsearch.sink, elasticsearch; print(elasticsearch.AsyncElasticsearch)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "elasticsearch.AsyncElasticsearch" in done.stdout


# -- what servers have ----------------------------------------------------------------------------------


HAS = {"available": True, "enabled": True}
LACKS = {"available": False, "enabled": True}


@pytest.mark.parametrize(
    ("status", "answer", "streams", "ilm"),
    [
        (200, {"features": {"data_streams": HAS, "ilm": HAS}}, True, True),
        (200, {"features": {"data_streams": HAS, "ilm": LACKS}}, True, False),
        (200, {"features": {}}, False, False),
        (200, {}, False, False),
        (400, {"error": {}}, False, False),
        (405, {"error": "no"}, False, False),
        (403, {"error": {}}, None, None),
    ],
)
def test_what_a_server_has_is_read_from_what_it_says(
    status: int, answer: Any, streams: bool | None, ilm: bool | None
) -> None:
    assert features_of(status, answer) == {"data_streams": streams, "ilm": ilm}


LIFE: dict[str, Any] = {"delete_after": "90d"}


@pytest.mark.parametrize(
    ("layout", "lifecycle", "streams", "ilm", "stands", "expected"),
    [
        ("auto", None, True, True, False, (True, True)),
        ("data_stream", None, None, None, False, (True, False)),
        ("auto", LIFE, True, True, False, (True, True)),
        ("auto", LIFE, True, False, False, (True, False)),
        ("auto", LIFE, False, False, False, (False, False)),
        ("auto", LIFE, True, True, True, (False, False)),
        ("auto", LIFE, None, None, True, (False, False)),
        ("daily", LIFE, True, True, False, (False, False)),
        ("data_stream", LIFE, None, None, False, (True, True)),
        ("data_stream", LIFE, False, False, False, (True, False)),
    ],
)
def test_the_layout_is_what_is_asked_for_or_what_stands_there_or_what_the_server_can(
    layout: Any, lifecycle: Any, streams: bool | None, ilm: bool | None, stands: bool, expected: Any
) -> None:
    config = ElasticsearchConfig(layout=layout, lifecycle=lifecycle)
    decided = choose(config, Server(data_streams=streams, ilm=ilm), daily_stands=stands)
    assert (decided.layout.streaming, decided.ilm) == expected


def test_a_server_that_does_not_say_what_it_has_is_not_guessed_at() -> None:
    with pytest.raises(SinkRejected, match="cluster privilege `monitor`"):
        choose(ElasticsearchConfig(), Server(), daily_stands=False)


def test_the_policy_moves_indexes_from_hot_to_warm_to_cold_and_deletes_them() -> None:
    life: Any = {"rollover_after": "1d", "warm_after": "36h", "cold_after": "30d", "delete_after": "90d"}
    policy = lifecycle_policy(ElasticsearchConfig(lifecycle=life))["policy"]
    assert list(policy["phases"]) == ["hot", "warm", "cold", "delete"]
    assert policy["phases"]["hot"]["actions"]["rollover"] == {
        "max_age": "1d",
        "max_primary_shard_size": "53687091200b",
    }
    assert [policy["phases"][name]["min_age"] for name in ("warm", "cold", "delete")] == ["36h", "30d", "90d"]


def test_a_stream_without_a_lifecycle_rolls_over_and_deletes_nothing() -> None:
    assert list(lifecycle_policy(ElasticsearchConfig())["policy"]["phases"]) == ["hot"]


def test_the_template_makes_a_stream_or_daily_indexes() -> None:
    config = ElasticsearchConfig(index="app", replicas=2, lifecycle=LIFE)  # type: ignore[arg-type]
    stream = index_template(config, STREAM, ilm=True)
    assert stream["index_patterns"] == ["app"]
    assert stream["data_stream"] == {}
    assert stream["template"]["settings"]["index"]["lifecycle"] == {"name": "app"}
    daily = index_template(config, DAILY, ilm=False)
    assert "data_stream" not in daily
    assert daily["template"]["aliases"] == {"app": {}}
    assert "lifecycle" not in daily["template"]["settings"]["index"]
    for template in (stream, daily):
        assert template["template"]["mappings"]["properties"]["fields"]["type"] == "flattened"
        assert template["template"]["mappings"]["dynamic"] is False
        assert template["template"]["settings"]["index"]["number_of_replicas"] == 2


def test_check_reports_what_is_amiss() -> None:
    config = ElasticsearchConfig(index="app", lifecycle=LIFE)  # type: ignore[arg-type]
    whole_server = Server("8.19.0", data_streams=True, ilm=True)
    fine = describe(config, Plan(whole_server, STREAM, ilm=True), "yellow", [])
    assert (fine.status, fine.server) == (HealthStatus.OK, "Elasticsearch 8.19.0")
    assert fine.detail == "cluster yellow; data stream app; ILM policy app"
    lacking = describe(config, Plan(whole_server, STREAM, ilm=True), None, ["read"])
    assert lacking.status is HealthStatus.DEGRADED
    assert "lack read on app" in lacking.detail
    assert describe(config, Plan(whole_server, STREAM, ilm=True), "red", []).status is HealthStatus.DEGRADED


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
            (self.command, target, json.loads(data or b"null"), self.headers.get("authorization", ""))
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
