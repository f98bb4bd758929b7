"""A sink whose events go over a real Redis Cluster of three nodes."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from redis import Redis
from redis.cluster import RedisCluster
from typer.testing import CliRunner

import logweir
from logweir.cli.app import app
from logweir.delivery.brokers.contract import Message, Place
from logweir.delivery.brokers.redis import RedisBroker
from logweir.errors import SinkRejected, SinkUnavailable
from logweir.settings.delivery import QueueConfig
from servers import Server
from support.elsewhere import said, start_worker, terminate
from support.redis_cluster import move, node_of, replica, stream_names
from support.waiting import eventually, whole_lines

OwnServers = Callable[..., Any]


def routing(folder: Path, url: str, **queue: Any) -> dict[str, Any]:
    """A routing.yaml whose one sink is a file behind a cluster; written to disk too."""
    store = {
        "type": "file",
        "path": str(folder / "store.jsonl"),
        "queue": {"type": "redis", "url": url, "cluster": True, "claim_after": 1.0, **queue},
        "retry": {"initial": "20ms", "max": "200ms", "timeout": "3s"},
        "batch": {"linger": 0},
    }
    config = {
        "service": folder.name,
        "data_dir": str(folder / "data"),
        "sinks": {"store": store},
        "routes": [{"name": "all", "to": ["store"]}],
    }
    (folder / "routing.yaml").write_text(json.dumps(config))
    return config


def stored(folder: Path) -> list[int]:
    path = folder / "store.jsonl"
    lines = whole_lines(path)
    return sorted(json.loads(line)["fields"]["number"] for line in lines)


def log(numbers: range) -> None:
    for number in numbers:
        logweir.get_logger().info("fund.transfer", number=number, kind="audit")


def test_a_worker_delivers_what_goes_over_a_cluster_while_slots_move(
    tmp_path: Path, redis_cluster: Server
) -> None:
    config = routing(tmp_path, redis_cluster.url)
    with RedisCluster.from_url(redis_cluster.url) as cluster, logweir.running(config):
        logweir.configure_structlog()
        log(range(200))
        assert logweir.flush(30)
        streams = stream_names(cluster, tmp_path.name)
        assert len({node_of(cluster, name).name for name in streams}) > 1
        for name in streams[:2]:  # with what is in them, and with what comes
            move(redis_cluster.url, name)
        log(range(200, 400))
        assert logweir.flush(30)
        worker = start_worker(tmp_path)
        eventually(lambda: len(stored(tmp_path)) >= 400, 60, found=lambda: said(tmp_path))
        for name in streams[:2]:
            move(redis_cluster.url, name)
        log(range(400, 600))
        assert logweir.flush(30)
        eventually(lambda: stored(tmp_path) == list(range(600)), 60, found=lambda: said(tmp_path))
        eventually(lambda: sum(cluster.xlen(name) for name in streams) == 0)
    assert terminate(worker) == 0


def test_a_cluster_whose_nodes_die_and_come_back_loses_nothing(
    tmp_path: Path, own_server: OwnServers
) -> None:
    server = own_server("redis_cluster")
    config = routing(tmp_path, server.url)
    worker = start_worker(tmp_path)
    with logweir.running(config):
        logweir.configure_structlog()
        log(range(300))
        eventually(lambda: len(stored(tmp_path)) > 100, 60, found=lambda: said(tmp_path))
        server.kill()
        log(range(300, 600))
        server.start()
        log(range(600, 700))
        eventually(lambda: stored(tmp_path) == list(range(700)), 60, found=lambda: said(tmp_path))
    assert terminate(worker) == 0


@pytest.mark.busy
def test_a_replica_takes_the_place_of_a_node_that_died_and_what_went_to_it_is_delivered(
    tmp_path: Path, own_server: OwnServers
) -> None:
    server = own_server("redis_cluster")
    config = routing(tmp_path, server.url)
    with replica(server.url, tmp_path) as follower:
        with logweir.running(config):
            logweir.configure_structlog()
            log(range(300))
            assert logweir.flush(30)
            worker = start_worker(tmp_path)
            eventually(lambda: len(stored(tmp_path)) > 100, 60, found=lambda: said(tmp_path))
            with Redis.from_url(server.url) as node:
                node.wait(
                    1, 10_000
                )  # a failover may lose what the replica does not have yet, as the page says
            os.kill(server.pids[0], signal.SIGKILL)  # the node of the url: what the others know must do
            log(range(300, 600))
            eventually(lambda: stored(tmp_path) == list(range(600)), 60, found=lambda: said(tmp_path))
        assert follower.info("replication")["role"] == "master"
    assert terminate(worker) == 0


async def test_a_node_that_dies_is_reported_while_the_others_deliver(
    own_server: OwnServers, caplog: pytest.LogCaptureFixture
) -> None:
    server = own_server("redis_cluster")
    queue = QueueConfig(type="redis", url=server.url, cluster=True, partitions=8)
    broker = RedisBroker(queue, Place("a", owner="test", consumer="a"))
    await broker.open()
    assert not await broker.publish([Message(f"{item}", b"x") for item in range(80)])
    os.kill(server.pids[1], signal.SIGKILL)
    found = 0
    with caplog.at_level(logging.WARNING, "logweir"):
        async with asyncio.timeout(60):
            while "partitions do not answer" not in caplog.text:
                with contextlib.suppress(SinkUnavailable):
                    found += len(await broker.lease(1, 0.1))
                    assert not await broker.publish([Message("again", b"x")])
    assert found > 0
    await broker.close()


# -- what a cluster is not ------------------------------------------------------------------------------


def end_of_a_worker(folder: Path, config: dict[str, Any]) -> tuple[int, str]:
    path = folder / "routing.yaml"
    path.write_text(json.dumps(config))
    words = [sys.executable, "-m", "logweir", "worker", "-c", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("queue", "message"),
    [
        ({"wait_replicas": 1}, "wait_replicas is not possible with cluster: true"),
        ({"url": "redis://127.0.0.1:9/2"}, "a cluster has the database 0 alone"),
        ({"url": "unix:///redis.sock"}, "cluster: true needs a host and a port"),
        ({"url": "rediss://127.0.0.1:9/0?ssl_password=hush-hush"}, "ssl_password is no option"),
    ],
)
def test_keys_that_a_cluster_cannot_keep_are_refused(queue: dict[str, Any], message: str) -> None:
    keys = {"type": "redis", "url": "redis://127.0.0.1:9", "cluster": True, **queue}
    with pytest.raises(ValidationError, match=message) as refusal:
        QueueConfig(**keys)
    assert "hush" not in str(refusal.value.errors(include_input=False))


@pytest.mark.parametrize("command", ["check", "worker"])
def test_wait_replicas_over_a_cluster_ends_with_exit_code_2(command: str, tmp_path: Path) -> None:
    routing(tmp_path, "redis://127.0.0.1:9", wait_replicas=1)
    done = CliRunner().invoke(app, [command, "-c", str(tmp_path / "routing.yaml")])
    assert done.exit_code == 2
    assert "set min-replicas-to-write on the nodes" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_node_of_a_cluster_without_the_key_ends_a_worker_with_exit_code_2(
    tmp_path: Path, redis_cluster: Server
) -> None:
    config = routing(tmp_path, redis_cluster.url, cluster=False)
    code, said_there = end_of_a_worker(tmp_path, config)
    assert code == 2
    assert "sinks.store.queue: Redis: this is a node of a cluster; say cluster: true beside" in said_there
    assert len(said_there.splitlines()) == 1


def test_a_single_redis_with_the_key_ends_a_worker_with_exit_code_2(tmp_path: Path, redis: Server) -> None:
    config = routing(tmp_path, redis.url)
    code, said_there = end_of_a_worker(tmp_path, config)
    assert code == 2
    assert "sinks.store.queue: Redis: this is no cluster; leave cluster: true out" in said_there


async def test_check_asks_every_node_and_the_weakest_counts(redis_cluster: Server) -> None:
    def broker(**keys: Any) -> RedisBroker:
        queue = QueueConfig(type="redis", url=redis_cluster.url, **keys)
        return RedisBroker(queue, Place("health", owner="test"))

    health = await broker(cluster=True).health()
    assert health.durability == "a confirmed event is on Redis's disk."
    assert health.server.endswith("(cluster, 3 nodes)")
    assert len(health.warnings) == 3  # of each: maxmemory is not set
    assert "say cluster: true" in (await broker().health()).detail


PAGE = (Path(__file__).parents[2] / "docs/explanation/brokers.md").read_text()


async def test_the_rights_that_the_page_names_are_enough_for_a_cluster(own_server: OwnServers) -> None:
    server = own_server("redis_cluster")
    rights = PAGE.split("An ACL needs `")[1].split("`")[0].split()
    more = PAGE.split("of a cluster also `")[1].split("`")[0].split()
    named = [right.replace("NAME", "logs") for right in [*rights, *more]]
    with RedisCluster.from_url(server.url) as admin:
        for node in admin.get_primaries():
            admin.execute_command("ACL SETUSER", "user", "reset", "on", ">secret", *named, target_nodes=node)
    url = server.url.replace("redis://", "redis://user:secret@")
    queue = QueueConfig(type="redis", url=url, cluster=True, partitions=4, stream="logs")
    broker = RedisBroker(queue, Place("a", owner="test", consumer="a"))
    await broker.open()
    assert not await broker.publish([Message(f"{item}", b"x") for item in range(20)])
    entries = await broker.lease(20, 1.0)
    await broker.hold(entries)
    await broker.settle(entries)
    assert entries
    assert (await broker.health()).durability == "a confirmed event is on Redis's disk."
    await broker.close()


async def test_a_wrong_password_of_a_cluster_is_refused_and_in_no_message(own_server: OwnServers) -> None:
    server = own_server("redis_cluster", auth=True)
    keys = {"type": "redis", "cluster": True, "partitions": 4}
    right = RedisBroker(QueueConfig(url=server.url, **keys), Place("a", owner="test", consumer="a"))
    await right.open()
    assert not await right.publish([Message(f"{item}", b"x") for item in range(20)])
    await right.close()
    for url in (server.url.replace(":p@", ":hush-hush-hush@"), server.url.replace(":p@", "")):
        wrong = RedisBroker(QueueConfig(url=url, **keys), Place("a", owner="test", consumer="a"))
        with pytest.raises(SinkRejected) as refusal:
            await wrong.open()
        assert "hush" not in str(refusal.value)
        assert (await wrong.health()).status == "down"
        await wrong.close()
    await asyncio.to_thread(server.kill)
    away = RedisBroker(QueueConfig(url=server.url, **keys), Place("a", owner="test", consumer="a"))
    with pytest.raises(SinkUnavailable):
        await away.open()
    await away.close()
