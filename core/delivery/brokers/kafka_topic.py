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

    async def prepare(self) -> None:
        """Make what is missing and compare what is there.

        Raises:
            SinkUnavailable: Kafka cannot be reached.
            SinkRejected: It refuses us, or the topic is another's, or we may not make what is missing.
        """
        async with self._client.admin() as admin:
            await self._provide_partitions(admin)
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

    async def _provide_partitions(self, admin: AIOKafkaAdminClient) -> None:
        declared = self._config.partitions
        found = await self.described(admin)
        if found is None:
            await self._create(admin, self.name, self._config.partitions, {"cleanup.policy": "delete"})
        elif len(found["partitions"]) < declared:
            await self._widen(admin, len(found["partitions"]))
        deadline = asyncio.get_running_loop().time() + ANSWER
        while True:  # every broker learns of it a little later
            found = await self.described(admin)
            if found is not None and len(found["partitions"]) >= declared:
                return
            if asyncio.get_running_loop().time() > deadline:
                raise SinkUnavailable(f"Kafka: the topic {self.name!r} was made and is not seen yet")
            await asyncio.sleep(0.05)

    async def described(self, admin: AIOKafkaAdminClient, name: str = "") -> dict[str, Any] | None:
        """What Kafka says of the topic, or of another one; None if there is none."""
        [found] = await admin.describe_topics([name or self.name])
        error = errors.for_code(found["error_code"])
        if error is errors.UnknownTopicOrPartitionError:
            return None
        if error is not errors.NoError and error is not errors.LeaderNotAvailableError:
            raise error(f"the topic {name or self.name!r}: {error.description}")
        answer: dict[str, Any] = found
        return answer

    async def make_compacted(self, name: str) -> None:
        """Make a topic of one partition that keeps the last message of each key for ever.

        Raises:
            SinkUnavailable: Kafka cannot be reached, or does not let us; both may pass.
        """
        try:
            async with self._client.admin() as admin:
                await self._create(admin, name, 1, {"cleanup.policy": "compact"})
                async with asyncio.timeout(ANSWER):
                    while await self.described(admin, name) is None:  # noqa: ASYNC110 - Kafka has no event
                        await asyncio.sleep(0.05)
        except SinkRejected as error:
            raise SinkUnavailable(str(error)) from None

    async def _create(
        self, admin: AIOKafkaAdminClient, name: str, partitions: int, more: dict[str, str]
    ) -> None:
        config = self._config
        settings = {
            "retention.ms": str(int(config.retention * 1000)) if config.retention else "-1",
            "retention.bytes": "-1",
            "min.insync.replicas": "2" if config.replication >= _REPLICAS_FOR_TWO else "1",
            "unclean.leader.election.enable": "false",
            **more,
        }
        topic = NewTopic(name, partitions, config.replication, topic_configs=settings)
        answer = await admin.create_topics([topic])
        [(_, code, *words)] = answer.topic_errors
        error = errors.for_code(code)
        if error in (errors.NoError, errors.TopicAlreadyExistsError):
            return
        said = next((word for word in words if word), "") or error.description
        if error is errors.InvalidReplicationFactorError:
            raise SinkRejected(
                f"Kafka cannot create the topic {name!r} with replication: {config.replication} "
                f"({said}); lower replication, or add brokers"
            )
        if error in (errors.TopicAuthorizationFailedError, errors.ClusterAuthorizationFailedError):
            raise SinkRejected(
                f"there is no topic {name!r} in Kafka, and we may not create it; create it with "
                f"{partitions} partitions, or allow it"
            )
        raise error(f"the topic {name!r} cannot be created: {said}")

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
