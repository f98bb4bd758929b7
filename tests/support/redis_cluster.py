"""What an operator does to the nodes of a Redis Cluster."""

from typing import Any

from redis import Redis
from redis.cluster import ClusterNode, RedisCluster
from redis.crc import key_slot

__all__ = ["move", "node_of", "stream_names"]


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
