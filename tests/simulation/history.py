"""One history: what callers and operators do to a process and its successors, by a seed."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.event import Event, Kind
from simulation.clock import VirtualLoop
from simulation.fallbacks import fallback_of, with_fallbacks
from simulation.interruption import interrupted
from simulation.locks import injected
from simulation.process import Process, SimulatedSpool
from simulation.seams import seams
from simulation.threads import SimulatedThread, Threads
from simulation.world import MOODS, SimulatedSink, World

__all__ = ["History", "run"]

_STEPS = 40
#: What happens, and how often in comparison.
_DOINGS = {
    "log": 30,
    "audit": 20,
    "interrupted": 6,
    "preempted": 6,
    "mood": 8,
    "well": 8,
    "disk": 2,
    "crash": 2,
    "crash_at_commit": 2,
    "reload": 4,
    "reload_in_a_call": 6,
    "move": 2,
    "restart": 2,
    "flush": 3,
    "look": 8,
    "close": 2,
}
#: Virtual seconds in which everything must have moved once nothing is wrong any more.
_PATIENCE = 900.0
_NAMES = ("db", "search", "files")


class History:
    """What happened.

    Attributes:
        world: What is there at the end.
        sent: Every event that was logged, in its order, with the sinks it was routed to.
        log: What was done, for whoever reads a failure.
        unsettled: What still waits at the end, by sink.
        metrics: The counts of the last process.
    """

    def __init__(
        self, seed: int, folder: Path, chance: random.Random, loop: VirtualLoop, *, fallbacks: bool = False
    ) -> None:
        self.seed = seed
        # Whether events return from the fallback of each sink; None where sinks have none.
        self.returns = chance.random() < 0.5 if fallbacks else None
        self.chance, self.loop = chance, loop
        self.world = World(self.chance)
        self.folder = folder
        self.sent: list[tuple[Event, tuple[str, ...]]] = []
        self.log: list[str] = []
        self.unsettled: dict[str, int] = {}
        self.behind: dict[str, int] = {}
        self.metrics: dict[str, Any] = {}
        self.waiters = 0
        self.crashes = self.reloads = self.interruptions = 0
        self._numbers = iter(range(10**9))
        self._lives = iter(range(10**9))
        self._sinks: dict[str, dict[str, Any]] = {}
        # How many each sink has had, in all lives.
        self.workers = defaultdict[str, set[int]](set)
        self._names = list(_NAMES[: self.chance.choice([1, 2, 3])])
        # Who logged what: order is promised to each caller, and the loop's thread is one.
        self.caller_of: dict[str, int] = {}
        self.stuck: list[str] = []
        # What is to happen in a thread's next call between the routing and the queues.
        self._after_route: dict[SimulatedThread, Callable[[], None]] = {}

    # -- the configuration --------------------------------------------------------------------------

    def config(self, directory: Path) -> RoutingConfig:
        """A configuration with the sinks of this history."""
        if self._sinks and self.chance.random() < 0.1:  # others instead of all that there were
            self._names = [f"{name.rstrip('0123456789')}{next(self._numbers)}" for name in self._names]
        audit = self._names[:-1] or self._names
        for name in self._names:  # a reload leaves some as they are
            if name not in self._sinks or self.chance.random() < 0.6:
                self._sinks[name] = self._sink(may_drop=name not in audit)
            self.workers[name].add(self._sinks[name]["workers"])
        # A sink that only traces comes and goes with reloads; audit events are never left without theirs.
        names = self._names[:-1] if self._names[1:] and self.chance.random() < 0.2 else self._names
        sinks = {name: self._sinks[name] for name in names}
        if self.returns is not None:
            sinks = with_fallbacks(sinks, self.chance, returns=self.returns)
        routes = [{"name": "audit", "match": {"kind": "audit"}, "to": audit}]
        routes.append({"name": "tracing", "match": {"kind": "tracing"}, "to": names[-2:]})
        given = {"sinks": sinks, "routes": routes, "data_dir": str(directory), "drain_timeout": 5}
        return load_config(given)

    def _sink(self, *, may_drop: bool) -> dict[str, Any]:
        chance = self.chance
        queue = {
            "type": chance.choice(["memory", "disk", "disk"]),
            "max_events": chance.choice([10, 60, 1000]),
            "when_full": chance.choice(["drop_oldest", "drop_newest", "block"] if may_drop else ["block"]),
        }
        if queue["type"] == "memory" and chance.random() < 0.5:
            queue["when_full"] = "spill"
        return {
            "type": "simulated",
            "number": next(self._numbers),
            "workers": chance.choice([1, 1, 3]),
            "queue": queue,
            "batch": {"max_events": chance.choice([1, 7, 50]), "linger": chance.choice([0, 0.05])},
            "retry": {"initial": 0.1, "max": 2, "timeout": 1},
        }

    # -- the story ----------------------------------------------------------------------------------

    async def live(self) -> None:
        """Live through it."""
        self._begin(self.folder / "life0")
        for _ in range(_STEPS):
            await self._step()
            await asyncio.sleep(self.chance.choice([0, 0.001, 0.05, 0.5, 3]))
            process = self._process
            if process.dead:
                await self._begin_again()
        await self._end()

    @property
    def _process(self) -> Process:
        assert self.world.process is not None
        return self.world.process

    def _begin(self, directory: Path, data: str = "data0") -> None:
        SimulatedSpool.world = SimulatedSink.world = self.world
        Process(self.world, directory, self.config(directory / data))

    async def _begin_again(self) -> None:
        self.crashes += 1
        self._all_may_come_again()
        dead = self._process
        assert dead.left is not None
        await dead.release()
        self._begin(dead.left, dead.fan_out.pipeline.config.data_dir.name)

    async def _step(self) -> None:
        chance = self.chance
        doing = chance.choices(list(_DOINGS), list(_DOINGS.values()))[0]
        self.log.append(f"{asyncio.get_running_loop().time():9.3f} {doing}")
        await getattr(self, f"_{doing}")()

    @property
    def threads(self) -> Threads:
        """The threads of the history."""
        return self.loop.threads

    def _call(self, work: Callable[[], object]) -> None:
        """Let a caller do something: in a thread of its own, or on the loop."""
        if self.chance.random() < 0.5:
            work()
        else:
            self.threads.spawn(work, "caller")

    def _event(self, kind: Kind) -> Event:
        number = next(self._numbers)
        fields: dict[str, Any] = {"number": number}
        if self.chance.random() < 0.02:
            fields["poison"] = True
        time = int((1e9 + self.loop.time()) * 1e9)
        event = Event(f"{number:032x}", time, kind, "info", f"e{number}", "app", "dev", None, None, fields)
        sinks = tuple(channel.name for channel in self._process.fan_out.pipeline.router.route(event))
        self.sent.append((event, sinks))
        self.caller_of[event.id] = self.threads.running.ident
        return event

    async def _log(self) -> None:
        process, count = self._process, self.chance.choice([1, 5, 30])

        def work() -> None:
            for _ in range(count):
                process.log(self._event(Kind.TRACING))

        self._call(work)

    async def _audit(self) -> None:
        process, count = self._process, self.chance.choice([1, 3, 10])

        def work() -> None:
            for _ in range(count):
                level: Any = self.chance.choice(["accepted", "durable", "stored"])
                process.audit(self._event(Kind.AUDIT), level, self.chance.choice([0.2, 5]))

        self._call(work)

    async def _mood(self) -> None:
        name = self.chance.choice(self._names)
        if self.returns is not None and self.chance.random() < 0.3:
            name = fallback_of(name)
        store = self.world.store(name)
        store.mood = self.chance.choice(MOODS)
        self.log[-1] += f" {store.mood}"

    async def _well(self) -> None:
        for store in self.world.stores.values():
            store.mood = "well"

    async def _disk(self) -> None:
        self.world.disk_full = not self.world.disk_full

    async def _close(self) -> None:
        """A part of what was sent cannot be stored for a long time, as if its index were closed."""
        store = self.world.store(self.chance.choice(self._names))
        if not store.closed and self.sent:
            store.troubled = True
            store.closed = {self.chance.choice(self.sent)[0].id, f"{next(self._numbers) + 2:032x}"}

    async def _crash(self) -> None:
        self._process.die()

    async def _crash_at_commit(self) -> None:
        self.world.crash_at_commit = True

    async def _reload(self) -> None:
        self.reloads += 1
        await self._process.change(self._next_config())

    def _next_config(self) -> RoutingConfig:
        """Mostly with the data directory of now, sometimes with another one."""
        now = self._process.fan_out.pipeline.config.data_dir
        other = self._process.directory / f"data{self.chance.randrange(3)}"
        return self.config(other if self.chance.random() < 0.2 else now)

    async def _reload_in_a_call(self) -> None:
        """A reload in the middle of a call: between the routing and the queues."""
        process, config = self._process, self._next_config()
        self.reloads += 1
        kind = self.chance.choice(list(Kind))

        def reload() -> None:
            if self.threads.on_loop:
                _at_once(process.change(config))
            else:
                self.threads.wait(self.loop.create_task(process.change(config)).done)

        def work() -> None:
            event = self._event(kind)
            self._after_route[self.threads.running] = reload
            if kind is Kind.TRACING:
                process.log(event)
            else:
                process.audit(event, "durable", 5)

        self._call(work)

    async def _move(self) -> None:
        """A reload to another data directory while no store takes anything: what waits comes along at once."""
        process, former = self._process, self._process.fan_out.pipeline.spool.directory
        if self.world.disk_full:
            return
        self.reloads += 1
        for name in self._names:
            self.world.store(name).mood = "down"
        for _ in range(3):
            process.audit(self._event(Kind.AUDIT), "durable", 5)
        await asyncio.sleep(0.05)
        await process.change(self.config(process.directory / f"data{next(self._numbers)}"))
        # An earlier reload may have come from there too, and what it replaced may still retire.
        left = [spool for spool in process.reload.spools if spool.directory == former]
        await self._until(lambda: all(spool.closed for spool in left) or process.dead)
        await asyncio.sleep(1)
        if not process.dead and any(former.glob("*.db")):
            self.world.violations.append("what waits in a former directory is not taken over")
        await self._well()

    def after_route(self) -> None:
        """Called between the routing and the queues."""
        self._after_route.pop(self.threads.running, lambda: None)()

    async def _interrupted(self) -> None:
        """A call that a signal handler or a finaliser interrupts anywhere, and which audits itself."""
        self.interruptions += 1
        process = self._process
        self._call(lambda: self._disturbed(lambda: process.audit(self._event(Kind.AUDIT), "durable", 5)))

    async def _preempted(self) -> None:
        """A call in the middle of which, anywhere, other threads run for a while."""
        threads, turns = self.threads, self.chance.choice([1, 5, 50])
        threads.spawn(lambda: self._disturbed(lambda: [threads.suspend() for _ in range(turns)]), "caller")

    def _disturbed(self, disturb: Callable[[], object]) -> None:
        process = self._process
        process.audit(self._event(Kind.AUDIT), "durable", 5)
        tracing = self.chance.random() < 0.3
        level: Any = self.chance.choice(["durable", "stored"])
        event = self._event(Kind.TRACING if tracing else Kind.AUDIT)
        with interrupted(self.chance.randrange(600), disturb):
            if tracing:
                process.log(event)
            else:
                process.audit(event, level, 5)

    async def _restart(self) -> None:
        process = self._process
        await process.stop(self.chance.choice([0.01, 2]))
        self._begin_after(process)

    def _begin_after(self, process: Process) -> None:
        if not process.dead:
            directory = process.directory
            process.exit()
            self._all_may_come_again()
            self._begin(directory, process.fan_out.pipeline.config.data_dir.name)

    def _all_may_come_again(self) -> None:
        """What a process leaves behind may be taken over twice, and what was stored may not be removed yet."""
        sent = {event.id for event, _ in self.sent}
        for store in self.world.stores.values():
            store.again |= sent
            store.unsure |= sent  # two files may have what is stored from the first of them

    async def _flush(self) -> None:
        await self._process.flush(self.chance.choice([0.01, 1]))

    async def _look(self) -> None:
        """Look at the metrics, in a thread."""
        self.threads.spawn(self._process.look, "metrics")

    async def _end(self) -> None:
        """Nothing is wrong any more but what a store puts off; later not even that."""
        self.world.disk_full = self.world.crash_at_commit = False
        await self._well()
        self.log.append("all is well")
        await asyncio.sleep(40)  # what earlier processes have left is adopted
        await self._until(lambda: not any(self._depths(closed=True).values()))
        self.behind = {name: count for name, count in self._depths(closed=True).items() if count}
        for store in self.world.stores.values():
            store.closed = set()
        await self._until(lambda: not any(self._depths(closed=False).values()))
        self.unsettled = {name: count for name, count in self._depths(closed=False).items() if count}
        if self.returns:
            await self._until(lambda: not any(self.in_fallback(name) for name in self.lasting))
        self.stuck = [thread.name for thread in self.threads.alive if thread.name == "caller"]
        self.metrics = dict(self._process.reload.metrics())
        self.waiters = sum(
            len(getattr(queue, "_flushes", ()))
            for channel in self._process.reload.all_channels()
            for queue in channel._queues
        )
        await self._process.stop(5)

    def there(self, name: str) -> set[str]:
        """What a sink has, or its fallback has for it."""
        return self.world.store(name).there | self.world.store(fallback_of(name)).there

    def in_fallback(self, name: str) -> set[str]:
        """What the fallback of a sink has."""
        return self.world.store(fallback_of(name)).there

    @property
    def lasting(self) -> list[str]:
        """The sinks with a fallback that there are at the end."""
        sinks = self._process.fan_out.pipeline.config.sinks
        return [name for name, sink in sinks.items() if sink.fallback is not None]

    async def _until(self, condition: Any) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _PATIENCE
        while not condition() and loop.time() < deadline:
            await asyncio.sleep(1)

    def _depths(self, *, closed: bool) -> dict[str, int]:
        """What waits, by sink; what a store puts off does not count while it does."""
        found = dict[str, int]()
        for channel in self._process.reload.all_channels():
            statistics = channel.statistics()
            # Several of each, for any crash may have left an event once more.
            most = (4 + self.crashes) * len(self.world.store(channel.name).closed) if closed else 0
            put_off = min(statistics.set_aside, most)
            found[channel.name] = max(0, statistics.depth + statistics.in_flight - put_off)
        return found


def run(seed: int, folder: Path, *, fallbacks: bool = False) -> History:
    """Live through the history of a seed."""
    random.seed(seed)
    chance = random.Random(seed)
    loop = VirtualLoop(chance)
    history = History(seed, folder, chance, loop, fallbacks=fallbacks)
    asyncio.set_event_loop(loop)
    try:
        with injected(loop.threads), seams(history):
            loop.run_until_complete(history.live())
            loop.run_until_complete(_rest())
            history.world.violations += loop.threads.violations
    finally:
        loop.threads.end_all()
        asyncio.set_event_loop(None)
        loop.close()
    return history


def _at_once(work: Coroutine[Any, Any, None]) -> None:
    """Run what awaits nothing."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("a reload does no IO")


async def _rest() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
