"""The Loki sink under faults in front of a real server, VictoriaLogs: nothing that was accepted is lost.

"Nothing twice" cannot be asked of it, since it keeps an entry that is sent again once more: the tests count
distinct ids, and tests/faults/test_loki.py asks the rest on the double.
"""

from collections.abc import Callable
from typing import Any

import pytest

from logweir.event import new_event_id
from logweir.sinks.loki import LokiConfig
from servers import FaultProxy, Server
from servers.server import OwnServer
from support import victorialogs as store
from support.burst import burst_into
from support.waiting import eventually

LEVELS = ("info", "warning", "error")

OwnServers = Callable[..., OwnServer]
Proxies = Callable[[Server], FaultProxy]


def config(url: str, **more: Any) -> LokiConfig:
    options: dict[str, Any] = {
        "url": store.push_url(url),
        "workers": 2,
        "static_labels": {"job": new_event_id()},
        "queue": {"max_events": 200_000, "when_full": "block", "block_timeout": 60},
        "retry": {"initial": 0.05, "max": 0.3, "timeout": 1.5},
    }
    return LokiConfig.model_validate({**options, **more})


def numbers(server: Server, sink: LokiConfig) -> set[int]:
    """The numbers of the events that are there."""
    job = sink.static_labels["job"]
    query = f'{{job="{job}"}} | uniq by (id, "fields.number")'
    found = [int(row["fields.number"]) for row in store.rows(server.url, query)]
    assert len(found) == len(set(found)), "one number under two ids"
    return set(found)


def assert_all_there(server: Server, sink: LokiConfig, sent: int) -> None:
    assert numbers(server, sink) == set(range(sent))


@pytest.mark.wound("vector #18820")
def test_a_server_that_is_shut_down_and_started_again_has_everything(own_server: OwnServers) -> None:
    server = own_server("victorialogs")
    sink = config(server.url)
    with burst_into(sink, levels=LEVELS) as burst:
        server.stop()
        burst.until_it_fails()
        server.start()
        burst.until_more_is_stored()
    assert_all_there(server, sink, burst.sent)


def test_a_killed_server_has_what_it_saved_and_all_that_was_sent_since(own_server: OwnServers) -> None:
    """It answers before it saves: a kill takes what it took during ``-inmemoryDataFlushInterval``."""
    server = own_server("victorialogs", args=["-inmemoryDataFlushInterval=1s"])
    early, sink = config(server.url), config(server.url)
    with burst_into(early, levels=LEVELS) as first:
        pass
    assert_all_there(server, early, first.sent)
    eventually(lambda: store.saved(server.url))
    with burst_into(sink, levels=LEVELS) as burst:
        server.kill()
        burst.until_it_fails()
        refused = burst.sent  # what is sent from here on meets no server, or the new one
        server.start()
        burst.until_more_is_stored()
    assert_all_there(server, early, first.sent)
    assert numbers(server, sink) >= set(range(refused, burst.sent))


def test_a_server_that_stands_still_and_goes_on_has_everything(own_server: OwnServers) -> None:
    server = own_server("victorialogs")
    sink = config(server.url)
    with burst_into(sink, levels=LEVELS) as burst:
        server.pause()
        burst.until_it_fails(seconds=60)
        server.resume()
        burst.until_more_is_stored()
    assert_all_there(server, sink, burst.sent)


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_latency_resets_and_half_written_answers_lose_nothing(
    victorialogs: Server, proxy: Proxies, encoding: str
) -> None:
    fault = proxy(victorialogs)
    sink = config(fault.url, encoding=encoding)
    with burst_into(sink, levels=LEVELS) as burst:
        burst.survives_a_bad_network(fault)
    assert_all_there(victorialogs, sink, burst.sent)


def test_a_storm_of_refusals_loses_nothing(victorialogs: Server, proxy: Proxies) -> None:
    fault = proxy(victorialogs)
    sink = config(fault.url)
    with burst_into(sink, levels=LEVELS) as burst:
        burst.survives_refusals(fault, (429, 0.5), (503, 0.5), (500, 1.0), (401, 1.0))
    assert_all_there(victorialogs, sink, burst.sent)


def test_a_full_disk_loses_nothing_that_is_sent_once_it_is_freed(own_server: OwnServers) -> None:
    server = own_server("victorialogs", size="64m", args=["-storage.minFreeDiskSpaceBytes=8MB"])
    sink = config(server.url)
    with burst_into(sink, levels=LEVELS) as burst:
        server.fill_disk()
        burst.until_it_fails()
        server.free_disk()
        burst.until_more_is_stored()
    assert_all_there(server, sink, burst.sent)
