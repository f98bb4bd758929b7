"""The double of Loki over HTTP: what it takes, what it answers, and what it refuses."""

import gzip
from pathlib import Path
from typing import Any

import cramjam
import pytest

from support.loki import JSON, PUSH, QUERY, ask, body, double, protobuf, push, refusal


async def test_three_encodings_are_stored_alike(tmp_path: Path) -> None:
    async with double(tmp_path) as client:
        assert (await push(client, body("plain")))[0] == 204
        assert (await push(client, gzip.compress(body("zipped")), **{"Content-Encoding": "gzip"}))[0] == 204
        for content_type in ("application/x-protobuf", ""):
            assert (await push(client, protobuf("snappy"), **{"Content-Type": content_type}))[0] == 204
        found = await ask(client)
    assert sorted(line for stream in found for _, line in stream["values"]) == ["plain", "snappy", "zipped"]
    [labels] = [stream["stream"] for stream in found if stream["values"][0][1] == "snappy"]
    assert labels == {
        "job": "j", "level": "INFO", "service_name": "j", "kind": "audit", "detected_level": "info"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"", {}),
        (b"{", {}),
        (b'{"streams": [{"stream": {"a": 1}, "values": []}]}', {}),
        (b'{"streams": [{"stream": {"a": "1"}, "values": [[1, "x"]]}]}', {}),
        (b'{"streams": [{"stream": {"a": "1"}, "values": [["x", "x"]]}]}', {}),
        (b'{"streams": [{"stream": {"a": "1"}, "values": [["1"]]}]}', {}),
        (b'{"streams": [{"stream": {"a": "1"}, "values": [["1", "x", {"a": 1}]]}]}', {}),
        pytest.param(body("x"), {"Content-Encoding": "gzip"}, id="no gzip"),
        pytest.param(body("x"), {"Content-Encoding": "br"}, id="brotli"),
        pytest.param(body("x"), {"Content-Type": "application/x-protobuf"}, id="no protobuf"),
        (bytes(cramjam.snappy.compress_raw(b"\xff\xff")), {"Content-Type": "application/x-protobuf"}),
    ],
)
async def test_a_malformed_body_is_refused(tmp_path: Path, content: bytes, headers: dict[str, str]) -> None:
    async with double(tmp_path) as client:
        assert (await push(client, content, **headers))[0] == 400


async def test_tenants_are_apart_where_they_must_name_themselves(tmp_path: Path) -> None:
    async with double(tmp_path, "-auth.enabled=true") as client:
        assert await push(client, body("x")) == (401, "no org id\n")
        assert (await refusal(client, QUERY, query='{job="j"}'))[0] == 401
        assert (await push(client, body("x"), **{"X-Scope-OrgID": "shop"}))[0] == 204
        for tenant, streams in (("shop", 1), ("other", 0)):
            headers = {"X-Scope-OrgID": tenant}
            async with client.get(QUERY, params={"query": '{job="j"}'}, headers=headers) as answer:
                assert len((await answer.json())["data"]["result"]) == streams
        assert (await refusal(client, "/ready"))[0] == 200


async def test_a_query_has_a_range_a_limit_and_a_direction(tmp_path: Path) -> None:
    async with double(tmp_path) as client:
        await push(client, body("a", "b", "c"))
        [stream] = await ask(client)
        first, second, third = sorted(int(stamp) for stamp, _ in stream["values"])
        assert [line for _, line in stream["values"]] == ["c", "b", "a"]
        for parameters, lines in (
            ({"direction": "forward", "limit": 2}, ["a", "b"]),
            ({"start": first, "end": third, "direction": "forward"}, ["a", "b"]),
            ({"start": second, "end": third + 1}, ["c", "b"]),
        ):
            [stream] = await ask(client, **parameters)
            assert [line for _, line in stream["values"]] == lines


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"query": "{job="}, "parse error at line 1, col 2"),
        (
            {"limit": 5001},
            "max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)",
        ),
        ({"limit": 0}, "limit must be a positive value"),
        ({"start": "1", "end": "1"}, "end timestamp must not be before or equal to start time"),
        ({"start": "x"}, 'cannot parse "x"'),
        ({"direction": "up"}, "invalid direction"),
        ({"start": "1700000000", "end": "1700003601"}, "(query length: 1h1s, limit: 1h)"),
    ],
)
async def test_a_query_is_refused_with_lokis_words(
    tmp_path: Path, parameters: dict[str, Any], text: str
) -> None:
    async with double(tmp_path, "-store.max-query-length=1h") as client:
        status, said = await refusal(client, QUERY, **{"query": '{job="j"}', **parameters})
        assert status == 400
        assert text in said
        allowed = {"limit": 5000, "start": "1700000000", "end": "2023-11-14T23:13:20Z"}
        assert await ask(client, **allowed) == []


async def test_an_answer_of_more_than_four_mebibytes_is_refused(tmp_path: Path) -> None:
    async with double(tmp_path) as client:
        for number in range(5):
            line = f"{number}" * 250_000
            assert (
                await push(client, body(*[f"{line}{each}" for each in range(4)], n=f"{number}", job="j"))
            )[0] == 204
        status, text = await refusal(client, QUERY, query='{job="j"}')
        assert status == 500
        assert "ResourceExhausted desc = grpc: received message larger than max (" in text
        assert await ask(client, limit=10)


async def test_streams_are_listed_by_a_selector(tmp_path: Path) -> None:
    async with double(tmp_path) as client:
        await push(client, body("x", job="j", n="1"))
        await push(client, body("x", job="other"))
        async with client.get("/loki/api/v1/series", params={"match[]": '{job="j"}'}) as answer:
            assert (await answer.json())["data"] == [{"job": "j", "n": "1", "service_name": "j"}]
        assert (await refusal(client, "/loki/api/v1/series"))[0] == 400


async def test_a_server_says_what_it_is_and_whether_it_is_ready(tmp_path: Path) -> None:
    async with double(tmp_path, "-not-ready-for=60", "-distributor.max-line-size=1MB") as client:
        assert await refusal(client, "/ready") == (
            503,
            "Ingester not ready: waiting for 15s after being ready\n",
        )
        _, config = await refusal(client, "/config")
        assert "\nlimits_config:\n" in config
        for line in (
            "max_line_size: 1MB",
            "allow_structured_metadata: true",
            "reject_old_samples_max_age: 1w",
        ):
            assert f"\n  {line}\n" in config
        async with client.get("/loki/api/v1/status/buildinfo") as answer:
            assert (await answer.json())["version"] == "3.7"


async def test_loki_2_9_refuses_structured_metadata(tmp_path: Path) -> None:
    async with double(tmp_path, "-version=2.9") as client:
        headers = {"Content-Type": "application/x-protobuf"}
        status, text = await push(client, protobuf("x"), **headers)
        assert status == 400
        assert text.startswith(
            'stream \'{job="j", level="INFO"}\' includes structured metadata, but this feature is'
        )
        assert (await push(client, body("x")))[0] == 204
        assert [stream["stream"] for stream in await ask(client)] == [{"job": "j"}]
        _, config = await refusal(client, "/config")
        assert "allow_structured_metadata" not in config
        async with client.get("/loki/api/v1/status/buildinfo") as answer:
            assert (await answer.json())["version"] == "2.9"


async def test_a_rate_that_is_exceeded_says_when_to_come_again(tmp_path: Path) -> None:
    flags = ("-distributor.ingestion-burst-size-mb=0.001", "-retry-after=7")
    async with double(tmp_path, *flags) as client:
        async with client.post(PUSH, data=body("x" * 2000), headers=JSON) as answer:
            assert answer.status == 429
            assert answer.headers["Retry-After"] == "7"
        assert (await push(client, body("x")))[0] == 204
