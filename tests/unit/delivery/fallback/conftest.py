"""A sink and its fallback, both in memory, that do what a test asks of them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from logweir.delivery.fallback.circuit import Circuit
from logweir.delivery.fallback.diverting import Diverting
from logweir.delivery.fallback.ledger import Ledger
from logweir.delivery.fallback.returning import Returning
from logweir.delivery.worker import Clock
from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event
from logweir.settings.delivery import RetryConfig
from logweir.settings.fallback import FallbackConfig
from logweir.sinks.contract import Query, SinkContext
from logweir.sinks.memory import MemoryConfig, MemorySink
from logweir.sinks.results import Health, HealthStatus, WriteResult
from logweir.testing.contract import make_event


class Store(MemorySink):
    """Keeps events in memory, unless it has to be down, to hang, or to refuse."""

    def __init__(self, name: str) -> None:
        retry = RetryConfig(initial=0.0, max=0.0, timeout=20.0)
        super().__init__(MemoryConfig(type="memory", retry=retry), SinkContext(name=name))
        self.down: BaseException | None = None
        self.refused: set[str] = set()
        self.unreadable: set[str] = set()
        self.waiting: set[str] = set()
        self.opened = self.writes = 0
        self.is_open = False
        self.after_storing: Exception | None = None
        self.hangs = False
        self.on_write: Callable[[], object] = lambda: None

    async def open(self) -> None:
        if self.down is not None:
            raise self.down
        self.opened += 1
        self.is_open = True

    async def search(self, query: Query) -> AsyncIterator[Event]:
        assert self.is_open, "a search in a sink that is not open"
        async for event in super().search(query):
            if event.name in self.unreadable:
                query.pass_over(f"row {event.id} is no event")
            else:
                yield event

    async def delete(self, ids: Sequence[str]) -> int:
        assert self.is_open, "a deletion in a sink that is not open"
        return await super().delete(ids)

    async def check(self) -> Health:
        return Health(HealthStatus.DOWN, str(self.down)) if self.down else Health(HealthStatus.OK)

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        assert self.is_open, "a write to a sink that is not open"
        self.writes += 1
        self.on_write()
        if self.hangs:
            await asyncio.Event().wait()
        if self.down is not None:
            raise self.down
        if self.refused & {event.name for event in batch}:
            if len(batch) == 1:
                return WriteResult(rejected={0: "refused"})
            raise SinkRejected("one of them is refused")
        waiting = {index for index, event in enumerate(batch) if event.name in self.waiting}
        result = await super().write([event for index, event in enumerate(batch) if index not in waiting])
        if self.after_storing is not None:
            raise self.after_storing
        duplicate = frozenset() if waiting else result.duplicate
        return WriteResult(
            duplicate=duplicate, retry=frozenset(waiting), retry_reason="busy" if waiting else ""
        )

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events.values()]


class Pair:
    """Both, as one sink, and what brings events back; time passes when a test says so."""

    def __init__(self, data_dir: Path, **settings: Any) -> None:
        self.now = 1_000_000.0
        self.sink, self.other = Store("a"), Store("b")
        self._config = FallbackConfig.model_validate({"to": "b", "after": "10s", **settings})
        self._data_dir = data_dir
        self._begin()

    def _begin(self) -> None:
        self.circuit = Circuit(self._config, self.sink.config.retry, lambda: self.now)
        self.ledger = Ledger(self._data_dir, "a", "b", lambda: self.now)
        self.both = Diverting(
            self.sink, self.other, self._config, self.circuit, self.ledger, lambda: self.now
        )
        self.returning = self.another_process()

    def another_process(self) -> Returning:
        return Returning(self.both, Clock(lambda: self.now, self._pause))

    async def _pause(self, _seconds: float) -> None:
        await asyncio.sleep(0)
        self.now += 1.0

    def goes_down(self, error: Exception | None = None) -> None:
        self.sink.down = error or SinkUnavailable("away")

    async def diverts(self) -> None:
        """The sink goes down, for so long that its events go to the fallback."""
        self.goes_down()
        with pytest.raises(SinkUnavailable):
            await self.both.write([self.events("found out")[0]])
        self.now += 11.0

    async def comes_back(self) -> None:
        """The sink is up, and what brings events back does all that it can."""
        self.sink.down = None
        await self.works()

    async def works(self) -> None:
        self.now += 6.0
        while await self.returning.step():
            pass

    async def noted(self) -> int:
        return await asyncio.to_thread(self.ledger.count)

    async def killed(self) -> None:
        """Another process goes on where this one was, and has opened nothing yet."""
        await asyncio.to_thread(self.returning._let_go)
        self.sink.is_open = self.other.is_open = False
        self._begin()

    @staticmethod
    def events(*names: str) -> list[Event]:
        return [make_event(name) for name in names]


@pytest.fixture
def pair(tmp_path: Path) -> Callable[..., Pair]:
    return lambda **settings: Pair(tmp_path, **settings)
