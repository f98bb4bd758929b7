"""The double refuses what Loki's documentation says that Loki refuses, and takes what is next to it."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import cramjam
import pytest
from aiohttp import ClientResponse, WSMsgType
from aiohttp.test_utils import TestClient, TestServer

from logweir.sinks.loki.wire import PushRequest, label_pair
from servers.loki_double.decoding import Entry, Stream
from servers.loki_double.labels import BadLabels, labels_text, parse_labels, with_service_name
from servers.loki_double.limits import Limits, parsed
from servers.loki_double.logql import ParseError
from servers.loki_double.logql import parsed as parsed_query
from servers.loki_double.rates import Bucket
from servers.loki_double.server import LokiDouble
from servers.loki_double.store import Store

NANOS = 10**9
HOUR = 3600 * NANOS
LABELS = {"job": "test"}

Client = TestClient[Any, Any]
Value = tuple[int, str] | tuple[int, str, dict[str, str]]


@asynccontextmanager
async def double(folder: Path, *flags: str) -> AsyncIterator[Client]:
    limits = parsed(flags)
    server = TestServer(LokiDouble(Store(folder / "entries", limits), limits).application())
    async with TestClient(server) as client:
        yield client


async def push(
    client: Client, *values: Value, labels: dict[str, str] = LABELS, **headers: str
) -> ClientResponse:
    """Push one stream by JSON."""
    rows = [[str(stamp), *rest] for stamp, *rest in values]
    body = {"streams": [{"stream": labels, "values": rows}]}
    return await client.post("/loki/api/v1/push", json=body, headers=headers)


async def lines(client: Client, query: str = '{job="test"}', **more: str) -> list[str]:
    times = {"start": str(now(-24 * HOUR)), "end": str(now(HOUR))}
    parameters = {"query": query, "direction": "forward", "limit": "5000", **times, **more}
    answer = await client.get("/loki/api/v1/query_range", params=parameters)
    assert answer.status == 200, await answer.text()
    found = [value for stream in (await answer.json())["data"]["result"] for value in stream["values"]]
    return [line for _, line in sorted(found, key=lambda value: int(value[0]))]


def now(offset: int = 0) -> int:
    return time.time_ns() + offset


WIDE = ("-store.max-query-length=0s",)


@pytest.mark.parametrize(
    ("flags", "labels", "bad", "status", "text"),
    [
        ((), {}, (0, "x"), 400, "error at least one label pair is required per stream"),
        ((), {f"l{n}": "x" for n in range(16)}, (0, "x"), 400, "has 16 label names; limit 15"),
        ((), {"n" * 1025: "x"}, (0, "x"), 400, "has label name too long: 'nnn"),
        ((), {"job": "v" * 2049}, (0, "x"), 400, "has label value too long: 'vvv"),
        ((), LABELS, (0, "x" * 262_145), 400, "max entry size '262144' bytes exceeded for stream '{job="),
        ((), LABELS, (-8 * 24 * HOUR, "x"), 400, "has timestamp too old: "),
        ((), LABELS, (11 * 60 * NANOS, "x"), 400, "has timestamp too new: "),
        (("-validation.allow-structured-metadata=false",), LABELS, (0, "x", {"a": "b"}), 400, "is disallowed"),
        (("-version=2.9",), LABELS, (0, "x", {"a": "b"}), 400, "is disallowed"),
        ((), LABELS, (0, "x", {"a": "b" * 65_536}), 400, "structured metadata too large: '65537' bytes, limit: '65536'"),
        ((), LABELS, (0, "x", {f"m{n}": "" for n in range(129)}), 400, "too many structured metadata labels: '129'"),
        (("-distributor.ingestion-burst-size-mb=0.00001",), LABELS, (0, "x" * 20), 429, "ingestion rate limit exceeded"),
        (("-server.grpc-max-recv-msg-size-bytes=9",), LABELS, (0, "x" * 10), 500, "received message larger than max (10 vs. 9)"),
        (("-ingester.per-stream-rate-limit-burst=9",), LABELS, (0, "x" * 10), 429, "Per stream rate limit exceeded"),
        (("-validation.reject-old-samples=false",), LABELS, (-(2**60), "x"), 500, "no schema config found for time"),
    ],
)  # fmt: skip
async def test_what_loki_refuses_is_refused_and_its_neighbour_is_taken(
    tmp_path: Path, flags: Sequence[str], labels: dict[str, str], bad: Value, status: int, text: str
) -> None:
    async with double(tmp_path, *flags, *WIDE) as client:
        answer = await push(client, (now(bad[0]), *bad[1:]), labels=labels)  # type: ignore[arg-type]
        assert (answer.status, text in await answer.text()) == (status, True), await answer.text()
        assert await lines(client) == []
        assert (await push(client, (now(), "y"))).status == 204
        assert await lines(client) == ["y"]


async def test_what_is_fine_of_a_refused_push_is_stored_and_equal_errors_are_counted(tmp_path: Path) -> None:
    async with double(tmp_path) as client:
        ahead = now(HOUR) // NANOS * NANOS
        answer = await push(client, (now(), "a"), (ahead, "b"), (ahead + 1, "c"), (now(), "d"))
        assert answer.status == 400
        assert (await answer.text()).startswith(
            '2 errors like: entry for stream \'{job="test", service_name='
        )
        assert await lines(client) == ["a", "d"]


async def test_entries_far_behind_their_stream_are_named_by_ten_and_counted(tmp_path: Path) -> None:
    async with double(tmp_path) as client:
        await push(client, (now(), "new"))
        answer = await push(client, *((now(-2 * HOUR), f"{n}") for n in range(12)), (now(-HOUR // 2), "late"))
        text = await answer.text()
        assert answer.status == 400
        assert text.count("ignored, reason: 'entry too far behind, entry timestamp is: ") == 10
        assert "user 'fake', total ignored: 12 out of 13 for stream: {" in text
        assert await lines(client) == ["late", "new"]


async def test_of_several_streams_the_last_ones_error_is_answered(tmp_path: Path) -> None:
    async with double(tmp_path) as client:
        await push(client, (now(), "new"))
        late, fine = [str(now(-2 * HOUR)), "late"], [str(now()), "fine"]
        bodies = [
            [{"stream": LABELS, "values": [late]}, {"stream": {"job": "other"}, "values": [fine]}],
            [{"stream": {"job": "other"}, "values": [fine]}, {"stream": LABELS, "values": [late]}],
        ]
        found = [(await client.post("/loki/api/v1/push", json={"streams": body})).status for body in bodies]
        assert found == [204, 400]


async def test_one_stream_too_many_is_refused_and_those_that_are_there_go_on(tmp_path: Path) -> None:
    async with double(tmp_path, "-ingester.max-global-streams-per-user=1", "-retry-after=7") as client:
        await push(client, (now(), "a"))
        answer = await push(client, (now(), "b"), labels={"job": "second"})
        assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
        assert (
            "maximum active stream limit exceeded when trying to create stream {job=" in await answer.text()
        )
        assert (await push(client, (now(), "c"))).status == 204


async def test_a_failure_in_mid_batch_leaves_the_first_half(tmp_path: Path) -> None:
    async with double(tmp_path, "-fail-every=2:503") as client:
        assert (await push(client, (now(), "a"))).status == 204
        batch = [(now(), text) for text in "bcde"]
        assert (await push(client, *batch)).status == 503
        assert await lines(client) == ["a", "b", "c"]
        assert (await push(client, *batch)).status == 204
        assert await lines(client) == ["a", "b", "c", "d", "e"]


async def test_tenants_are_apart_and_without_one_there_is_no_answer(tmp_path: Path) -> None:
    async with double(tmp_path, "-auth.enabled=true") as client:
        answer = await push(client, (now(), "x"))
        assert (answer.status, await answer.text()) == (401, "no org id\n")
        assert (await push(client, (now(), "x"), **{"X-Scope-OrgID": "shop"})).status == 204
        for tenant, count in (("shop", 1), ("bank", 0)):
            parameters = {"query": '{job="test"}'}
            found = await client.get(
                "/loki/api/v1/query_range", params=parameters, headers={"X-Scope-OrgID": tenant}
            )
            assert len((await found.json())["data"]["result"]) == count


async def test_gzip_and_protobuf_are_read_and_other_bodies_refused(tmp_path: Path) -> None:
    request = PushRequest()
    stream = request.streams.add(labels='{job="test", quote="a\\"b"}')
    entry = stream.entries.add(line=b"by protobuf")
    entry.timestamp.seconds = now() // NANOS
    entry.structuredMetadata.append(label_pair("kind", "audit"))
    packed = bytes(cramjam.snappy.compress_raw(request.SerializeToString()))
    text = json.dumps({"streams": [{"stream": LABELS, "values": [[str(now()), "by gzip"]]}]}).encode()
    cases: list[tuple[bytes, dict[str, str], int]] = [
        (packed, {"Content-Type": "application/x-protobuf"}, 204),
        (gzip.compress(text), {"Content-Type": "application/json", "Content-Encoding": "gzip"}, 204),
        (b"\xff", {"Content-Type": "application/x-protobuf"}, 400),
        (b'{"streams": [{"stream": {"a": 1}, "values": []}]}', {"Content-Type": "application/json"}, 400),
        (b'{"streams": [{"stream": {}, "values": [[1, "x"]]}]}', {"Content-Type": "application/json"}, 400),
        (text, {"Content-Type": "text/plain"}, 400),
    ]
    async with double(tmp_path) as client:
        for body, headers, status in cases:
            assert (await client.post("/loki/api/v1/push", data=body, headers=headers)).status == status
        assert await lines(client) == ["by protobuf", "by gzip"]
        assert await lines(client, '{job="test"} | kind="audit"') == ["by protobuf"]


async def test_a_query_has_its_limits(tmp_path: Path) -> None:
    async with double(tmp_path, "-server.grpc-max-recv-msg-size-bytes=30") as client:
        for number in range(4):
            await push(client, (now(), f"{number}" * 10))
        cases = {
            ("limit", "5001"): (400, "max entries limit per query exceeded"),
            ("start", str(now(-800 * HOUR))): (400, "the query time range exceeds the limit"),
            ("limit", "4"): (500, "trying to send message larger than max (40 vs. 30)"),
            ("query", 'count_over_time({job="test"}[1m])'): (400, "parse error"),
        }
        for (name, value), (status, text) in cases.items():
            parameters = {"query": '{job="test"}', "limit": "2", name: value}
            answer = await client.get("/loki/api/v1/query_range", params=parameters)
            assert (answer.status, text in await answer.text()) == (status, True), name
        answer = await client.get("/loki/api/v1/query_range", params={"query": '{job="test"}', "limit": "2"})
        assert (await answer.json())["data"]["result"][0]["values"][0][1] == "3333333333"  # newest first


async def test_a_tail_that_is_too_slow_loses_entries_and_gets_their_names(tmp_path: Path) -> None:
    async with double(tmp_path, "-tail-buffer=2") as client:
        async with client.ws_connect(
            "/loki/api/v1/tail", params={"query": '{job="test"} |= "yes"'}
        ) as socket:
            await push(client, (now(), "yes 0"), (now(), "no"), (now(), "yes 1"), (now(), "yes 2"))
            frame = json.loads((await asyncio.wait_for(socket.receive(), 10)).data)
            assert [line for _, line in frame["streams"][0]["values"]] == ["yes 0", "yes 1"]
            assert [lost["labels"]["job"] for lost in frame["dropped_entries"]] == ["test"]
            await push(client, (now(), "yes 3"))
            frame = json.loads((await asyncio.wait_for(socket.receive(), 10)).data)
            assert ([line for _, line in frame["streams"][0]["values"]], frame["dropped_entries"]) == (
                ["yes 3"],
                [],
            )
        assert (await socket.receive()).type in {WSMsgType.CLOSED, WSMsgType.CLOSE}


async def test_it_says_its_version_its_limits_and_when_it_is_not_ready(tmp_path: Path) -> None:
    async with double(tmp_path, "-version=2.9", "-not-ready-for=1h") as client:
        assert (await (await client.get("/loki/api/v1/status/buildinfo")).json())["version"] == "2.9.0"
        answer = await client.get("/ready")
        assert (answer.status, (await answer.text())[:18]) == (503, "Ingester not ready")
        assert "allow_structured_metadata" not in await (await client.get("/config")).text()
        await push(client, (now(), "x"))
        answer = await client.get("/loki/api/v1/series", params={"match[]": '{job="test"}'})
        assert (await answer.json())["data"] == [LABELS]  # no service_name before 3.0


def test_what_was_answered_is_there_after_a_kill_and_a_torn_tail_is_cut(tmp_path: Path) -> None:
    path, limits = tmp_path / "entries", Limits()
    stream = parse_labels('{job="test"}')
    store = Store(path, limits)
    store.push("fake", Stream(stream, [Entry(now(), "a"), Entry(now(), "b")]))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    again = Store(path, limits)
    [(labels, kept)] = again.streams("fake")
    assert (labels, [entry.line for entry in kept.entries]) == (stream, ["a", "b"])
    assert path.read_bytes() == whole
    assert again.push("fake", Stream(stream, kept.entries[:1])) == ([], None)  # it has it


def test_a_bucket_refills_by_its_clock_and_takes_all_or_nothing() -> None:
    moment = [0.0]
    bucket = Bucket(10, 20, lambda: moment[0])
    assert [bucket.take(15), bucket.take(6), bucket.take(5), bucket.take(1)] == [True, False, True, False]
    moment[0] = 1.0
    assert [bucket.take(11), bucket.take(10)] == [False, True]
    moment[0] = 100.0
    assert not bucket.take(21)


def test_labels_are_read_and_written_as_loki_does() -> None:
    labels = parse_labels('{b="x\\ny", a="\\"ü\\""}')
    assert labels == (("a", '"ü"'), ("b", "x\ny"))
    assert labels_text(labels) == '{a="\\"ü\\"", b="x\\ny"}'
    for text in ("", 'job="x"', "{job='x'}", '{1a="x"}', '{a="x" b="y"}', '{a="\\q"}'):
        with pytest.raises(BadLabels):
            parse_labels(text)


@pytest.mark.parametrize(
    ("labels", "name"),
    [({"job": "j"}, "j"), ({"job": "j", "service": "s"}, "s"), ({"x": "y"}, "unknown_service"),
     ({"service_name": "own", "app": "a"}, "own")],
)  # fmt: skip
def test_the_name_of_the_service_is_found_in_the_labels(labels: dict[str, str], name: str) -> None:
    assert dict(with_service_name(tuple(labels.items())))["service_name"] == name


@pytest.mark.parametrize(
    "text",
    ["", "{}", '{job=~"x"}', '{job!="x"}', '{job="x"} != "y"', '{job="x"} | json', '{job="x"} | a != "b"',
     '{job="x"} |~ "("', '{job="x"} | line_format "x"', 'rate({job="x"}[1m])', '{job="x"} trailing'],
)  # fmt: skip
def test_logql_that_the_sink_does_not_send_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        parsed_query(text)


@pytest.mark.parametrize(
    "flag", ["-unknown=1", "nonsense", "-auth.enabled=maybe", "-store.max-query-length=x"]
)
def test_a_wrong_flag_is_refused(flag: str) -> None:
    with pytest.raises(ValueError, match="unknown flag|cannot be read"):
        parsed([flag])
