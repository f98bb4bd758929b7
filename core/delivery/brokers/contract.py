"""The contract of a broker: it keeps messages until they are settled, and shares them among consumers.

One :class:`Broker` serves one sink. Who publishes and who consumes are different processes; both make a
broker of their own from the same settings. What is promised:

- a message whose publishing was confirmed is handed out until it is settled, at least once, whatever becomes
  of publishers, consumers and connections; nothing but a settlement removes it;
- while its consumer lives (:meth:`Broker.hold`) nobody else is given it; a consumer that died, or is silent
  for longer than the claim time, loses it to whoever claims;
- messages of one key share a partition, and a partition is handed out in the order of its publishing. What
  was handed out and not settled comes again, later: order is not promised through a death;
- beside the messages it keeps letters, each as it is, until somebody removes it: the dead letters of all
  workers, which every host sees.

All methods run on one event loop. They raise :class:`~logweir.errors.SinkUnavailable` for what may pass by
itself and :class:`~logweir.errors.SinkRejected` for what an operator must change, as sinks do, and none hides
secrets of the settings in its messages. ``logweir.testing.BrokerContract`` asks all of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import crc32

from logweir.sinks.results import HealthStatus

__all__ = [
    "FORMAT_VERSION",
    "Broker",
    "BrokerHealth",
    "ConsumerState",
    "Entry",
    "KeptLetter",
    "LetterTotals",
    "Message",
    "PartitionState",
    "Place",
    "partition_of",
]

#: The version of what a message's body is; raised when an older worker could misread it.
FORMAT_VERSION = 1


class Message(NamedTuple):
    """What is published.

    Attributes:
        key: Messages of one key keep their order.
        body: What :func:`~logweir.encoding.events.encode_event` wrote.
        version: How ``body`` is to be read.
    """

    key: str
    body: bytes
    version: int = FORMAT_VERSION


class Entry(NamedTuple):
    """A message that is leased.

    Attributes:
        partition: Where it is.
        position: Its place there, in the broker's own words; with ``partition`` its identity.
        body: What was published.
        version: How ``body`` is to be read.
        deliveries: How often it was handed out, this time included; more than 1 after a consumer's death.
    """

    partition: int
    position: str
    body: bytes
    version: int
    deliveries: int = 1


@dataclass(frozen=True, slots=True)
class PartitionState:
    """One partition at one moment.

    Attributes:
        partition: Its number.
        lag: Messages that no consumer has been given yet.
        pending: Messages that are leased and not settled.
        oldest: Age in seconds of the oldest message that is not settled, or 0.
        consumers: Consumers that are known.
        missing: Messages that somebody else removed before they were settled, as far as the broker can know.
    """

    partition: int
    lag: int
    pending: int
    oldest: float
    consumers: int
    missing: int = 0


@dataclass(frozen=True, slots=True)
class ConsumerState:
    """One consumer at one moment.

    Attributes:
        name: As its :class:`Place` says, or as the broker knows it.
        pending: Messages that it has leased and not settled, in all partitions.
        idle: Seconds since the broker last heard of it; None where the broker does not say.
    """

    name: str
    pending: int
    idle: float | None = None


class KeptLetter(NamedTuple):
    """A dead letter that the broker keeps.

    Attributes:
        position: Its identity, in the broker's own words; never that of another letter, before or after.
        body: What was kept, any bytes.
    """

    position: str
    body: bytes


@dataclass(frozen=True, slots=True)
class LetterTotals:
    """How many letters a broker keeps.

    Attributes:
        count: Letters.
        size: Bytes of their bodies.
        oldest: Age in seconds of the oldest, or 0.
    """

    count: int = 0
    size: int = 0
    oldest: float = 0.0


@dataclass(frozen=True, slots=True)
class BrokerHealth:
    """What :meth:`Broker.health` found.

    Attributes:
        status: ``degraded`` where something weakens what a confirmation means.
        server: Name and version, as the server reports them.
        durability: What a confirmation means there, one sentence for an operator.
        warnings: What is weaker than audit asks for, one sentence each with the setting to change.
        detail: Why it does not serve, if it does not.
    """

    status: HealthStatus
    server: str = ""
    durability: str = ""
    warnings: Sequence[str] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Whose messages a broker carries.

    Attributes:
        sink: The sink's name in routing.yaml.
        service: The configured service, and
        env: the environment: with the sink's name they make the default name of the stream.
        owner: What must be the same in every process that shares a stream; what differs is refused.
        consumer: The name of this consumer; unique among living processes.
    """

    sink: str
    service: str = "app"
    env: str = "dev"
    owner: str = ""
    consumer: str = field(default="")


def partition_of(key: str, partitions: int) -> int:
    """The partition of a key, the same in every process and release."""
    return crc32(key.encode("utf-8", "surrogatepass")) % partitions


class Broker(ABC):
    """The messages of one sink, on one server or cluster."""

    @abstractmethod
    async def open(self) -> None:
        """Connect, and make what is missing there; idempotent.

        Raises:
            SinkUnavailable: It cannot be reached.
            SinkRejected: It refuses us, or holds what belongs to another configuration; the message says
            which.
        """

    @abstractmethod
    async def publish(self, batch: Sequence[Message]) -> Mapping[int, str]:
        """Publish, and return when that is confirmed as durably as the settings ask.

        Returns:
            The indexes that are not there and may be sent again, each with the reason; empty when all are.

        Raises:
            SinkUnavailable: Nothing is confirmed; some may be there, and who sends all again repeats those.
        """

    @abstractmethod
    async def lease(self, limit: int, timeout: float) -> list[Entry]:
        """Hand out at most ``limit`` messages that nobody was given yet; wait ``timeout`` seconds for one.

        A call that is cancelled may have leased some: they come again by :meth:`claim`.
        """

    @abstractmethod
    async def claim(self, limit: int) -> list[Entry]:
        """Take over at most ``limit`` messages of consumers that died, or were silent for the claim time."""

    @abstractmethod
    async def hold(self, entries: Sequence[Entry]) -> None:
        """Keep entries from being claimed by others; to be repeated in a fraction of the claim time."""

    @abstractmethod
    async def settle(self, entries: Sequence[Entry]) -> None:
        """Remove entries for good, in any order; those that are gone already are no error."""

    @abstractmethod
    async def release(self, entries: Sequence[Entry]) -> None:
        """Give entries back: whoever claims next gets them, without waiting for the claim time."""

    @abstractmethod
    async def states(self) -> list[PartitionState]:
        """Every partition as it is now."""

    @abstractmethod
    async def consumers(self) -> list[ConsumerState]:
        """The consumers that are known, by name."""

    @abstractmethod
    async def keep_letters(self, bodies: Sequence[bytes]) -> None:
        """Keep letters, behind those that are there; returns when that is confirmed like a publishing.

        Raises:
            SinkUnavailable: Not all are confirmed; some may be there, and who keeps all again repeats those.
        """

    @abstractmethod
    async def letters(self, after: str = "", limit: int = 1000) -> list[KeptLetter]:
        """At most ``limit`` letters in the order of their keeping, of those behind the position ``after``.

        Fewer than ``limit``, or none, means that there are no more.
        """

    @abstractmethod
    async def remove_letters(self, positions: Sequence[str]) -> int:
        """Remove letters for good; returns how many were there. Those that are gone already are no error."""

    @abstractmethod
    async def letter_totals(self) -> LetterTotals:
        """How many letters there are."""

    @abstractmethod
    async def health(self) -> BrokerHealth:
        """Whether it serves, and what a confirmation means there. Never raises."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of connections; idempotent, never raises. What is leased stays leased."""
