"""The dead letters of a configuration, wherever they are: of this host, and of the brokers of its sinks.

What an operator asks is asked of both as of one. Letters of brokers are read once, at the beginning, into a
file that lasts as long as the command, so that the conditions of a selection mean the same for all; what is
removed or refused again is changed there, in the broker itself and on this host. All methods block.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from logweir.config.models import RoutingConfig
from logweir.config.sinks import context_of
from logweir.delivery.brokers.contract import Broker, KeptLetter
from logweir.delivery.brokers.making import make_broker, place_of
from logweir.delivery.dead_letters import DeadLetter, DeadLetters, Position, Selection, Totals
from logweir.errors import SinkError, SinkUnavailable
from logweir.process.threads import in_thread

__all__ = ["AllDeadLetters", "all_dead_letters"]

_ALL = Selection()
_PAGE = 1000
T = TypeVar("T")


@dataclass(slots=True)
class _InBroker:
    """Where a letter is kept, as often as it is, and when it died last."""

    sink: str
    time: int
    positions: list[str] = field(default_factory=list)


@contextmanager
def all_dead_letters(config: RoutingConfig, sink: str | None = None) -> Iterator[AllDeadLetters]:
    """The letters as they are now, for the length of a block.

    Args:
        config: The configuration.
        sink: The only sink whose letters are wanted, if it is one.

    Raises:
        MissingDependency: The client of a broker is not installed.
        OSError: They cannot be read.
    """
    local = DeadLetters(config.data_dir)
    brokers = [
        name
        for name, settings in config.sinks.items()
        if settings.queue.goes_over_a_broker and sink in {None, name}
    ]
    if not brokers:
        yield AllDeadLetters(config, local, local)
        return
    with tempfile.TemporaryDirectory(prefix="logweir-letters-") as folder:
        letters = AllDeadLetters(config, local, DeadLetters(Path(folder)))
        for name in brokers:
            letters.gather(name)
        yield letters


class AllDeadLetters:
    """Letters of this host and of brokers.

    Args:
        config: The configuration.
        local: Those of this host.
        gathered: Where those of brokers are put down; the same as ``local`` where there is no broker.

    Attributes:
        silent: The sinks whose broker could not be asked, with the reason.
        unreadable: By sink, how much in the broker is no letter that this release can read; it stays there.
    """

    def __init__(self, config: RoutingConfig, local: DeadLetters, gathered: DeadLetters) -> None:
        self._config = config
        self._local = local
        self._gathered = gathered
        self._stores = [local] if gathered is local else [local, gathered]
        self._places: dict[str, _InBroker] = {}
        self.silent: dict[str, str] = {}
        self.unreadable: dict[str, int] = defaultdict(int)

    def gather(self, sink: str) -> None:
        """Read what the broker of a sink keeps; one that does not answer is noted as silent."""
        try:
            self._ask(sink, lambda broker: self._read_all(sink, broker))
        except SinkError as error:
            self.silent[sink] = str(error)

    async def _read_all(self, sink: str, broker: Broker) -> None:
        after = ""
        while page := await broker.letters(after, _PAGE):
            await in_thread(partial(self._put_down, sink, page))
            after = page[-1].position

    def _put_down(self, sink: str, page: Sequence[KeptLetter]) -> None:
        for kept in page:
            try:
                letter = DeadLetter.from_bytes(kept.body)
            except ValueError:
                self.unreadable[sink] += 1
                continue
            known = self._places.get(letter.id)
            if known is None or known.time != letter.time:  # else it was kept twice for one death
                self._gathered.add([letter])
            place = self._places.setdefault(letter.id, _InBroker(sink, letter.time))
            place.time = letter.time
            place.positions.append(kept.position)

    def read(
        self, selection: Selection = _ALL, *, after: Position | None = None, limit: int | None = None
    ) -> list[DeadLetter]:
        """See :meth:`DeadLetters.read`."""
        found = {
            Position(letter.time, letter.id): letter
            for store in self._stores
            for letter in store.read(selection, after=after, limit=limit)
        }
        return [found[position] for position in sorted(found)][:limit]

    def count(self, selection: Selection = _ALL) -> int:
        """See :meth:`DeadLetters.count`."""
        return sum(store.count(selection) for store in self._stores)

    def look(self) -> Totals:
        """See :meth:`DeadLetters.look`."""
        totals = [store.look() for store in self._stores]
        letters: dict[str, int] = defaultdict(int)
        for each in totals:
            for sink, number in each.letters.items():
                letters[sink] += number
        oldest = min((each.oldest for each in totals if each.oldest is not None), default=None)
        return Totals(dict(letters), sum(each.size for each in totals), oldest)

    def remove(self, ids: Sequence[str]) -> int:
        """Delete letters by their ids, wherever they are; returns how many were there.

        Raises:
            SinkError: A broker does not answer; what it has stays.
            OSError: The file of this host cannot be written.
        """
        positions: dict[str, list[str]] = defaultdict(list)
        for letter_id in ids:
            if place := self._places.get(letter_id):
                positions[place.sink] += place.positions
        for sink, those in positions.items():
            self._ask(sink, lambda broker: broker.remove_letters(those))  # noqa: B023 - asked at once
        for letter_id in ids:
            self._places.pop(letter_id, None)
        return sum(store.remove(ids) for store in self._stores)

    def refused_again(self, reasons: Iterable[tuple[str, str]]) -> None:
        """See :meth:`DeadLetters.refused_again`; in a broker the letter moves to the end.

        Raises:
            SinkError: A broker does not answer; what it has stays as it was.
            OSError: The file of this host cannot be written.
        """
        given = list(reasons)
        self._local.refused_again(given)
        by_sink: dict[str, list[tuple[DeadLetter, _InBroker]]] = defaultdict(list)
        for letter_id, reason in given:
            if place := self._places.pop(letter_id, None):
                for letter in self._gathered.read(Selection(ids=(letter_id,))):
                    again = replace(letter, reason=reason, attempts=letter.attempts + 1)
                    by_sink[place.sink].append((again, place))
        for sink, changed in by_sink.items():
            self._ask(sink, lambda broker: _replace(broker, changed))  # noqa: B023 - asked at once

    def _ask(self, sink: str, work: Callable[[Broker], Awaitable[T]]) -> T:
        return asyncio.run(self._asked(sink, work))

    async def _asked(self, sink: str, work: Callable[[Broker], Awaitable[T]]) -> T:
        settings = self._config.sinks[sink]
        broker = make_broker(settings.queue, place_of(settings.type, context_of(sink, self._config)))
        try:
            try:
                async with asyncio.timeout(settings.retry.timeout):
                    await broker.open()
            except TimeoutError:
                raise SinkUnavailable(f"no answer within {settings.retry.timeout:g} s") from None
            return await work(broker)
        finally:
            await broker.close()


async def _replace(broker: Broker, changed: Sequence[tuple[DeadLetter, _InBroker]]) -> None:
    await broker.keep_letters([letter.to_bytes() for letter, _ in changed])
    await broker.remove_letters([position for _, place in changed for position in place.positions])
