"""Events that go over Kafka, under faults: nothing that was accepted is lost, and nothing is stored twice."""

import asyncio
import contextlib
import logging
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient

from logweir.delivery.brokers.contract import Message, Place
from logweir.delivery.brokers.kafka import KafkaBroker
from logweir.errors import SinkRejected, SinkUnavailable
from logweir.settings.delivery import QueueConfig
from servers import FaultProxy, Server, machine
from support import kafka as look
from support.behind_a_broker import burst, expect_all_once, routing_behind, soon_failing, stands_still, stored
from support.consumers import consumers
from support.tls import make_certificate, tls_relay
from support.waiting import eventually

LONG = os.environ.get("LOGWEIR_SOAK") == "long"
pytestmark = [pytest.mark.busy, pytest.mark.timeout(3600 if LONG else 300)]

TIMES = 50 if LONG else 2
OwnServers = Callable[..., Any]


def routing(folder: Path, url: str, **queue: Any) -> dict[str, Any]:
    """A routing.yaml whose one sink is SQLite behind Kafka."""
    over = {"type": "kafka", "brokers": look.brokers(url), "partitions": 6, "replication": 1}
    return routing_behind({**over, "claim_after": 2.0, **queue}, folder)


# -- processes -----------------------------------------------------------------------------------------


@pytest.mark.soak
def test_workers_that_are_killed_added_and_stand_still_lose_and_repeat_nothing(
    tmp_path: Path, kafka: Server
) -> None:
    generator = random.Random(16)
    config = routing(tmp_path, kafka.url)
    with consumers(tmp_path, config, 2) as workers:
        workers.wait_until_ready()
        with burst(config) as running:
            workers.add()  # a rebalance under load
            for _ in range(TIMES):
                running.until_more_is_stored(generator.randrange(100, 800))
                workers.kill(generator.randrange(3))
            workers.wait_until_ready()
            eventually(lambda: stands_still(workers, 0, tmp_path))
            before = len(stored(tmp_path))
            # At a thousand a second, longer than the claim time: the others have its partitions by now.
            running.until_more_is_stored(3000)
            eventually(lambda: len(stored(tmp_path)) > before + 500, 60)
            workers.processes[0].send_signal(signal.SIGCONT)
        expect_all_once(tmp_path, running.sent, workers)
        workers.stop()


@pytest.mark.soak
def test_a_kafka_that_is_full_or_killed_loses_nothing_of_what_it_confirmed(
    tmp_path: Path, own_server: OwnServers
) -> None:
    server = own_server("kafka", size="400m")
    config = soon_failing(routing(tmp_path, server.url))
    with consumers(tmp_path, config, 2) as workers:
        workers.wait_until_ready()
        with burst(config, rate=300) as running:
            server.fill_disk()  # which stops it
            running.until_it_fails(1)
            server.free_disk()
            for _ in range(TIMES):
                server.kill()
                running.until_it_fails(1)  # and the application serves
                server.start()
                running.until_more_is_stored(300)
        expect_all_once(tmp_path, running.sent, workers)
        workers.stop()


def test_a_cut_network_on_either_side_loses_and_repeats_nothing(
    tmp_path: Path, own_server: OwnServers
) -> None:
    ports = machine.free_port(), machine.free_port()
    before, behind = proxies = [FaultProxy(f"kafka://127.0.0.1:{port}") for port in ports]
    try:
        own_server(
            "kafka", args=[f"via={port}:{each.port}" for port, each in zip(ports, proxies, strict=True)]
        )
        config = soon_failing(routing(tmp_path, before.url))
        other = routing(tmp_path, behind.url) | {"service": config["service"]}
        with consumers(tmp_path, other, 2) as workers:
            workers.wait_until_ready()
            with burst(config, rate=300) as running:
                for harm in ("reset", "refuse", "hang"):
                    getattr(before, harm)()
                    running.until_it_fails(1)
                    before.clear()
                    running.until_more_is_stored(200)
                for harm in ("reset", "refuse", "hang"):
                    getattr(behind, harm)()
                    running.until_more_is_stored(500)
                    behind.clear()
            expect_all_once(tmp_path, running.sent, workers)
            workers.stop()
    finally:
        for each in proxies:
            each.close()


# -- what somebody does to the topic -------------------------------------------------------------------


class Parts:
    """A place, and brokers for it."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.url = url
        self.place = Place(f"sink-{time.time_ns()}", owner="test", consumer="a")
        self.topic = f"logweir.app.dev.{self.place.sink}"
        over = {"type": "kafka", "brokers": look.brokers(url), "partitions": 2, "replication": 1}
        self._settings = {**over, "claim_after": 1.0, **settings}

    def broker(self, **settings: Any) -> KafkaBroker:
        return KafkaBroker(QueueConfig(**{**self._settings, **settings}), self.place)


@contextlib.asynccontextmanager
async def opened(broker: KafkaBroker) -> Any:
    try:
        await broker.open()
        yield broker
    finally:
        await broker.close()


async def publish(broker: KafkaBroker, number: int) -> None:
    assert not await broker.publish([Message(f"{item}", f"{item}".encode()) for item in range(number)])


async def lease_all(broker: KafkaBroker, number: int) -> list[bytes]:
    found: list[bytes] = []
    async with asyncio.timeout(30):
        while len(found) < number:
            entries = [*await broker.lease(number, 0.1), *await broker.claim(number)]
            found += [entry.body for entry in entries]
            await broker.settle(entries)
    return found


@pytest.fixture
def parts(kafka: Server) -> Parts:
    return Parts(kafka.url)


async def test_a_topic_with_fewer_partitions_is_given_more_and_loses_nothing(parts: Parts) -> None:
    await look.create_topic(parts.url, parts.topic, 1)
    async with opened(parts.broker(partitions=1)) as broker:
        await publish(broker, 10)
    async with opened(parts.broker(partitions=3)) as broker:
        await publish(broker, 30)
        assert len(await lease_all(broker, 40)) == 40
        assert [state.partition for state in await broker.states()] == [0, 1, 2]
    async with opened(parts.broker(partitions=2)) as broker:  # what is in the third is delivered too
        await publish(broker, 10)
        assert len(await lease_all(broker, 10)) == 10


async def test_a_deleted_topic_is_made_anew(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logweir.delivery.brokers.kafka_publisher.ANSWER", 2.0)
    async with opened(parts.broker(partitions=1)) as broker:
        await publish(broker, 3)
        assert len(await lease_all(broker, 3)) == 3
        await look.delete_topic(parts.url, parts.topic)
        async with asyncio.timeout(60):
            while True:  # the first attempts find that it is gone
                try:
                    if not await broker.publish([Message("a", b"new")]):
                        break
                except SinkUnavailable:
                    continue
    async with opened(parts.broker(partitions=1)) as broker:
        assert await lease_all(broker, 1) == [b"new"]


async def test_a_worker_soon_has_a_topic_that_was_made_anew_and_partitions_that_came_later(
    parts: Parts,
) -> None:
    async with opened(parts.broker(partitions=1)) as worker:
        await publish(worker, 1)
        assert len(await lease_all(worker, 1)) == 1
        await look.delete_topic(parts.url, parts.topic)
        async with asyncio.timeout(60):
            while worker._group.parts:
                with contextlib.suppress(SinkUnavailable):
                    await worker.lease(1, 0.1)
        assert not await worker.lease(1, 2.0)  # it has joined its group again, for nothing
        await look.create_topic(parts.url, parts.topic, 1)
        await look.send(parts.url, parts.topic, b"anew")
        assert await lease_all(worker, 1) == [b"anew"]
        await look.create_partitions(parts.url, parts.topic, 2)
        await look.send(parts.url, parts.topic, b"later", partition=1)
        assert await lease_all(worker, 1) == [b"later"]


async def test_kafka_is_not_asked_without_a_pause_where_a_topic_is(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    update = AIOKafkaClient._metadata_update

    async def counted(client: AIOKafkaClient, *args: Any) -> Any:
        asked.append(time.monotonic())
        return await update(client, *args)

    monkeypatch.setattr(AIOKafkaClient, "_metadata_update", counted)
    monkeypatch.setattr("logweir.delivery.brokers.kafka_publisher.ANSWER", 3.0)
    async with opened(parts.broker(partitions=1)) as broker:
        await publish(broker, 1)
        await look.delete_topic(parts.url, parts.topic)
        begun = time.monotonic()
        with pytest.raises(SinkUnavailable):
            await publish(broker, 1)
        ended = time.monotonic()
    number = sum(begun <= moment <= ended for moment in asked)
    assert number < 30 * (ended - begun)  # the producer and the consumer, ten times a second each


async def test_what_was_removed_before_it_was_delivered_is_counted_and_the_rest_goes_on(
    parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(parts.broker(partitions=1)) as broker:
        await publish(broker, 40)
        await broker.settle(await broker.lease(10, 5.0))
    await look.delete_records(parts.url, parts.topic, {0: 28})
    with caplog.at_level(logging.WARNING, "logweir"):
        async with opened(parts.broker(partitions=1)) as broker:
            assert len(await lease_all(broker, 12)) == 12
            assert [(state.lag, state.pending, state.missing) for state in await broker.states()] == [
                (0, 0, 18)
            ]
    assert "18 unsettled events were removed from Kafka" in caplog.text


async def test_what_is_settled_is_deleted_where_the_topic_keeps_everything(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logweir.delivery.brokers.kafka._DELETING", 0.0)
    async with opened(parts.broker(partitions=1)) as broker:
        await publish(broker, 20)
        entries = await broker.lease(20, 5.0)
        await broker.settle([*entries[:10], *entries[15:]])
        await broker.hold(entries)
        left = await look.records(parts.url, parts.topic)
        assert [record.value for record in left] == [f"{number}".encode() for number in range(10, 20)]
        assert [state.missing for state in await broker.states()] == [0]


async def test_fragments_that_do_not_fit_beside_the_offset_come_again_and_nothing_is_lost(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logweir.delivery.brokers.kafka_progress._LONGEST", 60)
    async with opened(parts.broker(partitions=1)) as broker:
        await publish(broker, 100)
        entries = await broker.lease(100, 5.0)
        await broker.settle(entries[::2])
    async with opened(parts.broker(partitions=1)) as broker:
        expected, found = {entry.body for entry in entries[1::2]}, set[bytes]()
        async with asyncio.timeout(30):
            while not expected <= found:
                entries = [*await broker.lease(100, 0.1), *await broker.claim(100)]
                found |= {entry.body for entry in entries}
                await broker.settle(entries)
    assert len(found) > len(expected), "it did fit"


async def test_logins_and_encryption_and_a_password_is_in_no_message(
    own_server: OwnServers, tmp_path: Path
) -> None:
    certificate, key = make_certificate(tmp_path)
    plain = machine.free_port()
    with tls_relay("127.0.0.1", plain, certificate, key) as port:
        server = await asyncio.to_thread(own_server, "kafka", auth=True, args=[f"via={plain}:{port}"])
        encrypted = f"kafka://127.0.0.1:{port}"
        async with opened(Parts(encrypted, tls={"ca": certificate}).broker()) as broker:
            await publish(broker, 3)
            assert len(await lease_all(broker, 3)) == 3
        with pytest.raises(SinkRejected, match="certificate verify failed"):
            await Parts(encrypted, tls={}).broker().open()
    with tls_relay("127.0.0.1", plain, certificate, key, clients=certificate, listen=port):
        ours = {"ca": certificate, "certificate": certificate, "key": key}
        async with opened(Parts(encrypted, tls=ours).broker()) as broker:
            await publish(broker, 3)
            assert len(await lease_all(broker, 3)) == 3
        with pytest.raises(SinkUnavailable, match="no broker can be reached"):  # it hangs up without a word
            await Parts(encrypted, tls={"ca": certificate}).broker().open()
    for mechanism in ("plain", "scram-sha-256"):
        sasl = {"mechanism": mechanism, "username": "u", "password": "p"}
        right = Parts(server.url, sasl=sasl)
        async with opened(right.broker()) as broker:
            await publish(broker, 3)
            assert len(await lease_all(broker, 3)) == 3
            health = await broker.health()
            assert health.status == "degraded"
            assert any("sasl is plain without tls" in text for text in health.warnings) == (
                mechanism == "plain"
            )
        wrong = Parts(server.url, sasl={**sasl, "password": "hush-hush-hush"})
        with pytest.raises(SinkRejected) as refusal:
            await wrong.broker().open()
        assert "hush" not in str(refusal.value)
        health = await wrong.broker().health()
        assert health.status == "down"
        assert "hush" not in health.detail
        assert "hush" not in repr(wrong.broker()._config)
