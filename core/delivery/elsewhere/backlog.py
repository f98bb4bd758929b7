"""The backlog of a sink that another process delivers to: it hands out nothing and keeps a ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from logweir.delivery.elsewhere.ledger import Ledger
from logweir.delivery.elsewhere.line import Line
from logweir.delivery.elsewhere.presence import is_attended
from logweir.delivery.spool.backlog import Backlog

__all__ = ["BacklogElsewhere"]


class BacklogElsewhere(Backlog):
    """One sink's events, as the process knows them that puts them; the spool's lock guards it.

    Attributes:
        ledger: What is committed and not known to be settled.
        line: To the worker; one for all queues of the sink.
        announced: Up to which position, and in which file, the worker was woken.
        early: What the worker has reported of events whose commit is not noted here yet.
    """

    def __init__(self, sink: str, window: int, window_bytes: int) -> None:
        super().__init__(sink, window, window_bytes)
        self.ledger = Ledger()
        self.line: Line | None = None
        self.announced: tuple[int, Path | None] = (0, None)
        self.early: list[tuple[int, int]] = []

    def commit(self, seq: int, time: int) -> None:
        """See :meth:`Backlog.commit`; no event stays in memory."""
        self.commit_all([seq], [time])

    def commit_all(self, positions: Sequence[int], times: Sequence[int]) -> None:
        """See :meth:`Backlog.commit_all`."""
        waiting = self._uncommitted
        if not waiting.keys() >= set(positions):
            new = [(seq, time) for seq, time in zip(positions, times, strict=True) if seq in waiting]
            positions, times = [seq for seq, _ in new], [time for _, time in new]
        if positions:
            sizes = [waiting.pop(seq)[0] for seq in positions]
            self._uncommitted_size -= sum(sizes)
            self._committed_next = positions[-1] + 1
            self.ledger.extend(positions, sizes, times)

    @property
    def committed_next(self) -> int:
        """The position after the newest durable event."""
        return self._committed_next

    def settle_elsewhere(self, runs: Iterable[tuple[int, int]]) -> list[int]:
        """Note that everything from one position to another is settled; returns what waited until now.

        To be called again, if only with what is :attr:`early`, after each commit.
        """
        before = self.ledger.size
        runs = [*self.early, *runs]
        settled = [seq for first, last in runs for seq in self.ledger.settle(first, last)]
        # A row is in the file, where the worker reads it, before the ledger has it. Rows come into the file
        # in the order of their positions: what a run spans and the file has not got yet will never come.
        self.early = [run for run in runs if self._committed_next <= run[1] <= self._last]
        self.depth -= len(settled)
        self.size -= before - self.ledger.size
        return settled

    def drop_oldest(self) -> list[int]:
        """See :meth:`Backlog.drop_oldest`: the oldest that waits, though the worker may have it in hand."""
        if self.ledger.count and not self._debt:
            seq, size = self.ledger.pop_oldest()
            self.depth -= 1
            self.size -= size
            return [seq]
        return super().drop_oldest()

    def pay(self) -> list[int]:
        """See :meth:`Backlog.pay`."""
        paid = []
        while self._debt and self.ledger.count:
            seq, size = self.ledger.pop_oldest()
            self._pay_one(size)
            paid.append(seq)
        return paid

    def count_anew(self, count: int, size: int) -> int:
        """See :meth:`Backlog.count_anew`; which rows are missing shows when the worker reports past them."""
        del size
        return max(0, self.ledger.count - count)

    def is_attended(self, directory: Path) -> bool:
        """See :meth:`Backlog.is_attended`."""
        return is_attended(directory, self.sink)

    def oldest_time(self) -> int | None:
        """See :meth:`Backlog.oldest_time`."""
        time = self.ledger.oldest_time()
        return super().oldest_time() if time is None else time
