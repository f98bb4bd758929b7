"""The topic of a sink: made where it is missing, and whose it is.

Whose it is stands beside the offsets of a group of its own, ``GROUP.owner``, which nobody joins.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import TopicPartition, errors
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic

from logweir.delivery.brokers.contract import Place
from logweir.delivery.brokers.kafka_client import ANSWER, Client
from logweir.errors import SinkRejected, SinkUnavailable
from logweir.settings.delivery import QueueConfig

__all__ = ["Topic"]

_NOT_IN_A_TOPIC = "".join(chr(code) for code in range(128) if not (chr(code).isalnum() or chr(code) in "._-"))
_SAFE = str.maketrans(dict.fromkeys(_NOT_IN_A_TOPIC, "_"))
_LONGEST = 200
_LONGEST_NOTE = 2000
#: With so many replicas a confirmed event is on two of them, and one may be away.
_REPLICAS_FOR_TWO = 3


class Topic:
    """The topic of one sink.

    Attributes:
        name: Its name.
        group: The consumer group of its workers.
    """

    def __init__(self, config: QueueConfig, place: Place, client: Client) -> None:
        self._config = config
        self._place = place
        self._client = client
        default = f"logweir.{place.service}.{place.env}.{place.sink}"
        ascii_only = default.encode("ascii", "replace").decode().translate(_SAFE)
        self.name = config.topic or ascii_only[:_LONGEST]
        self.group = config.group if "group" in config.model_fields_set else self.name
        self._owners = f"{self.group}.owner"

    async def prepare(self) -> int:
        """Make what is missing and compare what is there; returns how many partitions there are.

        Raises:
            SinkUnavailable: Kafka cannot be reached.
            SinkRejected: It refuses us, or the topic is another's, or we may not make what is missing.
        """
        async with self._client.admin() as admin:
            partitions = await self._partitions(admin)
            owner = await self._owner(admin)
        if not owner:
            await self._own()
            async with self._client.admin() as admin:
                owner = await self._owner(admin)
        if owner != self._place.owner[:_LONGEST_NOTE]:
            raise SinkRejected(
                f"the topic {self.name!r} and the group {self.group!r} belong to another routing.yaml "
                f"({owner}, and here it is {self._place.owner}); give this sink's queue another topic"
            )
        return partitions

    async def _partitions(self, admin: AIOKafkaAdminClient) -> int:
        declared = self._config.partitions
        found = await self.described(admin)
        if found is None:
            await self._create(admin)
        elif len(found["partitions"]) < declared:
            await self._widen(admin, len(found["partitions"]))
        deadline = asyncio.get_running_loop().time() + ANSWER
        while True:  # every broker learns of it a little later
            found = await self.described(admin)
            if found is not None and len(found["partitions"]) >= declared:
                return len(found["partitions"])
            if asyncio.get_running_loop().time() > deadline:
                raise SinkUnavailable(f"Kafka: the topic {self.name!r} was made and is not seen yet")
            await asyncio.sleep(0.05)

    async def described(self, admin: AIOKafkaAdminClient) -> dict[str, Any] | None:
        """What Kafka says of the topic; None if there is none."""
        [found] = await admin.describe_topics([self.name])
        error = errors.for_code(found["error_code"])
        if error is errors.UnknownTopicOrPartitionError:
            return None
        if error is not errors.NoError and error is not errors.LeaderNotAvailableError:
            raise error(f"the topic {self.name!r}: {error.description}")
        answer: dict[str, Any] = found
        return answer

    async def _create(self, admin: AIOKafkaAdminClient) -> None:
        config = self._config
        settings = {
            "cleanup.policy": "delete",
            "retention.ms": str(int(config.retention * 1000)) if config.retention else "-1",
            "retention.bytes": "-1",
            "min.insync.replicas": "2" if config.replication >= _REPLICAS_FOR_TWO else "1",
            "unclean.leader.election.enable": "false",
        }
        topic = NewTopic(self.name, config.partitions, config.replication, topic_configs=settings)
        answer = await admin.create_topics([topic])
        [(_, code, *words)] = answer.topic_errors
        error = errors.for_code(code)
        if error in (errors.NoError, errors.TopicAlreadyExistsError):
            return
        said = next((word for word in words if word), "") or error.description
        if error is errors.InvalidReplicationFactorError:
            raise SinkRejected(
                f"Kafka cannot create the topic {self.name!r} with replication: {config.replication} "
                f"({said}); lower replication, or add brokers"
            )
        if error in (errors.TopicAuthorizationFailedError, errors.ClusterAuthorizationFailedError):
            raise SinkRejected(
                f"there is no topic {self.name!r} in Kafka, and we may not create it; create it with "
                f"{config.partitions} partitions, or allow it"
            )
        raise error(f"the topic {self.name!r} cannot be created: {said}")

    async def _widen(self, admin: AIOKafkaAdminClient, there: int) -> None:
        declared = self._config.partitions
        try:
            await admin.create_partitions({self.name: NewPartitions(declared)})
        except (errors.TopicAuthorizationFailedError, errors.ClusterAuthorizationFailedError):
            raise SinkRejected(
                f"the topic {self.name!r} has {there} partitions and partitions is {declared}, and we may "
                f"not add any; say partitions: {there}, or let an operator add them"
            ) from None
        except errors.InvalidPartitionsError:
            pass  # another process was first

    async def _owner(self, admin: AIOKafkaAdminClient) -> str:
        while True:
            try:
                noted = await admin.list_consumer_group_offsets(
                    self._owners, partitions=[TopicPartition(self.name, 0)]
                )
            except (errors.GroupCoordinatorNotAvailableError, errors.GroupLoadInProgressError):
                await asyncio.sleep(0.1)  # a Kafka that was just started; the whole is bounded in time
            else:
                return "".join(note.metadata or "" for note in noted.values())

    async def _own(self) -> None:
        """Note whose topic it is."""
        consumer = await self._client.consumer(group_id=self._owners)
        place = TopicPartition(self.name, 0)
        try:
            consumer.assign([place])
            await self._client.start(consumer)
            with self._client.errors():
                async with asyncio.timeout(ANSWER):
                    await consumer.commit({place: (0, self._place.owner[:_LONGEST_NOTE])})
        finally:
            await self._client.close(consumer)
