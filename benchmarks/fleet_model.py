"""A model of a fleet that you can run: hosts that log, brokers, workers; what waits where, and for how long.

``python -m logweir.benchmarks.fleet_model --hosts 1000 --rate 1000000 --workers 80`` needs no server and no
other machine: it simulates. Its numbers are costs that you measure (``python -m logweir.benchmarks broker``
and ``sinks-cpu``) or take from the page on sizing; what it adds to a division on paper are queues: outages,
the way back from them, batches that are not full, processes that share processors.

A host collects events and sends a batch at a time to its broker node; a node does one thing at a time, as a
Redis does; a worker leases a batch from the fullest partition, works on it with its processor, waits for the
store, and settles. Every cost is a constant: what varies in the model is who has to wait for whom.
"""

from __future__ import annotations

import argparse
import heapq
import random
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from itertools import accumulate, count

__all__ = ["Fleet", "Outcome", "simulate"]

#: Seconds between two looks at all that waits.
_LOOK = 0.1
#: With less than this waiting, in seconds of arrivals, a fleet has caught up.
_CAUGHT_UP = 1.0
#: Into at most so many partitions one batch is put; which ones is by chance.
_PARTS = 8


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
        cores: Processors that all processes share; 0 gives each process its own.
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
        shared = self.cores / own if self.cores else float("inf")
        return min(self.workers * each, shared)

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
        """The least of them."""
        return min(self.of_workers, self.of_nodes, self.of_hosts)

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


class _Clock:
    """Events in the order of their times."""

    def __init__(self) -> None:
        self.now = 0.0
        self._number = count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []

    def at(self, time: float, then: Callable[[], None]) -> None:
        heapq.heappush(self._due, (time, next(self._number), then))

    def run(self) -> None:
        while self._due:
            self.now, _, then = heapq.heappop(self._due)
            then()


class _Server:
    """Does so many things at a time, in the order in which they were asked for."""

    def __init__(self, clock: _Clock, places: int = 1) -> None:
        self._clock = clock
        self._free = [0.0] * places
        self.busy = 0.0

    def do(self, cost: float, then: Callable[[], None], *, not_before: float = 0.0) -> None:
        begin = max(self._clock.now, heapq.heappop(self._free), not_before)
        heapq.heappush(self._free, begin + cost)
        self.busy += cost
        self._clock.at(begin + cost, then)


class _Host:
    """Collects events and forwards them, a batch at a time."""

    def __init__(self, run: _Run, first: float) -> None:
        self._run = run
        self._share = run.fleet.rate / run.fleet.hosts
        self._owed = 0.0
        self._sending = False
        self.spooled = 0
        self._processor = run.processors or _Server(run.clock)
        run.clock.at(first, self._tick)

    def _tick(self) -> None:
        fleet, clock = self._run.fleet, self._run.clock
        self._owed += self._share * fleet.linger
        arrived, self._owed = int(self._owed), self._owed % 1.0
        self.spooled += arrived
        self._run.outcome.arrived += arrived
        self._send()
        if clock.now + fleet.linger < fleet.seconds:
            clock.at(clock.now + fleet.linger, self._tick)

    def _send(self) -> None:
        if self._sending or not self.spooled:
            return
        self._sending = True
        number = min(self.spooled, self._run.fleet.batch)
        self._processor.do(number * self._run.fleet.forward, lambda: self._run.publish(number, self._sent))

    def _sent(self, number: int) -> None:
        self.spooled -= number
        self._sending = False
        self._send()


class _Worker:
    """Leases, works, waits for the store, settles."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._processor = run.processors or _Server(run.clock)
        self._free = run.fleet.at_once
        self.busy = 0.0

    def look(self) -> None:
        """Take what there is, as long as there is a free hand; wait if there is nothing."""
        while self._free:
            leased = self._run.lease()
            if leased is None:
                self._run.idle[self] = None
                return
            self._free -= 1
            self._handle(*leased)

    def _handle(self, node: _Server, number: int, published: list[float]) -> None:
        fleet = self._run.fleet
        cost = number * fleet.work + fleet.overhead

        def worked() -> None:
            self.busy += cost
            begin = _up(fleet.store_down, self._run.clock.now) or self._run.clock.now
            self._run.clock.at(begin + fleet.store, stored)

        def stored() -> None:
            node.do(number * fleet.deliver, settled, not_before=self._run.broker_up)

        def settled() -> None:
            self._free += 1
            self._run.settled(number, published)
            self.look()

        self._processor.do(cost, worked)


class _Run:
    """One simulation."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.outcome, self.clock = fleet, Outcome(), _Clock()
        self.processors = _Server(self.clock, fleet.cores) if fleet.cores else None
        self.idle: dict[_Worker, None] = {}
        self._chance = random.Random(fleet.seed)
        self._bounds = _bounds(fleet)
        self._nodes = [_Server(self.clock) for _ in range(fleet.nodes)]
        #: By partition, parts of batches and when they were published.
        self._partitions: list[deque[tuple[int, float]]] = [deque() for _ in range(fleet.partitions)]
        self._lengths = [0] * fleet.partitions
        self._in_hand = self._published = 0
        self._delays: list[float] = []
        self._workers = [_Worker(self) for _ in range(fleet.workers)]
        self.outcome.arrived = fleet.waiting
        for _ in range(0, fleet.waiting, fleet.batch):
            self._put(fleet.batch)
        for worker in self._workers:
            worker.look()
        self._hosts = [_Host(self, fleet.linger * self._chance.random()) for _ in range(fleet.hosts)]
        self.clock.at(0.0, self._look)

    @property
    def broker_up(self) -> float:
        """When the broker answers what it is asked now; 0 is at once."""
        return _up(self.fleet.broker_down, self.clock.now)

    def publish(self, number: int, then: Callable[[int], None]) -> None:
        """Send a batch to the broker."""

        def published() -> None:
            self._put(number)
            then(number)

        self._published += 1
        node = self._nodes[self._published % self.fleet.nodes]
        node.do(number * self.fleet.publish, published, not_before=self.broker_up)

    def _put(self, number: int) -> None:
        parts = min(_PARTS, self.fleet.partitions, number)
        first = self._chance.random()
        for part in range(parts):
            # Evenly over the shares, from a place by chance: the parts of many batches fill them as they are.
            partition = bisect_left(self._bounds, (first + part) / parts)
            size = number * (part + 1) // parts - number * part // parts
            self._partitions[partition].append((size, self.clock.now))
            self._lengths[partition] += size
        for worker in list(self.idle)[:parts]:
            del self.idle[worker]
            worker.look()

    def lease(self) -> tuple[_Server, int, list[float]] | None:
        """The oldest events of the fullest partition, up to a batch."""
        if self.broker_up:
            return None
        longest = max(self._lengths)
        if not longest:
            return None
        fullest = self._lengths.index(longest)
        waiting, number, times = self._partitions[fullest], 0, []
        while waiting and number < self.fleet.batch:
            size, when = waiting.popleft()
            taken = min(size, self.fleet.batch - number)
            if taken < size:
                waiting.appendleft((size - taken, when))
            number += taken
            times.append(when)
        self._lengths[fullest] -= number
        self._in_hand += number
        return self._nodes[fullest % self.fleet.nodes], number, times

    def settled(self, number: int, published: list[float]) -> None:
        """Note what was delivered."""
        self.outcome.delivered += number
        self._in_hand -= number
        self._delays += [self.clock.now - when for when in published]
        self.outcome.drained = self.clock.now

    def _look(self) -> None:
        outcome, now = self.outcome, self.clock.now
        waiting = sum(self._lengths) + self._in_hand
        spooled = sum(host.spooled for host in self._hosts)
        outcome.most_waiting = max(outcome.most_waiting, waiting)
        outcome.most_spooled = max(outcome.most_spooled, spooled)
        if waiting + spooled >= _CAUGHT_UP * self.fleet.rate:
            outcome.caught_up = now + _LOOK
        idle, self.idle = self.idle, {}  # what a broker that was away has now
        for worker in idle:
            worker.look()
        if now < self.fleet.seconds or waiting + spooled:
            self.clock.at(now + _LOOK, self._look)

    def finish(self) -> Outcome:
        """Run to the end."""
        self.clock.run()
        outcome = self.outcome
        spent = max(outcome.drained, self.fleet.seconds)
        outcome.busy = [worker.busy / spent for worker in self._workers]
        outcome.node_busy = [node.busy / spent for node in self._nodes]
        ordered = sorted(self._delays) or [0.0]
        outcome.delays = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
        return outcome


def _up(down: tuple[float, float], now: float) -> float:
    """When what is away now is back; 0 if it is not away."""
    return down[1] if down[0] <= now < down[1] else 0.0


def _bounds(fleet: Fleet) -> list[float]:
    """Where the shares of the partitions end, as parts of 1."""
    middle = (fleet.partitions - 1) / 2 or 1.0
    weights = [max(0.0, 1 + fleet.skew * (number - middle) / middle) for number in range(fleet.partitions)]
    return [*[upto / sum(weights) for upto in accumulate(weights)][:-1], 1.0]


def simulate(fleet: Fleet) -> Outcome:
    """Run a fleet until all that was logged is delivered.

    Raises:
        ValueError: It could never be: less can be delivered than arrives, or nobody delivers.
    """
    if not fleet.workers or fleet.capacity <= 0:
        raise ValueError("a fleet without workers delivers nothing")
    return _Run(fleet).finish()


def _report(fleet: Fleet, outcome: Outcome) -> str:
    of, busy = fleet.capacity, outcome.busy
    median, late = (1000 * delay for delay in outcome.delays)
    at_most, spooled = outcome.most_waiting, outcome.most_spooled
    least = f"hosts {fleet.of_hosts:,.0f}, broker {fleet.of_nodes:,.0f}, workers {fleet.of_workers:,.0f}"
    lines = [
        ("can deliver", f"{of:,.0f} events/s: {least}"),
        ("logged, delivered", f"{outcome.arrived:,}, {outcome.delivered:,}"),
        ("workers busy", f"{sum(busy) / len(busy):.0%} ({min(busy):.0%} to {max(busy):.0%})"),
        ("broker nodes busy", f"{max(outcome.node_busy):.0%} at most"),
        ("most in the broker", f"{at_most:,} events, {at_most * fleet.size / 2**20:,.0f} MiB"),
        ("most on all hosts", f"{spooled:,} events, {spooled // fleet.hosts:,} on each"),
        ("caught up at", f"{outcome.caught_up:.1f} s" if outcome.caught_up else "never behind by a second"),
        ("published to settled", f"{median:,.0f} ms, 99 of 100 within {late:,.0f} ms"),
    ]
    return "\n".join(f"{name:<22}{value}" for name, value in lines)


def _times(text: str) -> tuple[float, float]:
    begin, _, end = text.partition("-")
    return float(begin), float(end)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the fleet from options, run it and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m logweir.benchmarks.fleet_model", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    meanings = _meanings()
    for each in fields(Fleet):
        kind = _times if isinstance(each.default, tuple) else type(each.default)
        shown = "BEGIN-END" if kind is _times else each.name.upper()
        parser.add_argument(
            f"--{each.name.replace('_', '-')}", type=kind, default=each.default, metavar=shown,
            help=f"{meanings[each.name]} ({each.default})",
        )  # fmt: skip
    fleet = Fleet(**vars(parser.parse_args(arguments)))
    try:
        outcome = simulate(fleet)
    except ValueError as error:
        parser.error(str(error))
    print(_report(fleet, outcome))  # noqa: T201 - the report is the output


def _meanings() -> dict[str, str]:
    """What the docstring says of each number."""
    found, name = {}, ""
    for line in (Fleet.__doc__ or "").partition("Attributes:")[2].splitlines():
        before, colon, after = line.strip().partition(": ")
        if colon and before.isidentifier():
            name, found[before] = before, after
        elif name:
            found[name] += f" {line.strip()}"
    return {key: text.strip() for key, text in found.items()}


if __name__ == "__main__":
    main()
