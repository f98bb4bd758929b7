"""What a server or a gateway sends back of our credentials is masked in what a sink says of its failure."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from logweir.errors import SinkError
from logweir.sinks import registry
from logweir.sinks.contract import Sink
from logweir.testing.contract import make_event
from support.webhook import Received, Reply, Webhook

LOGIN = base64.b64encode(b"ann:hunter2-hunter2").decode()
SECRETS = ("hunter2", LOGIN, "s3cr3t-s3cr3t")
WAYS: dict[str, dict[str, Any]] = {
    "login": {"username": "ann", "password": "hunter2-hunter2"},
    "token": {"bearer_token": "hunter2-token"},
    "header": {"headers": {"X-Key": "s3cr3t-s3cr3t"}},
    "api key": {"api_key": "hunter2-key"},
    "proxy": {"proxy": "http://ann:hunter2-hunter2@proxy.example:3128"},
}
SINKS = [
    *(
        (kind, way)
        for kind in ("http", "otlp", "loki", "victorialogs")
        for way in ("login", "token", "header")
    ),
    *((kind, "login") for kind in ("elasticsearch", "opensearch")),
    ("elasticsearch", "api key"),
]
ALL = ("http", "otlp", "loki", "victorialogs", "elasticsearch", "opensearch")


def echo(request: Received) -> Reply:
    """Refuse, and quote all headers, as gateways in debug mode do."""
    said = json.dumps({"error": {"type": "security_exception", "reason": f"no: {request.headers}"}})
    headers = {"Content-Type": "application/json", "X-Elastic-Product": "Elasticsearch"}
    if "elasticsearch" not in request.headers.get("user-agent", ""):
        del headers["X-Elastic-Product"]
    return Reply(401, headers, said.encode())


@pytest.fixture
async def receiver() -> AsyncIterator[Webhook]:
    async with Webhook() as webhook:
        webhook.behaviour = echo
        yield webhook


async def used(sink: Sink[Any]) -> None:
    await sink.open()
    await sink.write([make_event()])


@pytest.mark.parametrize(("kind", "way"), SINKS)
async def test_no_sink_shows_credentials_that_a_server_sends_back(
    receiver: Webhook, kind: str, way: str
) -> None:
    url = receiver.url if kind in {"http", "otlp"} else receiver.url.split("/hooks")[0]
    sink_class: Any = registry.resolve(kind)
    sink: Sink[Any] = sink_class(sink_class.Config.model_validate({"url": url, **WAYS[way]}))
    try:
        with pytest.raises(SinkError) as caught:
            await used(sink)
        said = f"{caught.value} {(await sink.check()).detail}"
    finally:
        await sink.close()
    assert receiver.requests
    assert "no: " in said
    for secret in SECRETS:
        assert secret not in said


@pytest.mark.parametrize("kind", ALL)
def test_the_login_of_a_proxy_is_a_secret(kind: str) -> None:
    sink_class: Any = registry.resolve(kind)
    config = sink_class.Config.model_validate({"url": "http://h:1", **WAYS["proxy"]})
    assert {"hunter2-hunter2", LOGIN} <= {*config.secrets()}


@pytest.mark.parametrize("kind", ["http", "otlp"])
async def test_no_part_of_a_url_that_may_be_a_key_is_shown(receiver: Webhook, kind: str) -> None:
    receiver.behaviour = lambda _request: Reply(
        401, body=b"no: no hook T00.hunter2-key, unknown token hunter2+token or hunter2 token"
    )
    url = f"{receiver.url}/T00.hunter2-key?token=hunter2+token&x=1"
    sink_class: Any = registry.resolve(kind)
    sink: Sink[Any] = sink_class(sink_class.Config.model_validate({"url": url}))
    try:
        with pytest.raises(SinkError, match=r"no hook \*\*\*, unknown token \*\*\* or \*\*\*"):
            await used(sink)
    finally:
        await sink.close()
