"""Redis Streams as a broker: a stream for each partition, one consumer group, and nothing is trimmed.

A settled entry is acknowledged and deleted in one step, so that a stream holds exactly what is not settled: a
group that was deleted is made anew from the oldest entry, and nothing comes twice that was settled. Entries
of a consumer that is silent are taken over by XAUTOCLAIM; a consumer that lives resets their idle time in
good time. The keys of a partition share the hash tag ``{NAME:NUMBER}``.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from logweir.delivery.brokers import redis_letters
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
    partition_of,
)
from logweir.delivery.brokers.redis_answers import (
    MOST_IDS,
    START,
    by_partition,
    entries_of,
    ids_of,
    state_of,
    without_group,
)
from logweir.delivery.brokers.redis_client import Client, Command
from logweir.delivery.brokers.redis_cluster import ClusterClient
from logweir.delivery.brokers.redis_health import health_of
from logweir.delivery.brokers.redis_scripts import CONSUMERS, GROUP, PUBLISH, SETTLE, STATE, SWEEP
from logweir.diagnostics import report
from logweir.encoding.counted import counted
from logweir.errors import SinkError, SinkRejected, SinkUnavailable
from logweir.settings.delivery import QueueConfig
from logweir.settings.redis_urls import with_tls

__all__ = ["RedisBroker"]

#: A consumer that holds nothing is forgotten after so many claim times of silence.
_FORGOTTEN_AFTER = 10


class RedisBroker(Broker):
    """One sink's messages in Redis.

    Args:
        config: The sink's queue.
        place: Whose messages they are.
    """

    def __init__(self, config: QueueConfig, place: Place) -> None:
        self._config = config
        self._place = place
        self._name = config.stream or f"logweir:{place.service}:{place.env}:{place.sink}".translate(_NO_TAGS)
        self._streams = [f"{{{self._name}:{number}}}" for number in range(config.partitions)]
        self._numbers = {stream.encode(): number for number, stream in enumerate(self._streams)}
        self._claim_after = int(config.claim_after * 1000)
        self._client: Client | None = None
        self._cursors = [START] * config.partitions
        self._claims_next = 0
        # Leased beyond what was asked for, as where there are more partitions than that.
        self._spare: list[Entry] = []
        self._unsure = False
        self._swept = time.monotonic()

    @property
    def streams(self) -> list[str]:
        """The names of the streams, by partition."""
        return list(self._streams)

    @property
    def _redis(self) -> Client:
        if self._client is None:
            raise SinkUnavailable("Redis: not open")
        return self._client

    async def open(self) -> None:
        """See :meth:`Broker.open`."""
        if self._client is None:
            self._client = self._make_client(f"logweir-{self._place.sink}".translate(_NO_SPACES))
        await self._redis.load()
        await self._compare()
        await self._make_groups()

    def _make_client(self, name: str) -> Client:
        url = with_tls(self._config.url or "", self._config.tls)
        return (ClusterClient if self._config.cluster else Client)(url, name)

    async def _compare(self) -> None:
        """Compare what every process must say alike with what is noted there; note it for the others."""
        key = f"{{{self._name}}}:shared"
        declared = self._config.partitions
        ask = ("HMGET", key, "owner", "partitions")
        owned, noted = await self._redis.one(*ask)
        if owned is None:  # in this order: a full Redis lets nobody write, and need not
            await self._redis.one("HSETNX", key, "owner", self._place.owner)
            owned, noted = await self._redis.one(*ask)
        owner, noted = owned.decode(errors="replace"), int(noted or 0)
        if owner != self._place.owner:
            raise SinkRejected(
                f"the stream {self._name!r} belongs to another routing.yaml ({owner}, and here it is "
                f"{self._place.owner}); give this sink's queue another stream"
            )
        if noted > declared:
            outside = [f"{{{self._name}:{number}}}" for number in range(declared, noted)]
            waiting = sum(self._redis.sound(await self._redis.many([("XLEN", name) for name in outside])))
            if waiting:
                remaining = counted(waiting, "event", "waits", "wait")
                raise SinkRejected(
                    f"partitions was {noted} and is {declared}, and {remaining} in those that "
                    f"would fall out; say partitions: {noted} until the workers have delivered them"
                )
        if noted != declared:
            await self._redis.one("HSET", key, "partitions", declared)

    async def _make_groups(self) -> list[int]:
        """Make the groups that are missing; returns the partitions that had none."""
        calls = [(GROUP, self._keys(number), self._config.group) for number in range(len(self._streams))]
        made = self._redis.sound(await self._redis.scripts(calls))
        return [number for number, new in enumerate(made) if new]

    def _keys(self, partition: int) -> tuple[str, str]:
        return self._streams[partition], f"{self._streams[partition]}:settled"

    # -- who publishes ------------------------------------------------------------------------------

    async def publish(self, batch: Sequence[Message]) -> Mapping[int, str]:
        """See :meth:`Broker.publish`."""
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        partitions = len(self._streams)
        for index, (key, _, version) in enumerate(batch):
            groups[partition_of(key, partitions), version].append(index)
        most = self._config.maxlen or 0
        calls: list[Command] = [
            (PUBLISH, (self._streams[partition],), most, version, *[batch[index].body for index in indexes])
            for (partition, version), indexes in groups.items()
        ]
        replicas = self._config.wait_replicas
        then = [("WAIT", replicas, int(self._config.wait_timeout * 1000))] if replicas else []
        try:
            answers = await self._redis.scripts(calls, then)
            if then and self._redis.sound(answers[-1:])[0] < replicas:
                raise SinkUnavailable(
                    f"Redis: only {answers[-1]} of {replicas} replicas confirmed within "
                    f"{self._config.wait_timeout:g} s"
                )
        except SinkRejected as error:  # no event is at fault for that: it is tried again
            raise SinkUnavailable(str(error)) from None
        return self._refused(groups.values(), answers)

    def _refused(self, groups: Iterable[Sequence[int]], answers: Sequence[Any]) -> dict[int, str]:
        refused: dict[int, str] = {}
        for indexes, answer in zip(groups, answers, strict=False):
            if isinstance(answer, Exception):
                refused |= dict.fromkeys(indexes, self._redis.reason(answer))
            elif answer < 0:
                refused |= dict.fromkeys(
                    indexes, f"Redis: a partition has {self._config.maxlen} events (maxlen)"
                )
        return refused

    # -- who consumes -------------------------------------------------------------------------------

    @contextmanager
    def _cut_short(self) -> Iterator[None]:
        """Note that a call which hands out was cancelled: Redis may have given it what nobody here has."""
        try:
            yield
        except asyncio.CancelledError:
            self._unsure = True
            raise

    async def lease(self, limit: int, timeout: float) -> list[Entry]:
        """See :meth:`Broker.lease`."""
        streams = self._streams
        # Once more only where a few streams have nearly all: each question costs a way there and back.
        while streams and len(self._spare) <= limit // 2 and len(self._spare) < limit:
            room = limit - len(self._spare)
            streams = streams[:room] if self._spare else streams
            share = max(1, room // len(streams))
            found = await self._read(streams, share, 0.0 if self._spare else timeout)
            self._spare += [entry for part in found.values() for entry in part]
            # COUNT is that of each stream: what is left to ask for is in those that had as much as that.
            streams = [stream for stream in streams if len(found.get(stream, ())) == share]
        entries, self._spare = self._spare[:limit], self._spare[limit:]
        return entries

    async def _read(self, streams: Sequence[str], share: int, timeout: float) -> dict[str, list[Entry]]:
        group = ("GROUP", self._config.group, self._place.consumer, "COUNT", share)
        with self._cut_short():
            answer, missing = await self._redis.read(group, streams, timeout)
        if missing:
            await self._restore_groups()
        return {name.decode(): entries_of(self._numbers[name], items) for name, items in answer}

    async def _restore_groups(self) -> None:
        made = await self._make_groups()
        self._cursors = [START] * len(self._streams)
        report(
            f"{self._place.sink}.group",
            "sink %r: the consumer group %r was gone in %d of %d streams of Redis; it is made anew, and "
            "what is there comes again",
            self._place.sink,
            self._config.group,
            len(made),
            len(self._streams),
        )

    async def claim(self, limit: int) -> list[Entry]:
        """See :meth:`Broker.claim`."""
        await self._sweep()
        with self._cut_short():
            return await self._counted(await self._claimed(limit))

    async def _claimed(self, limit: int) -> list[Entry]:
        entries: list[Entry] = []
        # From where the last claim ended, and every partition once, however few are wanted.
        unseen = [*range(self._claims_next, len(self._streams)), *range(self._claims_next)]
        while unseen and len(entries) < limit:
            room = limit - len(entries)
            asked, unseen = unseen[:room], unseen[room:]
            share = max(1, room // len(asked))
            answers = self._redis.sound(
                [
                    without_group(each)
                    for each in await self._redis.many([self._autoclaim(n, share) for n in asked])
                ]
            )
            lost = 0
            for number, (cursor, items, *deleted) in zip(asked, answers, strict=True):
                self._cursors[number] = cursor.decode()
                lost += len(deleted[0]) if deleted else 0
                entries += entries_of(number, items, 2)
            self._report_missing(lost)
            unseen += [number for number in asked if self._cursors[number] != START]
        self._claims_next = unseen[0] if unseen else 0
        return entries

    def _autoclaim(self, partition: int, share: int) -> Command:
        return (
            "XAUTOCLAIM",
            self._streams[partition],
            self._config.group,
            self._place.consumer,
            self._claim_after,
            self._cursors[partition],
            "COUNT",
            share,
        )

    def _report_missing(self, number: int) -> None:
        if number:
            report(
                f"{self._place.sink}.missing",
                "sink %r: %s removed from Redis; something else trims or deletes there",
                self._place.sink,
                counted(number, "unsettled event", "was", "were"),
            )

    async def _counted(self, entries: list[Entry]) -> list[Entry]:
        """The entries with the numbers of their deliveries, which XAUTOCLAIM does not say."""
        if not entries:
            return entries
        parts = by_partition(entries)
        answers = await self._redis.many(
            [
                ("XPENDING", self._streams[number], self._config.group, part[0].position, part[-1].position,
                 10 * len(part), self._place.consumer)
                for number, part in parts.items()
            ]
        )  # fmt: skip
        deliveries = {
            (number, position.decode()): count
            for number, answer in zip(parts, answers, strict=True)
            for position, _, _, count in ([] if isinstance(answer, Exception) else answer)
        }
        return [
            entry._replace(deliveries=deliveries.get((entry.partition, entry.position), entry.deliveries))
            for entry in entries
        ]

    async def _sweep(self) -> None:
        """Now and then, forget consumers that are long gone."""
        if time.monotonic() - self._swept > self._config.claim_after:
            self._swept = time.monotonic()
            await self._forget("")

    async def _forget(self, consumer: str) -> None:
        silent = self._claim_after * _FORGOTTEN_AFTER
        await self._redis.scripts(
            [(SWEEP, (stream,), self._config.group, silent, consumer) for stream in self._streams]
        )

    async def hold(self, entries: Sequence[Entry]) -> None:
        """See :meth:`Broker.hold`."""
        await self._set_idle(entries, 0)

    async def release(self, entries: Sequence[Entry]) -> None:
        """See :meth:`Broker.release`."""
        await self._set_idle(entries, self._claim_after)

    async def _set_idle(self, entries: Sequence[Entry], milliseconds: int) -> None:
        commands = [
            ("XCLAIM", self._streams[number], self._config.group, self._place.consumer, 0, *ids,
             "IDLE", milliseconds, "JUSTID")
            for number, ids in ids_of(entries)
        ]  # fmt: skip
        if commands:
            self._redis.sound([without_group(answer) for answer in await self._redis.many(commands)])

    async def settle(self, entries: Sequence[Entry]) -> None:
        """See :meth:`Broker.settle`."""
        group = self._config.group
        calls = [(SETTLE, self._keys(number), group, " ".join(ids)) for number, ids in ids_of(entries)]
        if calls:
            self._redis.sound(await self._redis.scripts(calls))

    # -- who looks on -------------------------------------------------------------------------------

    async def states(self) -> list[PartitionState]:
        """See :meth:`Broker.states`."""
        calls = [(STATE, self._keys(number), self._config.group) for number in range(len(self._streams))]
        (seconds, _), *answers = self._redis.sound(
            [*await self._redis.many([("TIME",)]), *await self._redis.scripts(calls)]
        )
        return [state_of(number, answer, int(seconds)) for number, answer in enumerate(answers)]

    async def consumers(self) -> list[ConsumerState]:
        """See :meth:`Broker.consumers`."""
        calls = [(CONSUMERS, (stream,), self._config.group) for stream in self._streams]
        pending: dict[str, int] = defaultdict(int)
        idle: dict[str, float] = {}
        for flat in self._redis.sound(await self._redis.scripts(calls)):
            for name, held, silent in zip(flat[::3], flat[1::3], flat[2::3], strict=True):
                known = name.decode(errors="replace")
                pending[known] += held
                idle[known] = min(idle.get(known, silent / 1000), silent / 1000)
        return [ConsumerState(name, pending[name], idle[name]) for name in sorted(idle)]

    async def keep_letters(self, bodies: Sequence[bytes]) -> None:
        """See :meth:`Broker.keep_letters`."""
        wait = int(self._config.wait_timeout * 1000)
        await redis_letters.keep(self._redis, self._name, bodies, self._config.wait_replicas, wait)

    async def letters(self, after: str = "", limit: int = 1000) -> list[KeptLetter]:
        """See :meth:`Broker.letters`."""
        return await redis_letters.page(self._redis, self._name, after, limit)

    async def remove_letters(self, positions: Sequence[str]) -> int:
        """See :meth:`Broker.remove_letters`."""
        return await redis_letters.remove(self._redis, self._name, positions)

    async def letter_totals(self) -> LetterTotals:
        """See :meth:`Broker.letter_totals`."""
        return await redis_letters.totals(self._redis, self._name)

    async def health(self) -> BrokerHealth:
        """See :meth:`Broker.health`."""
        client = self._client or self._make_client("logweir-check")
        try:
            return await health_of(client, self._config)
        finally:
            if client is not self._client:
                await client.close()

    async def close(self) -> None:
        """See :meth:`Broker.close`; what a cancelled call was handed is given back."""
        client = self._client
        if client is None:
            return
        try:
            spare, self._spare = self._spare, []
            await self.release(spare)
            if self._unsure:
                await self._release_all()
            if self._place.consumer:
                await self._forget(self._place.consumer)
        except SinkError:
            pass  # another worker forgets it later
        finally:
            self._client = None
            await asyncio.shield(asyncio.ensure_future(client.close()))

    async def _release_all(self) -> None:
        """Give back all that Redis takes this consumer to have."""
        for number, stream in enumerate(self._streams):
            start = "-"
            while start:
                asked = ("XPENDING", stream, self._config.group, start, "+", MOST_IDS, self._place.consumer)
                (rows,) = self._redis.sound(await self._redis.many([asked]))
                await self.release([Entry(number, position.decode(), b"", 0) for position, *_ in rows])
                start = f"({rows[-1][0].decode()}" if rows else ""
        self._unsure = False


_NO_TAGS = str.maketrans("{} ", "___")
_NO_SPACES = str.maketrans(" \n\t", "___")
