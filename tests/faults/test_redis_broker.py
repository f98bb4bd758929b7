"""Events that go over Redis, under faults: nothing that was accepted is lost, and nothing is stored twice."""

import asyncio
import logging
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from logweir.delivery.brokers.contract import Message, Place
from logweir.delivery.brokers.redis import RedisBroker
from logweir.errors import SinkRejected, SinkUnavailable
from logweir.settings.delivery import QueueConfig
from logweir.testing.conduct import cancelled_at
from servers import FaultProxy, Server
from support.behind_a_broker import burst, expect_all_once, routing_behind, soon_failing, stands_still, stored
from support.consumers import consumers
from support.waiting import eventually

pytestmark = pytest.mark.busy

LONG = os.environ.get("LOGWEIR_SOAK") == "long"
OwnServers = Callable[..., Any]
Proxies = Callable[[Server], FaultProxy]


def routing(folder: Path, url: str, **queue: Any) -> dict[str, Any]:
    """A routing.yaml whose one sink is SQLite behind Redis."""
    return routing_behind({"type": "redis", "url": url, "partitions": 4, "claim_after": 1.0, **queue}, folder)


# -- processes -----------------------------------------------------------------------------------------


@pytest.mark.soak
def test_workers_that_are_killed_lose_and_repeat_nothing(tmp_path: Path, redis: Server) -> None:
    generator = random.Random(16)
    config = routing(tmp_path, redis.url)
    with consumers(tmp_path, config, 3) as workers:
        workers.wait_until_ready()
        with burst(config) as running:
            for _ in range(50 if LONG else 2):
                running.until_more_is_stored(generator.randrange(100, 800))
                workers.kill(generator.randrange(3))
        expect_all_once(tmp_path, running.sent, workers)
        workers.stop()


def test_a_worker_that_stood_still_for_longer_than_the_claim_time_repeats_nothing(
    tmp_path: Path, redis: Server
) -> None:
    config = routing(tmp_path, redis.url)
    with consumers(tmp_path, config, 2) as workers:
        workers.wait_until_ready()
        with burst(config) as running:
            eventually(lambda: stands_still(workers, 0, tmp_path))
            eventually(lambda: len(stored(tmp_path)) > 300)
            running.until_more_is_stored(2000)  # at a thousand a second: longer than the claim time
            workers.processes[0].send_signal(signal.SIGCONT)
        expect_all_once(tmp_path, running.sent, workers)
        workers.stop()


def test_a_redis_that_is_killed_loses_nothing_of_what_it_confirmed(
    tmp_path: Path, own_server: OwnServers
) -> None:
    server = own_server("redis")
    config = routing(tmp_path, server.url)
    with consumers(tmp_path, config, 2) as workers:
        workers.wait_until_ready()
        with burst(config) as running:
            for _ in range(3 if LONG else 2):
                server.kill()
                running.until_it_fails()
                server.start()
                running.until_more_is_stored(300)
        expect_all_once(tmp_path, running.sent, workers)
        workers.stop()


def test_a_cut_network_on_either_side_loses_and_repeats_nothing(
    tmp_path: Path, redis: Server, proxy: Proxies
) -> None:
    before, behind = proxy(redis), proxy(redis)
    config = soon_failing(routing(tmp_path, before.url))
    other = routing(tmp_path, behind.url) | {"service": config["service"]}
    with consumers(tmp_path, other, 2) as workers:
        workers.wait_until_ready()
        with burst(config) as running:
            for harm in ("reset", "refuse", "hang"):
                getattr(before, harm)()
                running.until_it_fails()
                before.clear()
                running.until_more_is_stored(200)
            for harm in ("reset", "refuse", "hang"):
                getattr(behind, harm)()
                running.until_more_is_stored(500)
                behind.clear()
        expect_all_once(tmp_path, running.sent, workers)
        workers.stop()


def test_a_full_redis_takes_up_again_when_workers_have_made_room(
    tmp_path: Path, own_server: OwnServers
) -> None:
    server = own_server("redis", args=["--maxmemory", "4mb", "--maxmemory-policy", "noeviction"])
    config = routing(tmp_path, server.url)
    with burst(config, rate=3000) as running:
        running.until_it_fails()
        assert "full" in running.metrics.last_error
        with consumers(tmp_path, config, 1) as workers:
            workers.wait_until_ready()
            running.until_more_is_stored(1500)
            running.__exit__()
            expect_all_once(tmp_path, running.sent, workers)
            workers.stop()


# -- what somebody does to the streams -----------------------------------------------------------------


class Streams:
    """A broker, its streams, and a client of Redis's own beside it."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.place = Place(f"sink-{time.time_ns()}", owner="test", consumer="a")
        self._settings = {"type": "redis", "url": url, "partitions": 2, "claim_after": 0.5, **settings}
        self.client = Redis.from_url(self._settings["url"])

    def broker(self, **settings: Any) -> RedisBroker:
        return RedisBroker(QueueConfig(**{**self._settings, **settings}), self.place)

    def names(self) -> list[bytes]:
        return list(self.client.scan_iter(match=f"*{self.place.sink}*", _type="stream"))


async def publish(broker: RedisBroker, number: int) -> None:
    assert not await broker.publish([Message(f"{item}", f"{item}".encode()) for item in range(number)])


async def lease_all(broker: RedisBroker, number: int) -> list[bytes]:
    found: list[bytes] = []
    async with asyncio.timeout(30):
        while len(found) < number:
            entries = [*await broker.lease(number, 0.1), *await broker.claim(number)]
            found += [entry.body for entry in entries]
            await broker.settle(entries)
    return found


@pytest.fixture
def streams(redis: Server) -> Iterator[Streams]:
    made = Streams(redis.url)
    yield made
    made.client.close()


@pytest.mark.parametrize("call", ["lease", "claim"])
async def test_what_a_call_was_handed_as_it_was_cancelled_is_given_back_at_the_close(
    call: str, streams: Streams
) -> None:
    other = RedisBroker(streams.broker(claim_after=60.0)._config, replace(streams.place, consumer="b"))
    await other.open()
    for number in range(1, 40):
        broker = streams.broker(claim_after=60.0)
        await broker.open()
        await publish(other, 5)
        if call == "claim":
            await other.release(await other.lease(5, 1.0))
        whole, _ = await cancelled_at(number, partial(getattr(broker, call), 5, *[0.0] * (call == "lease")))
        await broker.close()
        if whole:  # then the caller has them, and gives them back
            break
        async with asyncio.timeout(30):  # and not after claim_after
            found: set[bytes] = set()
            while len(found) < 5:
                entries = [*await other.lease(5, 0.1), *await other.claim(5)]
                found |= {entry.body for entry in entries}
                await other.settle(entries)
    await other.close()
    assert number > 1


async def test_a_deleted_group_is_made_anew_and_nothing_settled_comes_again(
    streams: Streams, caplog: pytest.LogCaptureFixture
) -> None:
    broker = streams.broker()
    await broker.open()
    await publish(broker, 30)
    entries = [entry for _ in range(3) for entry in await broker.lease(30, 0.1)]
    assert len(entries) == 30
    await broker.settle(entries[:10])
    for name in await asyncio.to_thread(streams.names):
        await asyncio.to_thread(streams.client.xgroup_destroy, name, "logweir")
    await publish(broker, 5)
    with caplog.at_level(logging.WARNING, "logweir"):
        found = await lease_all(broker, 25)
    assert sorted(found) == sorted(
        [entry.body for entry in entries[10:]] + [f"{n}".encode() for n in range(5)]
    )
    assert "consumer group 'logweir' was gone" in caplog.text
    await broker.close()


async def test_what_was_trimmed_is_counted_and_the_rest_goes_on(streams: Streams) -> None:
    broker = streams.broker(partitions=1)
    await broker.open()
    await publish(broker, 40)
    await broker.settle(await broker.lease(10, 1.0))
    [name] = await asyncio.to_thread(streams.names)
    await asyncio.to_thread(lambda: streams.client.xtrim(name, maxlen=12, approximate=False))
    assert [state.missing for state in await broker.states()] == [18]
    assert len(await lease_all(broker, 12)) == 12
    assert [(state.lag, state.pending, state.missing) for state in await broker.states()] == [(0, 0, 18)]
    await broker.close()


async def test_a_deleted_stream_is_made_anew(streams: Streams, caplog: pytest.LogCaptureFixture) -> None:
    broker = streams.broker(partitions=1)
    await broker.open()
    await publish(broker, 3)
    await asyncio.to_thread(lambda: streams.client.delete(*streams.names()))
    with caplog.at_level(logging.WARNING, "logweir"):
        assert await broker.lease(10, 0.1) == []
    await publish(broker, 2)
    assert len(await lease_all(broker, 2)) == 2
    assert "made anew" in caplog.text
    await broker.close()


async def test_a_restarted_redis_is_given_the_scripts_again(streams: Streams) -> None:
    broker = streams.broker()
    await broker.open()
    await asyncio.to_thread(streams.client.script_flush)
    await publish(broker, 4)
    assert len(await lease_all(broker, 4)) == 4
    await broker.close()


async def test_a_partition_at_its_maxlen_takes_nothing_and_loses_nothing(streams: Streams) -> None:
    broker = streams.broker(partitions=1, maxlen=10)
    await broker.open()
    await publish(broker, 10)
    refused = await broker.publish([Message("a", b"beyond")])
    assert refused == {0: "Redis: a partition has 10 events (maxlen)"}
    assert len(await lease_all(broker, 10)) == 10
    await publish(broker, 1)
    await broker.close()


async def test_replicas_that_are_asked_for_and_missing_confirm_nothing(streams: Streams) -> None:
    broker = streams.broker(wait_replicas=1, wait_timeout=0.1)
    await broker.open()
    with pytest.raises(SinkUnavailable, match=r"only 0 of 1 replicas confirmed within 0.1 s"):
        await publish(broker, 1)
    assert any("wait_replicas: 1" in warning for warning in (await broker.health()).warnings)
    await broker.close()


async def test_partitions_are_not_lowered_while_events_wait_in_those_that_fall_out(streams: Streams) -> None:
    broker = streams.broker(partitions=4)
    await broker.open()
    await publish(broker, 40)
    fewer = streams.broker(partitions=2)
    with pytest.raises(SinkRejected, match=r"partitions was 4 and is 2, and \d+ events wait"):
        await fewer.open()
    await lease_all(broker, 40)
    await fewer.open()
    for each in (broker, fewer):
        await each.close()


PAGE = (Path(__file__).parents[2] / "docs/explanation/brokers.md").read_text()


async def test_the_rights_that_the_page_names_are_enough(own_server: OwnServers, redis: Server) -> None:
    rights = PAGE.split("An ACL needs `")[1].split("`")[0].split()
    server = own_server("redis")
    user = Streams(server.url.replace("redis://", "redis://user:secret@"), stream="logs")
    admin = Redis.from_url(server.url)
    named = [right.replace("NAME", "logs") for right in rights]
    await asyncio.to_thread(
        lambda: admin.acl_setuser("user", enabled=True, passwords=["+secret"], keys=[], commands=[])
    )
    await asyncio.to_thread(lambda: admin.execute_command("ACL", "SETUSER", "user", *named))
    broker = user.broker()
    await broker.open()
    await publish(broker, 10)
    entries = await broker.lease(10, 1.0)
    await broker.hold(entries)
    await broker.release(entries[5:])
    await broker.settle(entries[:5])
    assert len(await lease_all(broker, 10 - len(entries[:5]))) == 10 - len(entries[:5])
    assert sum(state.lag + state.pending + state.missing for state in await broker.states()) == 0
    assert (await broker.health()).durability == "a confirmed event is on Redis's disk."
    assert [consumer.name for consumer in await broker.consumers()] == ["a"]
    await broker.keep_letters([b"one", b"two"])
    assert (await broker.letter_totals()).count == 2
    assert await broker.remove_letters([letter.position for letter in await broker.letters()]) == 2
    await broker.close()
    admin.close()
    user.client.close()


async def test_a_password_is_in_no_message(own_server: OwnServers) -> None:
    server = own_server("redis", auth=True)
    right = Streams(server.url)
    broker = right.broker()
    await broker.open()
    await publish(broker, 1)
    assert (await broker.health()).status == "degraded"
    await broker.close()
    right.client.close()
    for url in (server.url.replace(":p@", ":hush-hush-hush@"), server.url.replace(":p@", "")):
        wrong = Streams(url)
        with pytest.raises(SinkRejected) as refusal:
            await wrong.broker().open()
        assert "hush" not in str(refusal.value)
        health = await wrong.broker().health()
        assert health.status == "down"
        assert "hush" not in health.detail
        wrong.client.close()
