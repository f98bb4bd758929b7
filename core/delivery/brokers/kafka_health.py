"""What a confirmation of this Kafka means, in plain words: what may be lost, and by which setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from logweir.delivery.brokers.contract import BrokerHealth
from logweir.delivery.brokers.kafka_client import Client
from logweir.delivery.brokers.kafka_topic import Topic
from logweir.errors import SinkError
from logweir.settings.delivery import QueueConfig
from logweir.sinks.results import HealthStatus

__all__ = ["durability_of", "health_of"]

_WEEK_MINUTES = 7 * 24 * 60


async def health_of(client: Client, topic: Topic, config: QueueConfig) -> BrokerHealth:
    """Ask a Kafka what it is and how it keeps what it has confirmed. Never raises what Kafka says."""
    try:
        async with client.admin() as admin:
            cluster = await admin.describe_cluster()
            brokers = len(cluster["brokers"])
            found = await topic.described(admin)
            settings = await _settings(admin, ConfigResourceType.TOPIC, topic.name) if found else {}
            ours = await _settings(admin, ConfigResourceType.BROKER, str(cluster["brokers"][0]["node_id"]))
    except (TimeoutError, SinkError) as error:
        return BrokerHealth(HealthStatus.DOWN, detail=str(error))
    server = f"Kafka, {brokers} broker{'' if brokers == 1 else 's'}"
    if found is None:
        words = (
            f"the topic {topic.name} is not there yet; it is created with replication {config.replication}."
        )
        warnings = _of_the_cluster(brokers, config)
    else:
        replicas = min(len(part["replicas"]) for part in found["partitions"])
        words, warnings = durability_of(replicas, settings)
        there = len(found["partitions"])
        if there < config.partitions:
            warnings.append(
                f"the topic {topic.name} has {there} partitions and partitions is {config.partitions}; they "
                "are added where we may, and otherwise nothing is published"
            )
        behind = sum(len(part["isr"]) < len(part["replicas"]) for part in found["partitions"])
        if behind:
            warnings.append(f"{behind} partitions have replicas that are not in sync; look at the brokers")
    minutes = int(ours.get("offsets.retention.minutes", _WEEK_MINUTES))
    if minutes < _WEEK_MINUTES:
        warnings.append(
            f"offsets.retention.minutes is {minutes}: where no worker runs for so long, Kafka forgets what "
            "was delivered, and all that is there is delivered again"
        )
    if config.sasl is not None and config.sasl.mechanism == "plain" and config.tls is None:
        warnings.append("sasl is plain without tls: the password goes over the network as it is; add tls")
    return BrokerHealth(HealthStatus.DEGRADED if warnings else HealthStatus.OK, server, words, warnings)


def _of_the_cluster(brokers: int, config: QueueConfig) -> list[str]:
    if brokers >= config.replication:
        return []
    warning = (
        f"replication is {config.replication} and there are {brokers} brokers: the topic cannot be created; "
    )
    return [f"{warning}lower replication, or add brokers"]


def durability_of(replicas: int, settings: Mapping[str, str]) -> tuple[str, list[str]]:
    """What a confirmation means, and what is weaker than audit asks for. Pure.

    Args:
        replicas: How many brokers keep each event.
        settings: Those of the topic, with the defaults of the brokers; empty where they may not be asked.
    """
    warnings: list[str] = []
    if not settings:
        words = f"a confirmed event is on those of {replicas} brokers that are in sync"
        return f"{words}.", ["the topic's settings are not known: give this user the right DescribeConfigs"]
    least = int(settings.get("min.insync.replicas", 1))
    if least > 1:
        words = f"a confirmed event is on at least {least} of {replicas} brokers"
    else:
        words = f"a confirmed event is on one broker, and on the others of {replicas} that are in sync"
        if replicas == 1:
            words = "a confirmed event is on one broker alone"
            warnings.append(
                "the topic has one replica: with that broker's disk all is lost that was not delivered; use "
                "replication 3 and min.insync.replicas 2"
            )
        else:
            warnings.append(
                "min.insync.replicas is 1: an event may be confirmed that one broker alone has; set it to 2"
            )
    if least > replicas:
        warnings.append(
            f"min.insync.replicas is {least} and the topic has {replicas} replicas: nothing is ever confirmed"
        )
    if replicas > 1 and settings.get("unclean.leader.election.enable") == "true":
        warnings.append(
            "unclean.leader.election.enable is true: a broker that missed confirmed events may take over, "
            "and they are gone; set it to false"
        )
    return f"{words} (in memory there, and on disk a little later).", [*warnings, *_removal(settings)]


def _removal(settings: Mapping[str, str]) -> list[str]:
    """What may remove events before they are delivered."""
    warnings: list[str] = []
    if "compact" in settings.get("cleanup.policy", "delete"):
        warnings.append(
            "cleanup.policy is compact: of the events of one trace only the last is kept; set it to delete"
        )
    if "delete" in settings.get("cleanup.policy", "delete"):
        milliseconds = int(settings.get("retention.ms", -1))
        if milliseconds >= 0:
            warnings.append(
                f"retention.ms keeps events for {_span(milliseconds / 1000)}: what is not delivered by then "
                "is deleted; set it to -1, and workers delete what is delivered"
            )
        size = int(settings.get("retention.bytes", -1))
        if size >= 0:
            warnings.append(
                f"retention.bytes keeps {size:,} bytes of each partition: what is beyond is deleted, "
                "delivered or not; set it to -1"
            )
    return warnings


def _span(seconds: float) -> str:
    for length, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds / length:g} {name}"
    return f"{seconds:g} seconds"


async def _settings(admin: AIOKafkaAdminClient, kind: Any, name: str) -> dict[str, str]:
    """The settings of a topic or broker; empty where they may not be asked."""
    found: dict[str, str] = {}
    for answer in await admin.describe_configs([ConfigResource(kind, name)]):
        for resource in answer.to_object()["resources"]:
            for entry in resource["config_entries"]:
                found[entry["config_names"]] = entry["config_value"] or ""
    return found
