"""How a topic and its group stand: what waits, what is leased, and for how long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.protocol import ConsumerProtocol

from logweir.delivery.brokers.contract import ConsumerState, PartitionState
from logweir.delivery.brokers.kafka_client import ANSWER, Client
from logweir.delivery.brokers.kafka_group import Group
from logweir.delivery.brokers.kafka_progress import Committed
from logweir.delivery.brokers.kafka_topic import Topic

__all__ = ["States"]

#: How long the first messages may take to be read for their times; what did not come has age 0.
_READING = 2.0


class _Asked(NamedTuple):
    """What Kafka says at one moment, by partition, and which partitions each consumer has."""

    notes: dict[int, Committed]
    starts: dict[int, int]
    ends: dict[int, int]
    members: dict[str, Sequence[int]]


class States:
    """Asks Kafka, and knows what is in the hands of the group's member here.

    Args:
        client: Makes clients.
        topic: Whose state it is.
        group: This process's member of the group, whether it has joined or not.
    """

    def __init__(self, client: Client, topic: Topic, group: Group) -> None:
        self._client = client
        self._topic = topic
        self._group = group
        self._reader: AIOKafkaConsumer | None = None
        self._reading = asyncio.Lock()
        # By partition, the offset of a message and its time.
        self._times: dict[int, tuple[int, float]] = {}

    async def now(self) -> list[PartitionState]:
        """See :meth:`Broker.states`."""
        return (await self._look())[0]

    async def consumers(self) -> list[ConsumerState]:
        """See :meth:`Broker.consumers`."""
        states, members = await self._look()
        pending = {state.partition: state.pending for state in states}
        return [
            ConsumerState(name, sum(pending.get(number, 0) for number in numbers))
            for name, numbers in sorted(members.items())
        ]

    async def _look(self) -> tuple[list[PartitionState], dict[str, Sequence[int]]]:
        async with self._reading:
            asked = await self._ask()
            stands: dict[int, tuple[int, int, int]] = {}
            first: dict[int, int] = {}
            for number, end in asked.ends.items():
                start = asked.starts[number]
                known = asked.notes.get(number, Committed(start, start)).without(start)
                part = self._group.parts.get(number)
                if part is not None:
                    known = part.now().without(start)
                stands[number] = max(0, end - max(known.given, start)), known.pending(), known.missing
                if end > known.offset:
                    first[number] = known.offset
            ages = await self._ages(first)
        states = [
            PartitionState(number, lag, pending, ages.get(number, 0.0), len(asked.members), missing)
            for number, (lag, pending, missing) in sorted(stands.items())
        ]
        return states, asked.members

    async def _ask(self) -> _Asked:
        async with self._client.admin() as admin:
            found = await self._topic.described(admin)
            numbers = [each["partition"] for each in found["partitions"]] if found else []
            places = [TopicPartition(self._topic.name, number) for number in numbers]
            noted = (
                await admin.list_consumer_group_offsets(self._topic.group, partitions=places)
                if places
                else {}
            )
            described = await admin.describe_consumer_groups([self._topic.group])
        reader = await self._started()
        with self._client.errors():
            async with asyncio.timeout(ANSWER):
                starts = await reader.beginning_offsets(places) if places else {}
                ends = await reader.end_offsets(places) if places else {}
        notes = {
            place.partition: Committed.read(note.offset, note.metadata or "")
            for place, note in noted.items()
            if note.offset >= 0
        }
        return _Asked(notes, _by_number(starts), _by_number(ends), _members(described))

    async def _started(self) -> AIOKafkaConsumer:
        if self._reader is None:
            # Of each partition a batch at a time: only the first message of it is looked at.
            reader = await self._client.consumer(max_partition_fetch_bytes=1)
            await self._client.start(reader)
            self._reader = reader
        return self._reader

    async def _ages(self, first: dict[int, int]) -> dict[int, float]:
        """The age of the first message that is not settled, by partition."""
        now = time.time()
        times: dict[int, float] = {}
        unknown: dict[int, int] = {}
        for number, offset in first.items():
            part = self._group.parts.get(number)
            oldest = part.oldest() if part is not None else None
            known = self._times.get(number)
            if oldest is not None:
                times[number] = oldest.time / 1000
            elif known is not None and known[0] == offset:
                times[number] = known[1]
            else:
                unknown[number] = offset
        if unknown:
            found = await self._read(unknown)
            self._times |= {number: (unknown[number], moment) for number, moment in found.items()}
            times |= found
        return {number: max(0.0, now - moment) for number, moment in times.items()}

    async def _read(self, first: dict[int, int]) -> dict[int, float]:
        """The times of messages."""
        reader = await self._started()
        times: dict[int, float] = {}
        deadline = time.monotonic() + _READING
        with self._client.errors():
            reader.assign([TopicPartition(self._topic.name, number) for number in first])
            for number, offset in first.items():
                reader.seek(TopicPartition(self._topic.name, number), offset)
            for number in first:
                left = max(0.0, deadline - time.monotonic())
                place = TopicPartition(self._topic.name, number)
                found = await reader.getmany(place, timeout_ms=int(left * 1000), max_records=1)
                for record in found.get(place, ()):
                    times[number] = record.timestamp / 1000
            reader.unsubscribe()  # nothing is fetched ahead
        return times

    async def close(self) -> None:
        """Let go of the connection."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await self._client.close(reader)


def _by_number(offsets: dict[TopicPartition, int]) -> dict[int, int]:
    return {place.partition: offset for place, offset in offsets.items()}


def _members(described: Any) -> dict[str, Sequence[int]]:
    """The consumers of a group and their partitions, from what Kafka says of it."""
    members: dict[str, Sequence[int]] = {}
    for answer in described:
        for group in answer.to_object()["groups"]:
            for member in group["members"]:
                numbers: list[int] = []
                if member["member_assignment"]:  # empty while partitions move
                    assignment = ConsumerProtocol.ASSIGNMENT.decode(member["member_assignment"])
                    numbers = [place.partition for place in assignment.partitions()]
                members[member["client_id"]] = numbers
    return members
