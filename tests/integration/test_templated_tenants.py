"""A tenant for each event: on servers that keep tenants apart, within the bound, and read back."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from logweir.errors import SinkUnavailable
from logweir.event import Event, new_event_id
from logweir.sinks.contract import SinkContext
from logweir.sinks.loki import LokiConfig, LokiSink
from logweir.sinks.results import WriteResult
from logweir.sinks.templated import TemplatedSink
from logweir.sinks.threaded import as_async
from logweir.sinks.victorialogs.config import VictoriaLogsConfig
from logweir.sinks.victorialogs.sink import VictoriaLogsSink
from logweir.testing.contract import make_event
from servers import Server
from servers.server import OwnServer
from support import victorialogs as store
from support.templated import found, ids

CONTEXT = SinkContext(name="logs", workers=2)


@asynccontextmanager
async def opened(sink: Any) -> AsyncIterator[Any]:
    writer = as_async(sink)
    try:
        await writer.open()
        yield writer
    finally:
        await writer.close()


def of_tenants(*tenants: Any) -> list[Event]:
    return [make_event(tenant=tenant) for tenant in tenants]


@pytest.fixture
def loki_url(own_server: Callable[..., OwnServer]) -> str:
    return own_server("loki", args=["-auth.enabled=true"]).url


def loki(url: str, job: str, tenant: str, **options: Any) -> LokiSink:
    config = {"url": url, "tenant": tenant, "static_labels": {"job": job}, **options}
    return LokiSink(LokiConfig.model_validate(config), CONTEXT)


async def test_each_event_goes_to_the_tenant_in_loki_that_its_field_names(loki_url: str) -> None:
    job = new_event_id()
    acme, globex, header, third, none = events = of_tenants("acme", "globex", "acme|globex", "third", None)
    async with opened(loki(loki_url, job, "{fields.tenant}", max_destinations=2)) as sink:
        assert isinstance(sink, TemplatedSink)
        result = await sink.write(events)
        assert not result.retry
        assert not result.rejected
        with pytest.raises(SinkUnavailable, match="read_tenants"):
            await found(sink)
    for tenant, expected in {
        "acme": ids(acme), "globex": ids(globex), "third": [], "overflow": ids(header, third, none),
    }.items():  # fmt: skip
        async with opened(loki(loki_url, job, tenant)) as sink:
            assert await found(sink) == expected, tenant
    async with opened(loki(loki_url, job, "{fields.tenant}", read_tenants=["globex", "acme"])) as sink:
        assert await found(sink) == ids(*events)
        assert await found(sink, limit=2, newest_first=True) == ids(none, third)


def victorialogs_sink(url: str, job: str, **options: Any) -> VictoriaLogsSink:
    config = {"url": url, "static_fields": {"job": job}, "retry": {"timeout": 60}, **options}
    return VictoriaLogsSink(VictoriaLogsConfig.model_validate(config), CONTEXT)


async def test_each_event_goes_to_the_tenant_in_victorialogs_that_its_field_names(
    victorialogs: Server,
) -> None:
    url, job = victorialogs.url, new_event_id()
    seven, eight, word, padded, large, third = events = of_tenants(7, "8", "acme", "07", 2**32, 9)
    async with opened(victorialogs_sink(url, job, tenant="{fields.tenant}:3", max_destinations=2)) as sink:
        assert await sink.write(events) == WriteResult.all_stored()
    store.show(url)
    for (account, project), expected in {
        (7, 3): ids(seven), (8, 3): ids(eight), (9, 3): [], (0, 3): ids(word, padded, large, third),
    }.items():  # fmt: skip
        async with opened(victorialogs_sink(url, job, account_id=account, project_id=project)) as sink:
            assert await found(sink) == expected, account
    async with opened(
        victorialogs_sink(url, job, tenant="{fields.tenant}:3", read_tenants=["7:3", "8:3"])
    ) as sink:
        assert await found(sink) == ids(*events)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tenant": "7"}, "write account_id"),
        ({"tenant": "{fields.a}", "account_id": 1}, "keep one of them"),
        ({"tenant": "{fields.a}", "overflow": "rest"}, "cannot be a destination"),
        ({"tenant": "a{fields.a}"}, "cannot be a destination"),
    ],
)
def test_a_tenant_that_victorialogs_could_not_have_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        VictoriaLogsConfig.model_validate({"url": "http://v:9428", **options})


def test_tenants_to_read_are_checked_when_the_file_is_loaded() -> None:
    with pytest.raises(ValueError, match="can never lead to 'shop'"):
        LokiConfig(url="http://loki:3100", tenant="shop-{env}", read_tenants=("shop",))
    with pytest.raises(ValueError, match="placeholders"):
        LokiConfig(url="http://loki:3100", tenant="shop", read_tenants=("shop",))
