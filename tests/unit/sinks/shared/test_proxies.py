"""Which proxy a request goes through: one rule for every sink that speaks HTTP."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from logweir.errors import SinkError
from logweir.sinks import registry
from logweir.sinks.contract import SinkContext
from logweir.sinks.shared.proxies import proxy_for
from logweir.testing.contract import make_event
from support.webhook import Reply, Webhook

FAR = "http://logs.example:8080"
SINKS = ["http", "otlp", "loki", "victorialogs", "elasticsearch", "opensearch"]
VARIABLES = [
    name for each in ("http", "https", "all", "no") for name in (f"{each}_proxy", f"{each}_PROXY".upper())
]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*VARIABLES, "REQUEST_METHOD"]:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def proxy() -> AsyncIterator[Webhook]:
    async with Webhook() as running:
        running.behaviour = lambda _request: Reply(503, {"Content-Type": "application/json"}, b"{}")
        yield running


def address_of(proxy: Webhook, login: str = "") -> str:
    return f"http://{login}{proxy.url.removeprefix('http://').partition('/')[0]}"


async def ask(kind: str, **options: Any) -> str:
    """Let a sink open and write; return what it says of its failure."""
    sink_class: Any = registry.resolve(kind)
    config = sink_class.Config.model_validate({"type": kind, "retry": {"timeout": 5}, **options})
    sink = sink_class(config, SinkContext(workers=1))
    said = ""
    try:
        await sink.open()
        await sink.write([make_event()])
    except SinkError as error:
        said = str(error)
    finally:
        await sink.close()
    return said


@pytest.mark.parametrize("kind", SINKS)
@pytest.mark.parametrize("by", ["environment", "option"])
async def test_b6_every_sink_of_http_goes_through_the_proxy(
    proxy: Webhook, monkeypatch: pytest.MonkeyPatch, kind: str, by: str
) -> None:
    options: dict[str, Any] = {"url": FAR}
    if by == "environment":
        monkeypatch.setenv("HTTP_PROXY", address_of(proxy))
    else:
        options["proxy"] = address_of(proxy, "u:hunter2@")
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    said = await ask(kind, **options)
    assert proxy.requests, said
    assert all(request.path.startswith(FAR) for request in proxy.requests)
    assert "hunter2" not in said
    if by == "option":
        assert proxy.requests[0].headers["proxy-authorization"] == "Basic dTpodW50ZXIy"


@pytest.mark.parametrize("kind", SINKS)
async def test_b6_nothing_on_this_host_is_asked_for_through_a_proxy(
    proxy: Webhook, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    await ask(kind, url=address_of(proxy))
    assert proxy.requests
    assert not any(request.path.startswith("http") for request in proxy.requests)


@pytest.mark.parametrize("kind", SINKS)
async def test_b6_a_sink_can_go_past_the_proxy_of_the_environment(
    proxy: Webhook, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", address_of(proxy))
    with contextlib.suppress(TimeoutError):
        await ask(kind, url="http://logs.invalid:8080", proxy="none")
    assert not proxy.requests


@pytest.mark.parametrize(
    ("url", "variables", "expected"),
    [
        ("https://a.example/x", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://a.example/x", {"HTTP_PROXY": "http://p:1"}, None),
        ("http://a.example", {"ALL_PROXY": "p:1"}, "http://p:1"),
        ("http://a.example", {"HTTP_PROXY": "http://p:1", "NO_PROXY": ".example"}, None),
        ("http://a.example:81", {"HTTP_PROXY": "http://p:1", "NO_PROXY": "a.example:80"}, "http://p:1"),
        ("http://a.example", {"HTTP_PROXY": "http://p:1", "NO_PROXY": "*"}, None),
        ("http://127.3.2.1", {"HTTP_PROXY": "http://p:1"}, None),
        ("http://[::1]:3100", {"HTTP_PROXY": "http://p:1"}, None),
        ("http://app.localhost", {"HTTP_PROXY": "http://p:1"}, None),
        ("http://a.example", {}, None),
    ],
)
def test_b6_the_environment_is_read_as_everywhere(
    monkeypatch: pytest.MonkeyPatch, url: str, variables: dict[str, str], expected: str | None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(url, None) == expected
    assert proxy_for("http://b.test", SecretStr("none")) is None


@pytest.mark.parametrize("nonsense", ["proxy:3128", "socks5://p:1", "http://p:1/path", ""])
def test_what_is_no_proxy_is_refused(nonsense: str) -> None:
    with pytest.raises(ValidationError, match="not a proxy"):
        registry.resolve("loki").Config.model_validate({"type": "loki", "url": FAR, "proxy": nonsense})
