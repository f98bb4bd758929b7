"""A broker in memory, for the tests of the contract suite itself and of nothing else."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
from logweir.errors import SinkRejected
from logweir.sinks.results import HealthStatus

__all__ = ["BrokerDouble"]


@dataclass
class Held:
    """An entry that somebody has."""

    entry: Entry
    since: float


@dataclass
class Shared:
    """What all brokers of one place share."""

    owner: str
    waiting: list[Entry] = field(default_factory=list)
    held: dict[tuple[int, str], Held] = field(default_factory=dict)
    published: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    letters: dict[str, tuple[float, bytes]] = field(default_factory=dict)
    kept: int = 0


class BrokerDouble(Broker):
    """Keeps the contract, in one process and for as long as it lives."""

    _places: dict[str, Shared] = {}

    def __init__(self, place: Place, *, partitions: int, claim_after: float) -> None:
        self._place = place
        self._partitions = partitions
        self._claim_after = claim_after

    @property
    def _shared(self) -> Shared:
        return self._places.setdefault(self._place.sink, Shared(self._place.owner))

    async def open(self) -> None:
        if self._shared.owner != self._place.owner:
            raise SinkRejected(f"it belongs to {self._shared.owner}, not to {self._place.owner}")

    async def publish(self, batch: Sequence[Message]) -> Mapping[int, str]:
        shared = self._shared
        for key, body, version in batch:
            shared.published += 1
            partition = partition_of(key, self._partitions)
            shared.waiting.append(Entry(partition, f"{shared.published:09}", body, version))
        async with shared.changed:
            shared.changed.notify_all()
        return {}

    async def lease(self, limit: int, timeout: float) -> list[Entry]:
        shared = self._shared
        if not shared.waiting and timeout:
            try:
                async with asyncio.timeout(timeout), shared.changed:
                    await shared.changed.wait_for(lambda: shared.waiting)
            except TimeoutError:
                pass
        entries, shared.waiting = shared.waiting[:limit], shared.waiting[limit:]
        for entry in entries:
            shared.held[entry.partition, entry.position] = Held(entry, time.monotonic())
        return entries

    async def claim(self, limit: int) -> list[Entry]:
        now = time.monotonic()
        due = [held for held in self._shared.held.values() if now - held.since >= self._claim_after][:limit]
        for held in due:
            held.since = now
            held.entry = held.entry._replace(deliveries=held.entry.deliveries + 1)
        return [held.entry for held in due]

    async def hold(self, entries: Sequence[Entry]) -> None:
        self._since(entries, time.monotonic())

    async def release(self, entries: Sequence[Entry]) -> None:
        self._since(entries, float("-inf"))

    def _since(self, entries: Sequence[Entry], since: float) -> None:
        for entry in entries:
            if held := self._shared.held.get((entry.partition, entry.position)):
                held.since = since

    async def settle(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._shared.held.pop((entry.partition, entry.position), None)

    async def states(self) -> list[PartitionState]:
        lag: dict[int, int] = defaultdict(int)
        pending: dict[int, int] = defaultdict(int)
        for entry in self._shared.waiting:
            lag[entry.partition] += 1
        for held in self._shared.held.values():
            pending[held.entry.partition] += 1
        return [PartitionState(n, lag[n], pending[n], 0.0, 1) for n in range(self._partitions)]

    async def consumers(self) -> list[ConsumerState]:
        return [ConsumerState(self._place.consumer, len(self._shared.held), 0.0)]

    async def keep_letters(self, bodies: Sequence[bytes]) -> None:
        for body in bodies:
            self._shared.kept += 1
            self._shared.letters[f"{self._shared.kept:09}"] = (time.monotonic(), body)

    async def letters(self, after: str = "", limit: int = 1000) -> list[KeptLetter]:
        kept = self._shared.letters.items()
        return [KeptLetter(position, body) for position, (_, body) in kept if position > after][:limit]

    async def remove_letters(self, positions: Sequence[str]) -> int:
        return sum(self._shared.letters.pop(position, None) is not None for position in positions)

    async def letter_totals(self) -> LetterTotals:
        kept = self._shared.letters.values()
        oldest = min((since for since, _ in kept), default=None)
        age = 0.0 if oldest is None else time.monotonic() - oldest
        return LetterTotals(len(kept), sum(len(body) for _, body in kept), age)

    async def health(self) -> BrokerHealth:
        return BrokerHealth(HealthStatus.OK, "a double", "a confirmed event is lost with this process.")

    async def close(self) -> None:
        pass
