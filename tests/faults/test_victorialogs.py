"""The VictoriaLogs sink under faults of the server and in front of it: nothing that was accepted is lost.

The store keeps an entry that is sent again once more, so "nothing is lost" is a statement about distinct ids;
and nothing that the server says of itself makes a dead letter.
"""

from collections.abc import Callable
from typing import Any

import pytest

from logweir.event import new_event_id
from logweir.sinks.victorialogs import VictoriaLogsConfig
from servers import FaultProxy, Server
from servers.server import OwnServer
from support import victorialogs as store
from support.burst import burst_into

OwnServers = Callable[..., OwnServer]
Proxies = Callable[[Server], FaultProxy]


def config(url: str, **more: Any) -> VictoriaLogsConfig:
    options: dict[str, Any] = {
        "url": url,
        "workers": 2,
        "static_fields": {"job": new_event_id()},
        "queue": {"max_events": 200_000, "when_full": "block", "block_timeout": 60},
        "retry": {"initial": 0.05, "max": 0.3, "timeout": 1.5},
    }
    return VictoriaLogsConfig.model_validate({**options, **more})


def assert_all_there(server: Server, sink: VictoriaLogsConfig, sent: int) -> None:
    """Every number is there, under one id."""
    query = f'{{job="{sink.static_fields["job"]}"}} | uniq by (id, "fields.number")'
    found = sorted(int(row["fields.number"]) for row in store.rows(server.url, query))
    assert found == list(range(sent))


def test_a_server_that_is_shut_down_and_started_again_has_everything(own_server: OwnServers) -> None:
    server = own_server("victorialogs")
    sink = config(server.url)
    with burst_into(sink) as burst:
        server.stop()
        burst.until_it_fails()
        server.start()
        burst.until_more_is_stored()
    assert burst.metrics.dead == 0
    assert_all_there(server, sink, burst.sent)


def test_a_full_disk_makes_no_dead_letters_and_loses_nothing(own_server: OwnServers) -> None:
    server = own_server("victorialogs", size="64m", args=["-storage.minFreeDiskSpaceBytes=8MB"])
    sink = config(server.url)
    with burst_into(sink) as burst:
        server.fill_disk()
        burst.until_it_fails()
        server.free_disk()
        burst.until_more_is_stored()
    assert burst.metrics.dead == 0
    assert_all_there(server, sink, burst.sent)


def test_a_bad_network_and_a_server_that_hangs_lose_nothing(victorialogs: Server, proxy: Proxies) -> None:
    fault = proxy(victorialogs)
    sink = config(fault.url)
    with burst_into(sink) as burst:
        burst.survives_a_bad_network(fault)
    assert burst.metrics.dead == 0
    assert_all_there(victorialogs, sink, burst.sent)


@pytest.mark.parametrize(
    "statuses", [((429, 0.5), (503, 0.5), (500, 1.0)), ((400, 1.0), (401, 1.0), (404, 1.0))]
)
def test_answers_about_the_server_make_no_dead_letters(
    victorialogs: Server, proxy: Proxies, statuses: tuple[tuple[int, float], ...]
) -> None:
    fault = proxy(victorialogs)
    sink = config(fault.url)
    with burst_into(sink) as burst:
        burst.survives_refusals(fault, *statuses)
    assert burst.metrics.dead == 0
    assert_all_there(victorialogs, sink, burst.sent)
