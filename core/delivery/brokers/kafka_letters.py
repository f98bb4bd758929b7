"""The dead letters of a sink in Kafka: a compacted topic ``TOPIC.dead`` of one partition.

Each letter has a key of its own; removing it is an empty message of that key (a tombstone), and Kafka drops
both some time later. Which letters there are is known from reading the topic once, and then what is new.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, TopicPartition

from logweir.delivery.brokers.contract import KeptLetter, LetterTotals, Message
from logweir.delivery.brokers.kafka_client import ANSWER, Client
from logweir.delivery.brokers.kafka_publisher import Publisher
from logweir.delivery.brokers.kafka_topic import Topic
from logweir.errors import SinkUnavailable

__all__ = ["Letters"]

_READING = 60.0
_PAGE = 500


class _Kept(NamedTuple):
    """A letter that is there: its key, its size, and when it was kept (s)."""

    key: bytes
    size: int
    time: float


class Letters:
    """The letters of one sink.

    Args:
        client: Makes clients.
        topic: The sink's topic, by which theirs is named.
    """

    def __init__(self, client: Client, topic: Topic) -> None:
        self._client = client
        self._topic = topic
        self._place = TopicPartition(f"{topic.name}.dead", 0)
        self._publisher = Publisher(client, self._place.topic, 1)
        self._using = asyncio.Lock()
        self._is_there = False
        self._kept: dict[int, _Kept] = {}
        self._offsets: dict[bytes, int] = {}
        self._read_to = 0

    async def keep(self, bodies: Sequence[bytes]) -> None:
        """See :meth:`Broker.keep_letters`."""
        if not bodies:
            return
        async with self._using:
            if not await self._looked_for():
                await self._topic.make_compacted(self._place.topic)
                self._is_there = True
            await self._send([Message(uuid4().hex, body) for body in bodies])

    async def _send(self, messages: Sequence[Message]) -> None:
        refused = await self._publisher.publish(messages)
        if refused:
            self._is_there = False
            raise SinkUnavailable(next(iter(refused.values())))

    async def page(self, after: str, limit: int) -> list[KeptLetter]:
        """See :meth:`Broker.letters`."""
        async with self._using, self._reader() as reader:
            if reader is None:
                return []
            await self._learn(reader)
            first = int(after) + 1 if after else 0
            wanted = [offset for offset in self._kept if offset >= first][:limit]
            if not wanted:
                return []
            bodies: dict[int, bytes] = {}
            async for record in self._records(reader, wanted[0], wanted[-1] + 1):
                if record.value is not None:
                    bodies[record.offset] = record.value
            for offset in wanted:
                if offset not in bodies:  # it was removed, and dropped with its tombstone before we looked
                    self._drop(self._kept[offset].key)
            return [KeptLetter(str(offset), bodies[offset]) for offset in wanted if offset in bodies]

    async def remove(self, positions: Sequence[str]) -> int:
        """See :meth:`Broker.remove_letters`."""
        async with self._using:
            async with self._reader() as reader:
                if reader is None or not positions:
                    return 0
                await self._learn(reader)
            offsets = dict.fromkeys(int(position) for position in positions)
            keys = [self._kept[offset].key for offset in offsets if offset in self._kept]
            if keys:
                await self._send([Message(key.decode(), None) for key in keys])  # type: ignore[arg-type]
            for key in keys:
                self._drop(key)
            return len(keys)

    async def totals(self) -> LetterTotals:
        """See :meth:`Broker.letter_totals`."""
        async with self._using, self._reader() as reader:
            if reader is None:
                return LetterTotals()
            await self._learn(reader)
        if not self._kept:
            return LetterTotals()
        oldest = max(0.0, time.time() - next(iter(self._kept.values())).time)
        return LetterTotals(len(self._kept), sum(kept.size for kept in self._kept.values()), oldest)

    async def _looked_for(self) -> bool:
        if not self._is_there:
            async with self._client.admin() as admin:
                self._is_there = await self._topic.described(admin, self._place.topic) is not None
        return self._is_there

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[AIOKafkaConsumer | None]:
        """A consumer of the letters; None where there never were any."""
        if not await self._looked_for():
            yield None
            return
        reader = await self._client.consumer()
        reader.assign([self._place])
        try:
            await self._client.start(reader)
            yield reader
        finally:
            await self._client.close(reader)

    async def _learn(self, reader: AIOKafkaConsumer) -> None:
        """Read what is new: letters, and which of them are removed."""
        with self._client.errors():
            async with asyncio.timeout(ANSWER):
                start = (await reader.beginning_offsets([self._place]))[self._place]
                end = (await reader.end_offsets([self._place]))[self._place]
        if end < self._read_to:  # the topic was made anew
            self._kept, self._offsets, self._read_to = {}, {}, 0
        async for record in self._records(reader, max(start, self._read_to), end):
            if record.value is None:
                self._drop(record.key)
            else:
                moment = record.timestamp / 1000
                self._kept[record.offset] = _Kept(record.key, len(record.value), moment)
                self._offsets[record.key] = record.offset
        self._read_to = end

    def _drop(self, key: bytes) -> None:
        self._kept.pop(self._offsets.pop(key, -1), None)

    async def _records(self, reader: AIOKafkaConsumer, start: int, end: int) -> AsyncIterator[Any]:
        """What is between two offsets."""
        deadline = time.monotonic() + _READING
        with self._client.errors():
            reader.seek(self._place, start)
        while start < end:
            if time.monotonic() > deadline:
                raise SinkUnavailable("Kafka: its dead letters are not read in time")
            with self._client.errors():
                found = await reader.getmany(self._place, timeout_ms=500, max_records=_PAGE)
                for record in found.get(self._place, ()):
                    if record.offset < end:
                        yield record
                start = await reader.position(self._place)

    async def close(self) -> None:
        """Let go of connections."""
        await self._publisher.close()
