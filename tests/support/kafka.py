"""Apache Kafka as a test looks at it: with its client, beside what is tested."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.errors import NodeNotReadyError

__all__ = [
    "brokers",
    "create_partitions",
    "create_topic",
    "delete_records",
    "delete_topic",
    "end_offsets",
    "records",
    "run",
    "send",
]


def brokers(url: str) -> list[str]:
    """The addresses of a server of the tests."""
    return [urlsplit(url).netloc]


def run(work: Coroutine[Any, Any, Any], timeout: float = 30.0) -> Any:
    """Run something; it may take so many seconds."""

    async def within() -> Any:
        try:
            async with asyncio.timeout(timeout):
                return await work
        except TimeoutError:
            raise TimeoutError(f"timed out after {timeout} s") from None

    return asyncio.run(within())


@asynccontextmanager
async def _admin(url: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=brokers(url))
    try:
        await client.start()
        yield client
    finally:
        await client.close()


async def create_topic(url: str, topic: str, partitions: int = 1, **settings: str) -> None:
    """Create a topic; dots in the names of settings are written ``_``."""
    async with _admin(url) as client:
        configs = {name.replace("_", "."): value for name, value in settings.items()}
        answer = await client.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)])
        assert all(not error[1] for error in answer.topic_errors), answer


async def delete_topic(url: str, topic: str) -> None:
    """Delete a topic with all that is in it; returns when it is gone.

    Kafka answers before that, and confirms for another moment what it is about to delete.
    """
    async with _admin(url) as client:
        await client.delete_topics([topic])
        async with asyncio.timeout(30):
            while topic in await client.list_topics():
                await asyncio.sleep(0.01)


async def delete_records(url: str, topic: str, before: dict[int, int]) -> None:
    """Remove what is before these offsets, as retention does."""
    async with _admin(url) as client:
        due = {TopicPartition(topic, number): RecordsToDelete(offset) for number, offset in before.items()}
        await client.delete_records(due)


async def create_partitions(url: str, topic: str, number: int) -> None:
    """Give a topic more partitions, so that it has so many."""
    async with _admin(url) as client:
        await client.create_partitions({topic: NewPartitions(number)})


async def send(url: str, topic: str, *values: bytes, partition: int | None = None) -> None:
    """Publish values as somebody else would."""
    producer = AIOKafkaProducer(bootstrap_servers=brokers(url), acks="all")
    try:
        await producer.start()
        for value in values:
            await producer.send_and_wait(topic, value, partition=partition)
    finally:
        await producer.stop()


async def records(url: str, topic: str) -> list[Any]:
    """Everything that is in a topic, by partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers(url), auto_offset_reset="earliest")
    try:
        await consumer.start()
        ends = await _ends(url, consumer, topic)
        consumer.assign(list(ends))
        for partition in ends:
            await consumer.seek_to_beginning(partition)
        found: list[Any] = []
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for part in (await consumer.getmany(timeout_ms=500)).values():
                found += part
        return found
    finally:
        await consumer.stop()


async def end_offsets(url: str, topic: str) -> dict[int, int]:
    """How many records each partition ever had."""
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers(url))
    try:
        await consumer.start()
        return {place.partition: end for place, end in (await _ends(url, consumer, topic)).items()}
    finally:
        await consumer.stop()


async def _ends(url: str, consumer: AIOKafkaConsumer, topic: str) -> dict[TopicPartition, int]:
    places = [TopicPartition(topic, number) for number in await _partitions(url, topic)]
    ends: dict[TopicPartition, int] = await consumer.end_offsets(places)
    return ends


async def _partitions(url: str, topic: str) -> list[int]:
    while True:
        client = AIOKafkaAdminClient(bootstrap_servers=brokers(url))
        try:
            await client.start()
            [described] = await client.describe_topics([topic])
            return [each["partition"] for each in described["partitions"]]
        except NodeNotReadyError:  # a broker that was paused needs a moment
            await asyncio.sleep(0.1)
        finally:
            await client.close()
