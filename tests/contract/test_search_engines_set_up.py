"""What a search engine's sink needs of its servers, and which of them it asks: template, check, TLS and nodes."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.sinks.results import HealthStatus
from logweir.testing.contract import assert_law, make_event
from servers import FaultProxy, Server
from support.elastic import Elastic, all_of, opened
from support.tls import make_certificate, tls_relay


async def test_without_its_template_the_sink_does_not_open(server: Server, store: Elastic) -> None:
    with pytest.raises(SinkRejected, match="set provision: true"):
        async with opened(server.url, store, provision=False):
            pass
    async with opened(server.url, store):
        pass
    async with opened(server.url, store, provision=False) as sink:
        assert_law(await sink.write([make_event()]), 1)


async def test_what_the_script_prints_is_what_the_server_takes(server: Server, store: Elastic) -> None:
    sink = store.product.make(url=server.url, index=store.name, layout="daily", replicas=0)
    request, _, body = sink.provision_script().partition("\n")
    method, target = request.split(" ")
    store.ask(method, f"/{target}", json.loads(body))
    async with opened(server.url, store, provision=False) as opened_sink:
        assert_law(await opened_sink.write([make_event()]), 1)


async def test_a_template_of_somebody_elses_is_left_alone(server: Server, store: Elastic) -> None:
    async with opened(server.url, store, shards=2):
        pass
    target = f"/_index_template/{store.name}"
    body = store.ask("GET", target)["index_templates"][0]["index_template"]
    assert body["template"]["settings"]["index"]["number_of_shards"] == "2"
    async with opened(server.url, store, shards=3):
        pass
    body = store.ask("GET", target)["index_templates"][0]["index_template"]
    assert body["template"]["settings"]["index"]["number_of_shards"] == "3"
    store.ask("PUT", target, {**body, "_meta": {"managed_by": "us"}})
    async with opened(server.url, store, shards=4):
        pass
    body = store.ask("GET", target)["index_templates"][0]["index_template"]
    assert body["template"]["settings"]["index"]["number_of_shards"] == "3"


# -- check and nodes ------------------------------------------------------------------------------------


async def test_check_says_how_events_are_stored_and_what_the_server_lacks(
    server: Server, store: Elastic
) -> None:
    async with opened(server.url, store) as sink:
        health = await sink.check()
    assert health.status is HealthStatus.OK
    assert health.server.startswith(store.product.version)
    assert f"daily indexes {store.name}-YYYY.MM.DD behind the alias {store.name}" in health.detail
    assert "manages no data streams" in health.detail
    async with opened(server.url, store, lifecycle={"delete_after": "90d"}) as sink:
        health = await sink.check()
    assert health.status is HealthStatus.DEGRADED
    assert "nothing keeps `lifecycle`" in health.detail


async def test_a_node_is_trusted_by_its_authority(server: Server, store: Elastic, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    with tls_relay(server.host, server.port, certificate, key) as port:
        url = f"https://127.0.0.1:{port}"
        async with opened(url, store, tls={"ca": str(certificate)}) as sink:
            assert_law(await sink.write([make_event()]), 1)
        async with opened(url, store, tls={"verify": False}) as sink:
            assert_law(await sink.write([make_event()]), 1)
        with pytest.raises(SinkUnavailable, match="certificate verify failed"):
            async with opened(url, store):
                pass
        absent = str(tmp_path / "absent.pem")
        for tls in ({"ca": absent}, {"certificate": absent}):
            with pytest.raises(SinkRejected, match="the connection cannot be prepared"):
                async with opened(url, store, tls=tls):
                    pass


async def test_a_node_that_is_down_leaves_the_work_to_the_others(
    server: Server, store: Elastic, proxy: Any
) -> None:
    front: FaultProxy = proxy(server)
    async with opened([front.url, server.url], store) as sink:
        for fault in (front.refuse, front.reset, lambda: front.answer(503)):
            fault()
            for _ in range(4):
                assert_law(await sink.write([make_event()]), 1)
            front.clear()
        assert len(await all_of(sink)) == 12


@pytest.mark.busy
async def test_a_node_that_hangs_costs_one_write(server: Server, store: Elastic, proxy: Any) -> None:
    front: FaultProxy = proxy(server)
    nodes = [front.url, server.url]
    async with opened(nodes, store, retry={"timeout": "5s"}) as sink:
        front.hang()
        failed = 0
        for _ in range(6):
            try:
                async with asyncio.timeout(5.0):
                    await sink.write([make_event()])
            except SinkUnavailable:
                failed += 1
        # One, or another where the machine is so busy that the client asks the node again meanwhile.
        assert failed <= 2
