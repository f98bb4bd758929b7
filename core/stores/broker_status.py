"""How the brokers of a configuration fare: what waits there, who consumes it, what a confirmation is worth.

Asked once, by an operator; a running worker reads the same for its metrics by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from logweir.config.models import RoutingConfig
from logweir.config.sinks import context_of
from logweir.delivery.brokers.contract import (
    Broker,
    BrokerHealth,
    ConsumerState,
    LetterTotals,
    PartitionState,
)
from logweir.delivery.brokers.making import make_broker, place_of
from logweir.encoding.counted import counted
from logweir.errors import SinkError, SinkRejected
from logweir.sinks.results import HealthStatus

__all__ = ["BrokerStatus", "broker_statuses", "sinks_behind_brokers"]


@dataclass(frozen=True, slots=True)
class BrokerStatus:
    """The broker of one sink at one moment.

    Attributes:
        sink: The sink.
        type: The type of its queue.
        health: Whether it serves, and how durable it is.
        claim_after: After so many seconds of silence a consumer counts as dead.
        partitions: What waits.
        consumers: Who the broker knows.
        letters: Dead letters there.
        refused: Why the broker refuses this configuration, which somebody has to change.
    """

    sink: str
    type: str
    health: BrokerHealth
    claim_after: float
    partitions: Sequence[PartitionState] = ()
    consumers: Sequence[ConsumerState] = ()
    letters: LetterTotals = field(default_factory=LetterTotals)
    refused: str = ""

    @property
    def lag(self) -> int:
        """Events that no consumer was given yet."""
        return sum(each.lag for each in self.partitions)

    @property
    def pending(self) -> int:
        """Events in the hands of consumers."""
        return sum(each.pending for each in self.partitions)

    @property
    def oldest(self) -> float:
        """Age in seconds of the oldest event that is not settled, or 0."""
        return max((each.oldest for each in self.partitions), default=0.0)

    @property
    def missing(self) -> int:
        """Events that something else removed."""
        return sum(each.missing for each in self.partitions)

    def is_alive(self, consumer: ConsumerState) -> bool:
        """Whether the broker has heard of a consumer within the claim time."""
        return consumer.idle is None or consumer.idle <= self.claim_after

    def problems(self, max_lag: int | None = None) -> list[str]:
        """What an operator has to see to, one sentence each.

        Args:
            max_lag: The most events that may wait for a consumer.
        """
        if self.refused:
            return [self.refused]
        if self.health.status is HealthStatus.DOWN:
            return [f"the broker does not serve: {self.health.detail}"]
        found = []
        if not any(map(self.is_alive, self.consumers)):
            found.append(f"nobody consumes: start `logweir worker --sink {self.sink}`")
        if max_lag is not None and self.lag > max_lag:
            found.append(f"{counted(self.lag, 'event', 'waits', 'wait')} for a worker, more than {max_lag:,}")
        return found


def sinks_behind_brokers(config: RoutingConfig) -> list[str]:
    """The sinks whose events go over a broker."""
    return [name for name, sink in config.sinks.items() if sink.queue.goes_over_a_broker]


async def broker_statuses(
    config: RoutingConfig, names: Sequence[str], timeout: float | None = None
) -> list[BrokerStatus]:
    """Ask the brokers of these sinks, all at once; what one does not answer is said in its status.

    Args:
        config: The configuration.
        names: The sinks.
        timeout: Seconds for each broker; by default the ``retry.timeout`` of its sink.
    """
    return await asyncio.gather(*(_status(name, config, timeout) for name in names))


async def _status(name: str, config: RoutingConfig, timeout: float | None) -> BrokerStatus:
    sink = config.sinks[name]
    broker = make_broker(sink.queue, place_of(sink.type, context_of(name, config)))
    down = BrokerHealth(HealthStatus.DOWN)
    status = BrokerStatus(name, str(sink.queue.type), down, sink.queue.claim_after)
    seconds = timeout or sink.retry.timeout
    try:
        async with asyncio.timeout(seconds):
            return await _asked(broker, status)
    except TimeoutError:
        return replace(status, health=replace(down, detail=f"no answer within {seconds:g} s"))
    except SinkRejected as error:
        return replace(status, health=replace(down, detail=str(error)), refused=str(error))
    except SinkError as error:
        return replace(status, health=replace(down, detail=str(error)))
    finally:
        await broker.close()


async def _asked(broker: Broker, status: BrokerStatus) -> BrokerStatus:
    await broker.open()
    return replace(
        status,
        health=await broker.health(),
        partitions=tuple(await broker.states()),
        consumers=tuple(await broker.consumers()),
        letters=await broker.letter_totals(),
    )
