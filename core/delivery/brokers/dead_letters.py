"""The dead letters of a worker behind a broker: kept in the broker, where every host sees them.

A letter goes to the broker first. While that cannot take it, it lies in this host's data directory, as
letters of other sinks do, and is moved when the broker is back: by this worker, or by the next one that
starts here. A worker that dies in the middle of moving leaves the letter in both places, under one id.

``dead_letters`` of routing.yaml bounds what the broker keeps too, for each sink on its own: every worker
deletes the oldest beyond ``keep`` and ``max_bytes``, and reports it. Without bounds nothing is deleted; a
broker that is full refuses letters, which then stay here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from logweir.delivery.brokers.contract import Broker, KeptLetter, LetterTotals
from logweir.delivery.dead_letters import DeadLetter, DeadLetters, Selection
from logweir.delivery.dead_letters.pruning import described
from logweir.diagnostics import report, say
from logweir.encoding.counted import counted
from logweir.errors import SinkError
from logweir.process.threads import in_thread
from logweir.settings.operations import DeadLettersConfig

__all__ = ["BrokerLetters"]

#: How long a worker waits for the broker before it keeps a letter here, in seconds.
_PATIENCE = 10.0
#: Seconds between two looks at the broker, and at this host's letters and the bounds.
_PERIOD = 5.0
_SLOW_PERIOD = 60.0
#: Letters, or bytes of them, that are moved at once.
_AT_ONCE = 100
_PAGE = 1000


class BrokerLetters:
    """The letters of one sink.

    Args:
        broker: Where they are kept; it is opened when it is first needed, and serves nobody else.
        sink: The sink's name.
        local: The letters of this host.
        bounds: How long, and how many, are kept.
        on_loop: Runs a coroutine on the loop of :meth:`run` for so many seconds, from another thread.
        expired: Counts, by sink, what is deleted because of the bounds.
        period: Seconds between two looks.
    """

    def __init__(
        self,
        broker: Broker,
        sink: str,
        local: DeadLetters,
        bounds: DeadLettersConfig,
        on_loop: Callable[[Coroutine[Any, Any, None], float], None],
        expired: Counter[str],
        *,
        period: float = _PERIOD,
    ) -> None:
        self._broker = broker
        self._sink = sink
        self._local = local
        self._bounds = bounds
        self._on_loop = on_loop
        self._expired = expired
        self._period = period
        self._opening = asyncio.Lock()
        self._is_open = False
        # Letters of this sink may lie here from before.
        self._some_here = True
        self._looked = 0.0
        #: What the broker had at the last look.
        self.totals = LetterTotals()

    def add(self, letters: Sequence[DeadLetter]) -> None:
        """Keep letters in the broker or, while it cannot take them, here; blocks, and never on the loop.

        Raises:
            OSError: Neither takes them.
        """
        bodies = [letter.to_bytes() for letter in letters]
        try:
            self._on_loop(self._keep(bodies), _PATIENCE)
        except (SinkError, TimeoutError) as error:
            report(
                f"{self._sink}.dead_letters",
                "sink %r: the broker keeps no dead letters now (%s); they stay in %s until it does",
                self._sink,
                str(error) or "no answer",
                self._local.path,
            )
            self._local.add(letters)
            self._some_here = True

    async def run(self) -> None:
        """Move, prune and count, again and again."""
        while True:
            try:
                await self._look()
            except (SinkError, OSError) as error:
                report(f"{self._sink}.letters", "sink %r: its dead letters: %s", self._sink, error)
            await asyncio.sleep(self._period)

    async def end(self) -> None:
        """Let go of the broker."""
        await self._broker.close()

    async def _keep(self, bodies: Sequence[bytes]) -> None:
        await self._open()
        await self._broker.keep_letters(bodies)

    async def _open(self) -> None:
        if not self._is_open:
            async with self._opening:
                if not self._is_open:
                    await self._broker.open()
                    self._is_open = True

    async def _look(self) -> None:
        slow = time.monotonic() - self._looked >= _SLOW_PERIOD or not self._looked
        if self._some_here or slow:  # another worker of this host may have left some
            self._some_here = False
            try:
                await self._move()
            except BaseException:
                self._some_here = True
                raise
        if slow:
            await self._open()
            await self._prune()
            self._looked = time.monotonic()
        self.totals = await self._totals()

    async def _totals(self) -> LetterTotals:
        await self._open()
        return await self._broker.letter_totals()

    async def _move(self) -> None:
        """Give the broker what lies here; each letter goes from here when the broker has it."""
        moved = 0
        mine = Selection(sink=self._sink)
        while page := await in_thread(lambda: self._local.read(mine, limit=_AT_ONCE)):
            await self._keep([letter.to_bytes() for letter in page])
            ids = [letter.id for letter in page]
            await in_thread(lambda: self._local.remove(ids))  # noqa: B023 - awaited at once
            moved += len(page)
        if moved:
            report(
                f"{self._sink}.moved",
                "sink %r: %s moved from this host to the broker",
                self._sink,
                counted(moved, "dead letter", "was", "were"),
                level=logging.INFO,
            )

    async def _prune(self) -> None:
        gone = 0
        while removed := await self._prune_page():
            gone += removed
        if gone:
            self._expired[self._sink] += gone
            say(
                logging.WARNING,
                "sink %r: %s deleted from the broker, beyond %s",
                self._sink,
                counted(gone, "dead letter", "was", "were"),
                described(self._bounds),
            )

    async def _prune_page(self) -> int:
        """Delete the oldest letters beyond the bounds, of one page; returns how many went."""
        keep, max_bytes = self._bounds.keep, self._bounds.max_bytes
        if keep is None and max_bytes is None:
            return 0
        # The page is read before the bytes are counted: another worker that prunes meanwhile removes the
        # same letters, and no more go than have to.
        page = await self._broker.letters(limit=_PAGE)
        size = (await self._broker.letter_totals()).size
        excess = 0 if max_bytes is None else size - max_bytes
        before = 0 if keep is None else time.time_ns() - int(keep * 1e9)
        chosen: list[str] = []
        for letter in page:
            if excess > 0 or _time_of(letter) < before:
                chosen.append(letter.position)
                excess -= len(letter.body)
        return await self._broker.remove_letters(chosen) if chosen else 0


def _time_of(letter: KeptLetter) -> int:
    """When it died; what cannot be read never grows old."""
    try:
        return DeadLetter.from_bytes(letter.body).time
    except ValueError:
        return time.time_ns()
