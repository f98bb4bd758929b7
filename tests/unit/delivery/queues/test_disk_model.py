"""The spool against a simple model, by hypothesis: put, commit, crash, reopen, read, settle, set aside, damage.

What must hold, whatever the order of things: an event whose commit was reported is delivered until it is
settled, over every crash; the order of each sink is the order of the puts, but for what was set aside; what
was settled and committed never comes again. After damage to the file only reopening, and going on, is promised.
"""

import random
import shutil
import tempfile
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from logweir.delivery.queue import Lease
from logweir.delivery.queues.disk import DiskQueue
from logweir.delivery.set_aside import Group, PutOff
from logweir.delivery.spool.spool import Spool
from logweir.delivery.spool.spool_file import SpoolFile
from logweir.testing.contract import make_event
from support.disk import crash, lease, lease_aside, make_queue, make_spool

SINKS = ("a", "b")
DISTANCE = st.integers(min_value=0, max_value=10**9)


@contextmanager
def after_each_write(look: Callable[[], None]) -> Iterator[None]:
    write = SpoolFile.write

    def writing(file: SpoolFile, *arguments: Any) -> None:
        write(file, *arguments)
        look()

    with patch.object(SpoolFile, "write", writing):
        yield


class Expected:
    """What the model knows of one sink."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.durable: set[str] = set()
        self.settled: set[str] = set()
        self.gone: set[str] = set()

    def crashed(self) -> None:
        """What was on its way to the disk is not there; what was not removed there is."""
        self.order = [i for i in self.order if i in self.durable]
        self.settled = set(self.gone)

    def required(self) -> set[str]:
        return self.durable - self.settled


class SpoolMachine(RuleBasedStateMachine):
    """One process after another on the files of the one before."""

    @initialize(window=st.sampled_from([0, 1, 3, 1000]))
    def start(self, window: int) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.lives = 0
        self.window = window
        self.expected = {sink: Expected() for sink in SINKS}
        self.open(self.root / "0")

    def open(self, directory: Path) -> None:
        self.spool: Spool = make_spool(directory, window=self.window)
        self.queues: dict[str, DiskQueue] = {sink: make_queue(self.spool, sink) for sink in SINKS}
        self.leases: list[tuple[str, Lease]] = []
        self.taken: dict[str, list[str]] = {sink: [] for sink in SINKS}
        self.spool.adopt()

    @rule(sinks=st.sets(st.sampled_from(SINKS), min_size=1), count=st.integers(1, 5), waits=st.booleans())
    def put(self, sinks: set[str], count: int, waits: bool) -> None:
        for _ in range(count):
            event = make_event()
            for sink in sorted(sinks):
                expected = self.expected[sink]
                expected.order.append(event.id)
                outcomes = [lambda error, e=expected, i=event.id: error is None and e.durable.add(i)]
                self.queues[sink].put(event, *(outcomes if waits else []))

    @rule()
    def commit(self) -> None:
        while self.spool.has_staged or self.spool.has_removals:
            assert self.spool.commit() is None
        for expected in self.expected.values():
            expected.durable |= set(expected.order)
            expected.gone |= expected.settled

    @rule(count=st.integers(1, 8), before=st.integers(0, 5), takes=st.booleans())
    def commit_and_read_before_it_is_noted(self, count: int, before: int, takes: bool) -> None:
        """Consumers read in threads of their own, and see what is committed before the backlogs hear of it."""
        for number in (before, 2):  # where nothing is on disk alone, nobody reads
            self.commit()
            self.put({*SINKS}, number, waits=True)
        with after_each_write(lambda: self.read_ahead(count, takes)):
            self.commit()

    def read_ahead(self, count: int, takes: bool) -> None:
        for sink in SINKS:
            self.spool.read(self.spool.backlog(sink), count, 2**30)
            if takes:
                self.take(sink, count)

    @rule(sink=st.sampled_from(SINKS), count=st.integers(1, 8))
    def take(self, sink: str, count: int) -> None:
        taken = lease(self.spool, sink, count)
        if taken is not None:
            ids = [event.id for event in taken.events]
            assert not set(ids) & self.expected[sink].gone
            self.taken[sink] += ids
            self.leases.append((sink, taken))

    @rule(number=DISTANCE, share=st.integers(0, 8))
    def settle(self, number: int, share: int) -> None:
        if self.leases:
            sink, taken = self.leases.pop(number % len(self.leases))
            back = taken.events[share:]
            self.queues[sink].settle(taken, back)
            self.expected[sink].settled |= {event.id for event in taken.events[:share]}
            self.taken[sink] = [i for i in self.taken[sink] if i not in {event.id for event in back}]

    @rule(number=DISTANCE, share=st.integers(0, 8), pause=st.sampled_from([0.0, 3600.0]))
    def put_off(self, number: int, share: int, pause: float) -> None:
        """The first are settled, the others are set aside."""
        if self.leases:
            sink, taken = self.leases.pop(number % len(self.leases))
            later = taken.events[share:]
            tries = [(event, taken.attempts.get(id(event), 0) + 1) for event in later]
            self.queues[sink].settle(taken, put_off=[PutOff(tries, pause, "later")])
            self.expected[sink].settled |= {event.id for event in taken.events[:share]}
            self.taken[sink] = [i for i in self.taken[sink] if i not in {event.id for event in later}]

    @rule(sink=st.sampled_from(SINKS), count=st.integers(1, 8))
    def take_what_is_set_aside(self, sink: str, count: int) -> None:
        taken = lease_aside(self.spool, sink, count)
        if taken is not None:
            self.taken[sink] += [event.id for event in taken.events]
            self.leases.append((sink, taken))

    @rule()
    def close_and_start_again(self) -> None:
        self.commit()
        assert self.spool.close()
        self.open(self.spool.directory.parent)

    @rule()
    def crash(self) -> None:
        self.lives += 1
        for expected in self.expected.values():
            expected.crashed()
        self.open(crash(self.spool, self.root / str(self.lives)))

    @rule(seed=DISTANCE)
    def crash_and_damage(self, seed: int) -> None:
        self.lives += 1
        directory = crash(self.spool, self.root / str(self.lives))
        generator = random.Random(seed)
        for path in (directory / "queues").iterdir():
            content = bytearray(path.read_bytes())
            for _ in range(generator.randint(1, 20) if content else 0):
                content[generator.randrange(len(content))] = generator.randrange(256)
            path.write_bytes(content[: generator.randint(0, 2 * len(content))])
        self.expected = {sink: Expected() for sink in SINKS}
        self.open(directory)
        for sink in SINKS:
            while (taken := lease(self.spool, sink)) is not None:
                self.queues[sink].settle(taken)

    @rule()
    def damage_under_the_open_spool(self) -> None:
        self.commit()
        if self.spool._current.file is None:
            return
        path = self.spool._current.file.path
        path.write_bytes(b"\xff" * max(4096, path.stat().st_size))
        Path(f"{path}-wal").write_bytes(b"\xff" * 100)
        in_memory = {sink: {held.event.id for held in self.spool.backlog(sink).in_memory()} for sink in SINKS}
        self.queues["a"].put(make_event("probe"))
        self.queues["b"].put(make_event("probe"))
        assert self.spool.commit() is None
        for sink, expected in self.expected.items():
            lost = expected.required() - in_memory[sink] - set(self.drained(sink) + self.set_aside(sink))
            expected.order = [i for i in expected.order if i not in lost]
            expected.durable -= lost

    @invariant()
    def what_is_durable_is_delivered_in_order(self) -> None:
        for sink in SINKS:
            found, aside = self.drained(sink), self.set_aside(sink)
            expected = self.expected[sink]
            have = set(found) | set(aside) | set(self.taken[sink])
            assert expected.required() <= have
            assert not set(found + aside) & expected.gone
            known = [i for i in found if i in set(expected.order)]
            assert known == sorted(known, key=expected.order.index)
            assert len(found + aside) == len({*found, *aside})
            assert len(found) == self.spool.backlog(sink).available
            assert len(aside) == self.spool.backlog(sink).aside.waiting

    def drained(self, sink: str) -> list[str]:
        """Look at everything that could be taken now, and put it back."""
        leases = []
        while (taken := lease(self.spool, sink, 3)) is not None:
            leases.append(taken)
        for taken in leases:
            self.queues[sink].settle(taken, taken.events)
        return [event.id for taken in leases for event in taken.events]

    def set_aside(self, sink: str) -> list[str]:
        """Look at what is set aside, but for what is being tried, and leave it there."""
        aside = self.spool.backlog(sink).aside
        tried = set(aside.tried.positions) if aside.tried else set()
        waiting = [position for position in aside.positions() if position not in tried]
        group = Group(positions=array("q", waiting))
        return [held.event.id for held in self.spool.read_set_aside(self.spool.backlog(sink), group) or []]

    def teardown(self) -> None:
        if hasattr(self, "spool"):
            self.spool.close()
            shutil.rmtree(self.root)


TestSpool = SpoolMachine.TestCase
TestSpool.settings = settings(
    max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
