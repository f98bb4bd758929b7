"""The forwarder: a batch becomes messages, and the broker's answer a sink's."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from logweir.delivery.brokers.contract import BrokerHealth, Message, Place
from logweir.delivery.forwarder import Forwarder
from logweir.delivery.own_copies import for_sink
from logweir.encoding.events import decode_event
from logweir.errors import SinkUnavailable
from logweir.event import Event, Kind, new_event_id
from logweir.sinks.contract import SinkConfig
from logweir.sinks.results import HealthStatus, WriteResult
from logweir.testing.events import make_event
from support.broker_double import BrokerDouble


class Refuses(BrokerDouble):
    refused: Mapping[int, str] = {}
    sent: Sequence[Message] = ()

    async def publish(self, batch: Sequence[Message]) -> Mapping[int, str]:
        self.sent = batch
        return self.refused

    async def health(self) -> BrokerHealth:
        return BrokerHealth(HealthStatus.DEGRADED, "Redis 7", "it is in memory.", ["set appendonly yes"])


def forwarder(**refused: Any) -> tuple[Forwarder, Refuses]:
    broker = Refuses(Place("sink"), partitions=2, claim_after=1.0)
    broker.refused = {int(key[1:]): reason for key, reason in refused.items()}
    return Forwarder(SinkConfig(type="null"), broker), broker


async def test_an_event_is_sent_as_it_is_encoded_everywhere() -> None:
    sink, broker = forwarder()
    batch = [make_event("one", x=1), make_event("two", text="ß\u2028")]
    assert await sink.write(batch) is WriteResult.all_stored()
    assert [
        decode_event(message.body, size=event.size) for message, event in zip(broker.sent, batch, strict=True)
    ] == batch
    assert {message.version for message in broker.sent} == {1}


async def test_a_trace_shares_a_key_and_what_has_none_is_spread() -> None:
    sink, broker = forwarder()
    alone = [Event(new_event_id(), 1, Kind.AUDIT, "info", "x", "s", "e", None, None, {}) for _ in range(2)]
    traced = [make_event("a"), make_event("b")]
    await sink.write([*alone, *traced])
    assert [message.key for message in broker.sent] == [
        alone[0].id, alone[1].id, traced[0].trace_id, traced[0].trace_id
    ]  # fmt: skip


async def test_a_batch_of_which_nothing_was_taken_failed_as_a_whole() -> None:
    sink, _ = forwarder(_0="full", _1="full")
    with pytest.raises(SinkUnavailable, match="full"):
        await sink.write([make_event(), make_event()])


async def test_what_the_broker_did_not_take_is_sent_again_alone() -> None:
    sink, _ = forwarder(_1="a partition is full")
    result = await sink.write([make_event(), make_event(), make_event()])
    assert result == WriteResult(retry=frozenset({1}), retry_reason="a partition is full")


async def test_its_health_says_what_a_confirmation_means() -> None:
    sink, _ = forwarder()
    health = await sink.check()
    assert (health.status, health.server) == (HealthStatus.DEGRADED, "Redis 7")
    assert health.detail == "it is in memory; set appendonly yes"


def test_events_are_not_copied_for_it() -> None:
    batch = [make_event()]
    assert for_sink(forwarder()[0])(batch) is batch
