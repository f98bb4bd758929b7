"""Publishing to Kafka: an idempotent producer that waits for all replicas in sync (`acks=all`).

A producer whose batch failed, or was given up by its caller, is given up itself: it would send that batch
later, beside the one that the caller sends again.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer, errors

from logweir.delivery.brokers.contract import FORMAT_VERSION, Message, partition_of
from logweir.delivery.brokers.kafka_client import ANSWER, Client
from logweir.errors import SinkError, SinkRejected, SinkUnavailable

__all__ = ["VERSION_HEADER", "Publisher", "version_of"]

#: The header of a message that says how its body is to be read.
VERSION_HEADER = "v"
#: The bytes of a batch, which become fewer where the topic's `max.message.bytes` asks for it.
_BATCH, _SMALLEST_BATCH = 512 * 1024, 4096


class Publisher:
    """Sends batches to one topic.

    Args:
        client: Makes the producer.
        topic: Where to.
        partitions: Over how many partitions keys are spread.
    """

    def __init__(self, client: Client, topic: str, partitions: int) -> None:
        self._client = client
        self._topic = topic
        self._partitions = partitions
        self._producer: AIOKafkaProducer | None = None
        self._given_up: asyncio.Future[None] | None = None
        self._batch_size = _BATCH
        self._starting = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    async def publish(self, batch: Sequence[Message]) -> Mapping[int, str]:
        """See :meth:`Broker.publish`."""
        producer, given_up = await self._started()
        try:
            async with asyncio.timeout(ANSWER):
                sent = await self._send(producer, batch)
                answers = asyncio.gather(*(future for future, _ in sent), return_exceptions=True)
                either: list[asyncio.Future[Any]] = [answers, given_up]
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except (errors.KafkaError, TimeoutError, AssertionError) as error:
            self._give_up(producer)
            raise SinkUnavailable(self._client.reason(error)) from None
        except BaseException:
            self._give_up(producer)
            raise
        if not answers.done():
            answers.cancel()
            raise SinkUnavailable("Kafka: the connection was given up while it waited for confirmation")
        return self._refused(producer, [indexes for _, indexes in sent], answers.result())

    async def _started(self) -> tuple[AIOKafkaProducer, asyncio.Future[None]]:
        async with self._starting:
            if self._producer is None or self._given_up is None:
                try:
                    self._producer = await self._client.producer(self._batch_size)
                except SinkRejected as error:  # no event is at fault for that: it is tried again
                    raise SinkUnavailable(str(error)) from None
                self._given_up = asyncio.get_running_loop().create_future()
            return self._producer, self._given_up

    async def _send(
        self, producer: AIOKafkaProducer, batch: Sequence[Message]
    ) -> list[tuple[asyncio.Future[Any], list[int]]]:
        """Hand the messages over, those of a partition together and in order."""
        parts: dict[int, list[int]] = defaultdict(list)
        for index, message in enumerate(batch):
            parts[partition_of(message.key, self._partitions)].append(index)
        sent: list[tuple[asyncio.Future[Any], list[int]]] = []
        now = int(time.time() * 1000)
        headers: dict[int, list[tuple[str, bytes]]] = {}
        for partition, indexes in parts.items():
            left = indexes
            while left:
                builder = producer.create_batch()
                count = 0
                for index in left:
                    key, body, version = batch[index]
                    marks = headers.get(version)
                    if marks is None:
                        marks = headers[version] = [(VERSION_HEADER, str(version).encode())]
                    name = key.encode("utf-8", "surrogatepass")
                    if builder.append(timestamp=now, key=name, value=body, headers=marks) is None:
                        break
                    count += 1
                future = await producer.send_batch(builder, self._topic, partition=partition)
                sent.append((future, left[:count]))
                left = left[count:]
        return sent

    def _refused(
        self, producer: AIOKafkaProducer, parts: Sequence[list[int]], answers: Sequence[Any]
    ) -> dict[int, str]:
        refused: dict[int, str] = {}
        for indexes, answer in zip(parts, answers, strict=True):
            if isinstance(answer, errors.MessageSizeTooLargeError | errors.RecordListTooLargeError):
                self._batch_size = max(_SMALLEST_BATCH, self._batch_size // 2)
            if isinstance(answer, BaseException):
                try:
                    with self._client.errors():
                        raise answer
                except SinkError as error:
                    refused |= dict.fromkeys(indexes, str(error))
        if refused:
            self._give_up(producer)
        return refused

    def _give_up(self, producer: AIOKafkaProducer) -> None:
        if producer is not self._producer or self._given_up is None:
            return
        self._given_up.set_result(None)
        self._producer = self._given_up = None
        task = asyncio.ensure_future(self._client.close(producer))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Let go of the producer."""
        async with self._starting:
            if self._producer is not None:
                self._give_up(self._producer)
        if self._closing:
            await asyncio.wait(list(self._closing))


_THIS_VERSION = VERSION_HEADER, str(FORMAT_VERSION).encode()


def version_of(headers: Sequence[tuple[str, bytes]]) -> int:
    """The version that the headers of a message say; 0 if none."""
    if len(headers) == 1 and headers[0] == _THIS_VERSION:  # as it is written, in place of a search
        return FORMAT_VERSION
    for name, value in headers:
        if name == VERSION_HEADER:
            return int(value) if value.isdigit() else 0
    return 0
