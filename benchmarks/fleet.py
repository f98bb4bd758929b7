"""A fleet in numbers, what it could do on paper, and what came of simulating it."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Fleet", "Outcome"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What is simulated; times in seconds, costs in seconds for each event.

    Attributes:
        hosts: Application processes.
        rate: Events a second, of all hosts together.
        seconds: How long the load goes on.
        batch: The most events in one batch, of forwarders and of workers.
        linger: How long a host waits for a batch to fill.
        forward: A forwarder's processor time.
        nodes: Broker nodes, each of which does one thing at a time.
        publish: A node's time for publishing.
        deliver: A node's time for leasing and settling.
        partitions: Partitions of the sink, spread over the nodes.
        skew: How unequal they are: 0 for equal, 1 for the largest having twice the share of the middle one.
        workers: Worker processes.
        work: A worker's processor time.
        overhead: A worker's processor time for each batch.
        store: How long the store takes for a batch.
        at_once: Batches that a worker writes at the same time (``workers`` of the sink).
        cores: Processors that all processes and broker nodes share; 0 gives each its own.
        size: Bytes of an event in the broker.
        waiting: Events that wait in the broker at the beginning.
        broker_down: From when to when the broker is away, if ever.
        store_down: From when to when the store is away.
        seed: For the partitions of the events.
    """

    hosts: int = 10
    rate: float = 10_000.0
    seconds: float = 60.0
    batch: int = 500
    linger: float = 0.05
    forward: float = 40e-6
    nodes: int = 1
    publish: float = 6e-6
    deliver: float = 9e-6
    partitions: int = 8
    skew: float = 0.0
    workers: int = 2
    work: float = 40e-6
    overhead: float = 0.5e-3
    store: float = 10e-3
    at_once: int = 2
    cores: int = 0
    size: int = 600
    waiting: int = 0
    broker_down: tuple[float, float] = (0.0, 0.0)
    store_down: tuple[float, float] = (0.0, 0.0)
    seed: int = 1

    @property
    def of_workers(self) -> float:
        """Events a second that the workers can deliver, when batches are full."""
        own = self.work + self.overhead / self.batch
        in_turn = (self.batch * (own + self.deliver) + self.store) / (self.batch * self.at_once)
        each = 1.0 / max(own, in_turn)
        return self.workers * each

    @property
    def of_nodes(self) -> float:
        """Events a second that pass the broker, each published, leased and settled."""
        return self.nodes / (self.publish + self.deliver)

    @property
    def of_hosts(self) -> float:
        """Events a second that the forwarders can publish."""
        return self.hosts / self.forward

    @property
    def capacity(self) -> float:
        """The least of them, and of what shared processors can do in all."""
        each = self.forward + self.publish + self.deliver + self.work + self.overhead / self.batch
        shared = self.cores / each if self.cores else float("inf")
        return min(self.of_workers, self.of_nodes, self.of_hosts, shared)

    def catching_up(self, backlog: float) -> float:
        """Seconds until a backlog is gone while events go on arriving, on paper."""
        return backlog / (self.capacity - self.rate) if self.capacity > self.rate else float("inf")


@dataclass(slots=True)
class Outcome:
    """What came of it.

    Attributes:
        delivered: Events that were settled, and
        arrived: those that were logged.
        busy: How much of its time each worker worked.
        node_busy: How much of its time each node worked.
        most_waiting: The most events that waited in the broker, and
        most_spooled: on all hosts, at one look.
        caught_up: When less than a second of arrivals waited for good, on hosts and in the broker; 0 if there
            was never more.
        delays: Seconds from publishing to settling, of batches: the middle one and the 99th of a hundred.
        drained: When the last event was settled.
    """

    arrived: int = 0
    delivered: int = 0
    busy: list[float] = field(default_factory=list)
    node_busy: list[float] = field(default_factory=list)
    most_waiting: int = 0
    most_spooled: int = 0
    caught_up: float = 0.0
    delays: tuple[float, float] = (0.0, 0.0)
    drained: float = 0.0
