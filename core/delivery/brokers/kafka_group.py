"""Consuming from Kafka as a member of a group: leases, claims and commits.

Partitions belong to one member at a time, and Kafka moves them when members come, go, or are silent for the
session timeout (`claim_after`). A message is handed out once by the member that has its partition; a commit
says which are settled, in any order (see :mod:`.kafka_progress`). When Kafka takes partitions away, what is
handed out has a moment to be settled, and what is settled is committed before. A partition that comes back
is read again from the commit, without what is still in hand here.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition, errors

from logweir.delivery.brokers.contract import Entry, Place
from logweir.delivery.brokers.kafka_client import ANSWER, Client
from logweir.delivery.brokers.kafka_progress import Committed, Given, Progress
from logweir.delivery.brokers.kafka_publisher import version_of
from logweir.diagnostics import report
from logweir.encoding.counted import counted
from logweir.errors import SinkError, SinkUnavailable

__all__ = ["Group"]

#: No limit between two polls: the loop that does the work sends the heartbeats too.
_NEVER_MS = 2**31 - 1
#: How long what is in hand may take to be settled when partitions are taken away: this part of the claim
#: time, and so many seconds at most.
_GRACE, _LONGEST_GRACE = 0.25, 3.0
#: With so many messages of the dead waiting to be claimed, no more of them are read.
_MOST_AGAIN = 5000
_HEARTBEAT = 3.0
#: How often one without partitions looks whether it has some, in seconds.
_IDLE = 0.1
#: How long a call waits at least for something: who asks again at once leaves the client no time to fetch.
_LEAST_WAIT = 0.002
#: The length of a commit's text where Kafka refuses longer ones (`offset.metadata.max.bytes`).
_SHORT = 100
_Offsets = dict[int, Given]


class Group(ConsumerRebalanceListener):  # type: ignore[misc]
    """One member.

    Args:
        client: Makes the consumer.
        place: The sink's name, and ours.
        topic: What is consumed.
        name: The group's name.
        claim_after: The session timeout, in seconds.
    """

    def __init__(self, client: Client, place: Place, topic: str, name: str, claim_after: float) -> None:
        self._client = client
        self._member = place.consumer
        self._sink = place.sink
        self._topic = topic
        self._name = name
        self._claim_after = claim_after
        self._consumer: AIOKafkaConsumer | None = None
        self._parts: dict[int, Progress] = {}
        self._noted: dict[int, Committed] = {}
        # Assigned, and not yet compared with what the group has noted.
        self._unread: set[int] = set()
        self._round = 0
        self._assigned = asyncio.Event()
        # What is in hand here of partitions that were taken away, and what of it was settled since.
        self._in_hand: dict[int, _Offsets] = {}
        self._settled_late: dict[int, set[int]] = defaultdict(set)
        self._again: list[Entry] = []
        self._spare: list[Entry] = []
        self._commits = asyncio.Lock()
        self._longest: int | None = None
        self._settled = asyncio.Event()
        self._opening = asyncio.Lock()
        self._reading: asyncio.Future[None] | None = None

    @property
    def parts(self) -> dict[int, Progress]:
        """The partitions that are ours, as far as they are read."""
        return self._parts

    # -- life ---------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Join; returns when there are partitions for us, or none are left."""
        async with self._opening:
            if self._consumer is not None:
                return
            beat = min(_HEARTBEAT, self._claim_after / 4)
            consumer = await self._client.consumer(
                client_id=self._member,
                group_id=self._name,
                session_timeout_ms=int(self._claim_after * 1000),
                rebalance_timeout_ms=int(max(self._claim_after, 2 * _LONGEST_GRACE) * 1000),
                heartbeat_interval_ms=max(1, int(beat * 1000)),
                max_poll_interval_ms=_NEVER_MS,
            )
            consumer.subscribe([self._topic], listener=self)
            self._consumer = consumer
            try:
                await self._client.start(consumer, self._claim_after + 2 * ANSWER)
            except BaseException:
                self._consumer = None
                self._forget()
                raise

    async def stop(self) -> None:
        """Commit what is known and leave."""
        if self._reading is not None:
            await asyncio.wait([self._reading], timeout=ANSWER)
        consumer, self._consumer = self._consumer, None
        if consumer is None:
            return
        try:
            await self._commit(consumer, self._parts)
        except SinkError:
            pass  # what was handed out comes again, and what was settled is absorbed by its id
        finally:
            self._forget()
            await asyncio.shield(asyncio.ensure_future(self._client.close(consumer)))

    def _forget(self) -> None:
        self._round += 1
        for number, part in self._parts.items():
            self._in_hand[number] = {**part.ours, **part.pending}
        self._parts = {}
        self._noted = {}
        self._unread.clear()
        self._again.clear()
        self._spare.clear()
        self._assigned.clear()

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Before partitions move: let what is in hand be settled, and commit."""
        consumer, parts = self._consumer, self._parts
        if consumer is None or not parts:
            self._forget()
            return
        self._assigned.clear()  # nothing more is handed out
        self._give_back_unclaimed()
        grace = min(self._claim_after * _GRACE, _LONGEST_GRACE)
        try:
            async with asyncio.timeout(grace):
                while any(part.pending for part in parts.values()):
                    self._settled.clear()
                    await self._settled.wait()
        except TimeoutError:
            pass
        try:
            async with asyncio.timeout(grace + 1.0):  # the others wait for us, and then do without
                await self._commit(consumer, parts)
        except (SinkError, TimeoutError) as error:
            report(f"{self._sink}.commit", "sink %r: what is settled may come again: %s", self._sink, error)
        finally:
            self._forget()

    def _give_back_unclaimed(self) -> None:
        """What was read and is in nobody's hands is read again by whoever has the partition then."""
        for entry in (*self._again, *self._spare):
            self._parts[entry.partition].unread(int(entry.position))
        self._again.clear()
        self._spare.clear()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Note what is ours now."""
        self._round += 1
        self._parts = {}
        self._unread = {place.partition for place in assigned}
        self._assigned.set()

    async def _ready(self, timeout: float) -> AIOKafkaConsumer | None:
        """The consumer, when what is ours is known; None if that is not so in time."""
        if self._consumer is None:
            await self.start()
        consumer = self._consumer
        if consumer is None:
            raise SinkUnavailable("Kafka: not open")
        if not self._assigned.is_set():
            self.check()
            try:
                async with asyncio.timeout(timeout):
                    await self._assigned.wait()
            except TimeoutError:
                return None
        if self._unread:
            # A connection that is cut short in its making is closed by nobody: a cancelled call leaves it be.
            if self._reading is None or self._reading.done():
                self._reading = asyncio.ensure_future(self._read_commits(consumer))
            await asyncio.shield(self._reading)
        return None if self._unread else consumer

    async def _read_commits(self, consumer: AIOKafkaConsumer) -> None:
        """Begin each new partition where its group stands."""
        unread, now = set(self._unread), self._round
        if not unread:
            return
        places = [TopicPartition(self._topic, number) for number in unread]
        async with self._client.admin() as admin:
            noted = await admin.list_consumer_group_offsets(self._name, partitions=places)
        with self._client.errors():
            starts = await consumer.beginning_offsets(places)
            ends = await consumer.end_offsets(places)
        if now != self._round:  # they moved meanwhile
            return
        for place in places:
            number, start, note = place.partition, starts[place], noted.get(place)
            known = Committed(start, start)
            in_hand, late = self._in_hand.pop(number, {}), self._settled_late.pop(number, ())
            new = note is None or note.offset < 0
            if not new:
                known = Committed.read(note.offset, note.metadata or "")
                new = known.given > ends[place]
            if new:  # perhaps the topic was made anew, and by these numbers there is something else
                in_hand, known = {}, Committed(start, start, (), known.missing)
            found = known.without(start)
            self._report_missing(found.missing - known.missing)
            part = Progress(found, in_hand)
            for offset in late:
                part.settle(offset)
            self._parts[number] = part
            self._noted[number] = known
            with self._client.errors():
                consumer.seek(place, found.offset)
        self._settled_late.clear()
        self._unread -= unread

    def _report_missing(self, number: int) -> None:
        if number > 0:
            report(
                f"{self._sink}.missing",
                "sink %r: %s removed from Kafka; its retention is too short, or something else deletes there",
                self._sink,
                counted(number, "unsettled event", "was", "were"),
            )

    # -- handing out --------------------------------------------------------------------------------

    async def lease(self, limit: int, timeout: float) -> list[Entry]:
        """See :meth:`Broker.lease`."""
        deadline = time.monotonic() + timeout
        entries, self._spare = self._spare[:limit], self._spare[limit:]
        now = self._round
        try:
            while len(entries) < limit:
                left = max(_LEAST_WAIT, deadline - time.monotonic()) if not entries else 0.0
                consumer = await self._ready(left)
                if consumer is None:
                    break
                found, read = await self._poll(consumer, limit - len(entries), left, self._readable())
                entries += found
                if not read and (entries or time.monotonic() >= deadline):
                    break
        except BaseException:
            if now == self._round:  # else they are claimed after the claim time, wherever they are
                self._spare = entries + self._spare
            raise
        return entries

    def _readable(self) -> list[int]:
        """The partitions to read from; where too much of the dead waits already, no more of that."""
        if len(self._again) < _MOST_AGAIN:
            return list(self._parts)
        return [number for number, part in self._parts.items() if not part.catches_up]

    async def _poll(
        self, consumer: AIOKafkaConsumer, limit: int, timeout: float, numbers: Sequence[int]
    ) -> tuple[list[Entry], bool]:
        """Read at most so many: those to hand out, and whether any were read."""
        if not numbers:  # there is nothing for us, or enough of the dead to claim first
            await asyncio.sleep(min(timeout, _IDLE))
            return [], False
        places = [TopicPartition(self._topic, number) for number in numbers]
        with self._client.errors():
            try:
                async with asyncio.timeout(timeout + ANSWER):
                    found = await consumer.getmany(*places, timeout_ms=int(timeout * 1000), max_records=limit)
            except errors.NoOffsetForPartitionError:  # as before we said where to begin
                return [], False
            except errors.OffsetOutOfRangeError:  # somebody deleted what we stood at
                self._begin_anew()
                return [], False
        entries: list[Entry] = []
        for place, records in found.items():
            part = self._parts.get(place.partition)
            if part is not None:
                entries += self._take(place.partition, part, records)
        return entries, bool(found)

    def _begin_anew(self) -> None:
        """Read all that is ours again from the commit."""
        numbers = self._unread | self._parts.keys()
        self._forget()
        self._unread = numbers
        self._assigned.set()

    def _take(self, number: int, part: Progress, records: Sequence[Any]) -> list[Entry]:
        now = time.monotonic()
        fresh: list[Entry] = []
        pending = part.pending
        if part.is_up_to_date:  # as it mostly is: nothing is skipped, and nothing was handed out before
            for record in records:
                offset = record.offset
                entry = Entry(number, str(offset), record.value or b"", version_of(record.headers), 1)
                pending[offset] = Given(entry, now, record.timestamp)
                fresh.append(entry)
            part.position = records[-1].offset + 1
            return fresh
        for record in records:
            offset = record.offset
            again = part.read(offset)
            if again is None:
                continue
            entry = Entry(
                number, str(offset), record.value or b"", version_of(record.headers), 2 if again else 1
            )
            if again:
                self._again.append(entry)
            else:
                fresh.append(entry)
            pending[offset] = Given(entry, _FOREVER if again else now, record.timestamp)
        return fresh

    async def claim(self, limit: int) -> list[Entry]:
        """See :meth:`Broker.claim`."""
        consumer = await self._ready(0.0)
        if consumer is None:
            return []
        behind = [number for number, part in self._parts.items() if part.catches_up]
        if behind and len(self._again) < limit:
            fresh, _ = await self._poll(consumer, limit, min(1.0, self._claim_after / 4), behind)
            self._spare += fresh
        entries, self._again = self._again[:limit], self._again[limit:]
        now = time.monotonic()
        for entry in entries:
            self._parts[entry.partition].pending[int(entry.position)].since = now
        return entries + self._silent(limit - len(entries), now)

    def _silent(self, limit: int, now: float) -> list[Entry]:
        """What was handed out here and nobody held for the claim time."""
        entries: list[Entry] = []
        for part in self._parts.values():
            for given in part.pending.values():
                if len(entries) >= limit:
                    return entries
                if now - given.since >= self._claim_after:
                    given.since = now
                    given.entry = given.entry._replace(deliveries=given.entry.deliveries + 1)
                    entries.append(given.entry)
        return entries

    def show(self, entries: Sequence[Entry], since: float) -> None:
        """Note since when entries are in living hands."""
        for entry in entries:
            part = self._parts.get(entry.partition)
            given = part.pending.get(int(entry.position)) if part else None
            if given is not None and given.since != _FOREVER:
                given.since = since

    def check(self) -> None:
        """Say what went wrong in the background; the client waits until somebody asks.

        Raises:
            SinkUnavailable: It may pass.
            SinkRejected: An operator has to change something.
        """
        coordinator = getattr(
            self._consumer, "_coordinator", None
        )  # getmany() asks it, and is not called here
        if coordinator is not None:
            with self._client.errors():
                coordinator.check_errors()

    # -- settling -----------------------------------------------------------------------------------

    async def settle(self, entries: Sequence[Entry]) -> None:
        """See :meth:`Broker.settle`."""
        taken: list[tuple[int, int, Given]] = []
        for entry in entries:
            number, offset = entry.partition, int(entry.position)
            part = self._parts.get(number)
            if part is not None:
                if given := part.settle(offset):
                    taken.append((number, offset, given))
            elif offset in self._in_hand.get(number, ()):
                self._settled_late[number].add(offset)
        self._settled.set()
        consumer = self._consumer
        if consumer is None:
            return
        numbers = {entry.partition for entry in entries}
        parts = {number: part for number, part in self._parts.items() if number in numbers}
        now = self._round
        if not await self._commit(consumer, parts) and now != self._round:
            for number, offset, given in taken:  # they moved meanwhile, and may come back
                self._in_hand.setdefault(number, {})[offset] = given
                self._settled_late[number].add(offset)

    async def _commit(self, consumer: AIOKafkaConsumer, parts: dict[int, Progress]) -> bool:
        """Commit how far these partitions are; False if they are not ours any more.

        Raises:
            SinkUnavailable: It is not known to be committed.
            SinkRejected: We may not.
        """
        async with self._commits:
            notes = {number: part.now() for number, part in parts.items()}
            notes = {number: note for number, note in notes.items() if note != self._noted.get(number)}
            if not notes:
                return True
            offsets = {
                TopicPartition(self._topic, number): (note.offset, note.text(self._longest))
                for number, note in notes.items()
            }
            with self._client.errors():
                try:
                    async with asyncio.timeout(ANSWER):
                        await consumer.commit(offsets)
                except (errors.CommitFailedError, errors.IllegalStateError):
                    return False
                except (
                    errors.OffsetMetadataTooLargeError
                ):  # this Kafka's bound is lower: the next one is shorter
                    self._longest = _SHORT
                    raise
            for number, note in notes.items():
                if parts.get(number) is self._parts.get(number):
                    self._noted[number] = note
            return True

    async def note(self) -> None:
        """Commit how far messages are handed out, for whoever takes over."""
        if self._consumer is not None:
            await self._commit(self._consumer, dict(self._parts))

    def committed(self) -> dict[int, int]:
        """Before which offsets everything is settled, as it is noted."""
        return {number: note.offset for number, note in self._noted.items()}


_FOREVER = float("inf")
