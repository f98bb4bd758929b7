"""Apache Kafka as a broker: one topic, one consumer group, and commits that say exactly what is settled.

A message's key is that of the contract, its partition :func:`~.contract.partition_of`, and its header ``v``
the version of its body. Kafka itself decides which worker has which partition; what is settled out of order
is noted beside the committed offset. Where the topic keeps everything for ever (no ``retention``), what is
settled is deleted by the worker that has its partition, so that the topic holds what is not delivered.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from logweir.delivery.brokers.contract import (
    Broker,
    BrokerHealth,
    ConsumerState,
    Entry,
    KeptLetter,
    LetterTotals,
    Message,
    PartitionState,
    Place,
)
from logweir.delivery.brokers.kafka_client import Client
from logweir.delivery.brokers.kafka_group import Group
from logweir.delivery.brokers.kafka_health import health_of
from logweir.delivery.brokers.kafka_letters import Letters
from logweir.delivery.brokers.kafka_publisher import Publisher
from logweir.delivery.brokers.kafka_states import States
from logweir.delivery.brokers.kafka_topic import Topic
from logweir.diagnostics import report
from logweir.errors import SinkRejected, SinkUnavailable
from logweir.settings.delivery import QueueConfig

__all__ = ["KafkaBroker"]

#: What is settled is deleted at most so often, in seconds.
_DELETING = 10.0
_LONG_AGO = float("-inf")
_NO_SPACES = str.maketrans(" \n\t", "___")


class KafkaBroker(Broker):
    """One sink's messages in Kafka.

    Args:
        config: The sink's queue.
        place: Whose messages they are.
    """

    def __init__(self, config: QueueConfig, place: Place) -> None:
        self._config = config
        self._place = place
        self._client = Client(config, f"logweir-{place.sink}".translate(_NO_SPACES))
        self._topic = Topic(config, place, self._client)
        self._publisher = Publisher(self._client, self._topic.name, config.partitions)
        self._group = Group(self._client, place, self._topic.name, self._topic.group, config.claim_after)
        self._letters = Letters(self._client, self._topic)
        self._states = States(self._client, self._topic, self._group)
        self._prepared = False
        self._deleted: dict[int, int] = {}
        self._looked = time.monotonic()
        self._may_delete = config.retention is None

    async def open(self) -> None:
        """See :meth:`Broker.open`."""
        if not self._prepared:
            await self._topic.prepare()
            self._prepared = True
        if self._place.consumer:
            await self._group.start()

    async def publish(self, batch: Sequence[Message]) -> Mapping[int, str]:
        """See :meth:`Broker.publish`."""
        if not batch:
            return {}
        if not self._prepared:  # perhaps the topic was gone at the last attempt
            try:
                await self.open()
            except SinkRejected as error:  # no event is at fault for that: it is tried again
                raise SinkUnavailable(str(error)) from None
        try:
            refused = await self._publisher.publish(batch)
        except SinkUnavailable:
            self._prepared = False
            raise
        if refused:
            self._prepared = False
        return refused

    async def lease(self, limit: int, timeout: float) -> list[Entry]:
        """See :meth:`Broker.lease`."""
        return await self._group.lease(limit, timeout)

    async def claim(self, limit: int) -> list[Entry]:
        """See :meth:`Broker.claim`."""
        return await self._group.claim(limit)

    async def hold(self, entries: Sequence[Entry]) -> None:
        """See :meth:`Broker.hold`; the client sends heartbeats by itself."""
        self._group.check()
        self._group.show(entries, time.monotonic())
        await self._group.note()
        await self._delete_settled()

    async def release(self, entries: Sequence[Entry]) -> None:
        """See :meth:`Broker.release`."""
        self._group.show(entries, _LONG_AGO)

    async def settle(self, entries: Sequence[Entry]) -> None:
        """See :meth:`Broker.settle`."""
        if entries:
            await self._group.settle(entries)

    async def _delete_settled(self) -> None:
        """Now and then, delete what is settled in the partitions that are ours."""
        if not self._may_delete or time.monotonic() - self._looked < _DELETING:
            return
        self._looked = time.monotonic()
        due = {
            TopicPartition(self._topic.name, number): RecordsToDelete(offset)
            for number, offset in self._group.committed().items()
            if offset > self._deleted.get(number, 0)
        }
        if not due:
            return
        try:
            async with self._client.admin() as admin:
                await admin.delete_records(due)
        except SinkUnavailable:
            return  # the next time
        except SinkRejected as error:
            self._may_delete = False
            report(
                f"{self._place.sink}.delete",
                "sink %r: what is delivered cannot be deleted from the topic %r, which grows: %s",
                self._place.sink,
                self._topic.name,
                error,
            )
            return
        self._deleted |= {place.partition: records.before_offset for place, records in due.items()}

    async def states(self) -> list[PartitionState]:
        """See :meth:`Broker.states`."""
        return await self._states.now()

    async def consumers(self) -> list[ConsumerState]:
        """See :meth:`Broker.consumers`; Kafka does not say when it last heard of one."""
        return await self._states.consumers()

    async def keep_letters(self, bodies: Sequence[bytes]) -> None:
        """See :meth:`Broker.keep_letters`."""
        await self._letters.keep(bodies)

    async def letters(self, after: str = "", limit: int = 1000) -> list[KeptLetter]:
        """See :meth:`Broker.letters`."""
        return await self._letters.page(after, limit)

    async def remove_letters(self, positions: Sequence[str]) -> int:
        """See :meth:`Broker.remove_letters`."""
        return await self._letters.remove(positions)

    async def letter_totals(self) -> LetterTotals:
        """See :meth:`Broker.letter_totals`."""
        return await self._letters.totals()

    async def health(self) -> BrokerHealth:
        """See :meth:`Broker.health`."""
        return await health_of(self._client, self._topic, self._config)

    async def close(self) -> None:
        """See :meth:`Broker.close`."""
        self._prepared = False
        await self._publisher.close()
        await self._letters.close()
        await self._group.stop()
        await self._states.close()
