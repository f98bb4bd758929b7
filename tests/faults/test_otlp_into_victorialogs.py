"""The OTLP sink under faults in front of a real receiver, VictoriaLogs: nothing that was accepted is lost.

"Nothing twice" cannot be asked of it: the protocol knows no idempotency. The tests count distinct ids.
"""

from collections.abc import Callable
from typing import Any

from logweir.event import new_event_id
from logweir.sinks.otlp.config import OtlpConfig
from servers import FaultProxy, Server
from servers.server import OwnServer
from support import victorialogs as store
from support.burst import burst_into

OwnServers = Callable[..., OwnServer]
Proxies = Callable[[Server], FaultProxy]


def config(url: str) -> OtlpConfig:
    options: dict[str, Any] = {
        "url": f"{url}/insert/opentelemetry",
        "workers": 2,
        "resource": {"run": new_event_id()},
        "queue": {"max_events": 200_000, "when_full": "block", "block_timeout": 60},
        "retry": {"initial": 0.05, "max": 0.3, "timeout": 1.5},
    }
    return OtlpConfig.model_validate(options)


def assert_all_there(server: Server, sink: OtlpConfig, sent: int) -> None:
    query = f'"run":="{sink.resource["run"]}" | uniq by ("logweir.id", number)'
    found = [int(row["number"]) for row in store.rows(server.url, query)]
    assert len(found) == len(set(found)), "one number under two ids"
    assert set(found) == set(range(sent))


def test_a_receiver_that_is_shut_down_and_started_again_has_everything(own_server: OwnServers) -> None:
    server = own_server("victorialogs")
    sink = config(server.url)
    with burst_into(sink) as burst:
        server.stop()
        burst.until_it_fails()
        server.start()
        burst.until_more_is_stored()
    assert_all_there(server, sink, burst.sent)


def test_a_receiver_behind_a_bad_network_has_everything(victorialogs: Server, proxy: Proxies) -> None:
    faults = proxy(victorialogs)
    sink = config(faults.url)
    with burst_into(sink) as burst:
        burst.survives_a_bad_network(faults)
    assert_all_there(victorialogs, sink, burst.sent)


def test_a_receiver_that_refuses_for_a_while_has_everything(victorialogs: Server, proxy: Proxies) -> None:
    faults = proxy(victorialogs)
    sink = config(faults.url)
    with burst_into(sink) as burst:
        burst.survives_refusals(faults, (429, 0.5), (503, 0.5), (500, 1.0), (401, 1.0), (404, 1.0))
    assert_all_there(victorialogs, sink, burst.sent)
