"""The simulation of a fleet: events in the order of their times, and who has to wait for whom."""

from __future__ import annotations

import heapq
import random
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from itertools import accumulate, count

from logweir.benchmarks.fleet import Fleet, Outcome

__all__ = ["simulate"]

#: Seconds between two looks at all that waits.
_LOOK = 0.1
#: With less than this waiting, in seconds of arrivals, a fleet has caught up.
_CAUGHT_UP = 1.0
#: Into at most so many partitions one batch is put; which ones is by chance.
_PARTS = 8


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

    def do(self, cost: float, then: Callable[[], None]) -> None:
        begin = max(self._clock.now, heapq.heappop(self._free))
        heapq.heappush(self._free, begin + cost)
        self._clock.at(begin + cost, then)


class _Node:
    """A broker node: one thing at a time, and nothing while it is away."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._processor = run.processors or _Server(run.clock)
        self._due: deque[tuple[float, Callable[[], None]]] = deque()
        self._working = False
        self.busy = 0.0

    def do(self, cost: float, then: Callable[[], None]) -> None:
        self._due.append((cost, then))
        if not self._working:
            self._next()

    def _next(self) -> None:
        self._working = bool(self._due)
        if not self._working:
            return
        if up := self._run.broker_up:
            self._run.clock.at(up, self._next)
            return
        cost, then = self._due.popleft()
        self.busy += cost

        def done() -> None:
            then()
            self._next()

        self._processor.do(cost, done)


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

    def _handle(self, node: _Node, number: int, published: list[float]) -> None:
        fleet = self._run.fleet
        cost = number * fleet.work + fleet.overhead

        def worked() -> None:
            self.busy += cost
            begin = _up(fleet.store_down, self._run.clock.now) or self._run.clock.now
            self._run.clock.at(begin + fleet.store, stored)

        def stored() -> None:
            node.do(number * fleet.deliver, settled)

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
        self._nodes = [_Node(self) for _ in range(fleet.nodes)]
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
        node.do(number * self.fleet.publish, published)

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

    def lease(self) -> tuple[_Node, int, list[float]] | None:
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
