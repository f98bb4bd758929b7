"""What an operator does to the nodes of a Redis Cluster."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis
from redis.cluster import ClusterNode, RedisCluster
from redis.crc import key_slot
from redis.exceptions import ConnectionError as RedisConnectionError

from servers import machine
from support.waiting import eventually

__all__ = ["move", "node_of", "replica", "stream_names"]


def node_of(cluster: Any, key: str) -> ClusterNode:
    """The node that has the slot of a key."""
    found: ClusterNode = cluster.get_node_from_key(key)
    return found


def stream_names(cluster: Any, part: str) -> list[str]:
    """The streams whose names have a part, on all nodes."""
    return sorted(name.decode() for name in cluster.scan_iter(match=f"*{part}*", _type="stream"))


def move(url: str, key: str) -> None:
    """Hand the slot of a key, with all that is in it, to another node."""
    with RedisCluster.from_url(url) as cluster:
        slot, source = key_slot(key.encode()), node_of(cluster, key)
        target = next(node for node in cluster.get_primaries() if node.name != source.name)
        of_source, of_target = (Redis(host=node.host, port=node.port) for node in (source, target))
        from_id, to_id = (
            client.execute_command("CLUSTER MYID").decode() for client in (of_source, of_target)
        )
        of_target.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", from_id)
        of_source.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", to_id)
        while keys := of_source.execute_command("CLUSTER GETKEYSINSLOT", slot, 100):
            of_source.execute_command("MIGRATE", target.host, target.port, "", 0, 5000, "KEYS", *keys)
        for client in (of_target, of_source):
            client.execute_command("CLUSTER SETSLOT", slot, "NODE", to_id)
            client.close()


@contextmanager
def replica(url: str, folder: Path) -> Iterator[Redis]:
    """A fourth node that has all that the node of the url has, and takes its place when it dies."""
    port = machine.free_port()
    command = [
        machine.program("redis-server") or "redis-server", "--port", str(port), "--bind", "127.0.0.1",
        "--dir", str(folder), "--cluster-enabled", "yes", "--cluster-port", str(machine.free_port()),
        "--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        with Redis.from_url(url) as primary, Redis(port=port) as node:
            eventually(lambda: _answers(node), 30)
            bus = primary.config_get("cluster-port")["cluster-port"]
            primary.config_set("repl-diskless-sync-delay", 0)  # it would wait for further replicas
            address = primary.connection_pool.connection_kwargs
            node.execute_command("CLUSTER MEET", address["host"], address["port"], bus)
            own = primary.execute_command("CLUSTER MYID").decode()
            eventually(lambda: own in str(node.execute_command("CLUSTER NODES")), 30)
            node.execute_command("CLUSTER REPLICATE", own)
            eventually(lambda: node.info("replication").get("master_link_status") == "up", 30)
            _wait_until_all_know(url, node.execute_command("CLUSTER MYID").decode())
            yield node
    finally:
        process.kill()
        process.wait()


def _wait_until_all_know(url: str, replica_id: str) -> None:
    """Wait for those who must vote for it; a node that dies before they have heard of it takes it along."""
    with RedisCluster.from_url(url) as cluster:
        for each in cluster.get_primaries():
            with Redis(host=each.host, port=each.port) as voter:
                eventually(lambda: _is_replica(voter, replica_id), 30)


def _is_replica(voter: Redis, replica_id: str) -> bool:
    nodes = voter.execute_command("CLUSTER NODES").values()
    return any(each["node_id"] == replica_id and "slave" in each["flags"] for each in nodes)


def _answers(node: Redis) -> bool:
    try:
        return bool(node.ping())
    except RedisConnectionError:
        return False
