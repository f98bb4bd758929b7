"""Bodies, headers and signatures of requests."""

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from logweir.event import Event
from logweir.sinks.http.config import HttpConfig
from logweir.sinks.http.encode import Request, encoder_of, request_of
from logweir.testing.contract import make_event

SECRET = "correct horse battery staple"


def config(**options: Any) -> HttpConfig:
    return HttpConfig.model_validate({"url": "https://hooks.example/logs", **options})


def request_with(events: Sequence[Event], config: HttpConfig, now: float) -> Request:
    return request_of(events, [*map(encoder_of(config), events)], config, now)


def test_a_batch_is_an_array_and_a_single_event_an_object() -> None:
    events = [make_event("a"), make_event("b")]
    together = json.loads(request_with(events, config(), 0).body)
    assert [document["event"] for document in together] == ["a", "b"]
    assert json.loads(request_with(events[:1], config(mode="single"), 0).body)["id"] == events[0].id
    assert isinstance(json.loads(request_with(events[:1], config(), 0).body), list)


def test_the_idempotency_key_belongs_to_the_events_and_not_to_the_attempt() -> None:
    first, second = make_event(), make_event()

    def key(*events: Any) -> str:
        return request_with(events, config(), 0).headers["Idempotency-Key"]

    assert key(first, second) == key(first, second)
    assert key(first, second) != key(first)
    assert key(first) == first.id


def test_ndjson_is_a_line_for_each_event_under_the_names_asked_for() -> None:
    events = [make_event("a", {"n": 1}), make_event("b")]
    request = request_with(events, config(format="ndjson", fields="flat", rename={"event": "_msg"}), 0)
    assert request.headers["Content-Type"] == "application/x-ndjson"
    assert request.body.endswith(b"}\n")
    lines = [json.loads(line) for line in request.body.splitlines()]
    assert [(line["_msg"], line.get("n")) for line in lines] == [("a", 1), ("b", None)]


def test_the_earlier_spelling_of_single_is_taken_and_a_contradiction_is_not() -> None:
    assert config(mode="single").format == "single"
    assert config(mode="single").batch.max_events == config(format="single").batch.max_events == 8
    assert config(mode="batch", format="ndjson").format == "ndjson"
    for options in ({"mode": "batch", "format": "single"}, {"mode": "single", "format": "ndjson"}):
        with pytest.raises(ValueError, match="contradicts format"):
            config(**options)


@pytest.mark.parametrize("compressed", [False, True])
def test_the_signature_is_over_the_timestamp_and_the_body_as_sent(compressed: bool) -> None:
    signing = config(sign={"secret": SECRET, "header": "X-Sig"}, gzip=compressed)
    request = request_with([make_event()], signing, 1_700_000_000.9)
    signed = b"1700000000." + request.body
    assert request.headers["X-Logweir-Timestamp"] == "1700000000"
    assert (
        request.headers["X-Sig"] == "sha256=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    )
    other = request_with([make_event()], config(sign={"secret": SECRET, "algorithm": "sha512"}), 0)
    assert other.headers["X-Logweir-Signature"].startswith("sha512=")


@pytest.mark.parametrize("compressed", [False, True])
def test_the_documented_verification_takes_what_is_ours_and_nothing_else(compressed: bool) -> None:
    page = (Path(__file__).parents[4] / "docs" / "how-to" / "http-webhook.md").read_text()
    (code,) = re.findall(r"^```python\n(# verify\.py\n.*?)^```", page, re.DOTALL | re.MULTILINE)
    found: dict[str, Any] = {"__name__": "verify"}
    exec(code, found)
    verify = found["is_from_logweir"]
    signing = config(sign={"secret": SECRET}, gzip=compressed)
    request = request_with([make_event()], signing, 1_700_000_000)
    assert verify(SECRET, request.headers, request.body, now=1_700_000_200)
    assert not verify("another secret, long enough", request.headers, request.body, now=1_700_000_200)
    assert not verify(SECRET, request.headers, request.body + b" ", now=1_700_000_200)
    assert not verify(SECRET, request.headers, request.body, now=1_700_000_301)
    later = {**request.headers, "X-Logweir-Timestamp": "1700000300"}
    assert not verify(SECRET, later, request.body, now=1_700_000_301)
    assert not verify(SECRET, {}, request.body, now=1_700_000_000)
