"""What is known so far about a batch that takes several requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from logweir.sinks.results import WriteResult

__all__ = ["BatchVerdicts"]


@dataclass(slots=True)
class BatchVerdicts:
    """Verdicts on the events of one batch, gathered while its parts are sent; an event without one is stored.

    Attributes:
        duplicate: Indexes of events that were there already.
        retry: Indexes of events to send again.
        rejected: Index to reason of events that will never be stored.
        answered: Whether the backend has stored or rejected some. Until then a failure is raised, and the
            worker sends the whole batch again; from then on it is a verdict on the part that it hit.
        retry_after: Seconds the backend asked to wait before the retry, if it did.
        retry_reason: Why, in one line.
    """

    duplicate: set[int] = field(default_factory=set)
    retry: set[int] = field(default_factory=set)
    rejected: dict[int, str] = field(default_factory=dict)
    answered: bool = False
    retry_after: float | None = None
    retry_reason: str = ""

    def add(self, result: WriteResult, indexes: Sequence[int]) -> None:
        """Take over the verdicts on a part of the batch, but not when to try again.

        Args:
            result: The verdicts, by position in the part.
            indexes: Where in the batch each event of the part is.
        """
        self.duplicate.update(indexes[position] for position in result.duplicate)
        self.retry.update(indexes[position] for position in result.retry)
        self.rejected.update((indexes[position], reason) for position, reason in result.rejected.items())
        self.retry_reason = result.retry_reason or self.retry_reason

    def follow(self, known: Mapping[int, int | None]) -> None:
        """Settle events that were not sent because their id is known.

        Args:
            known: The index of such an event to that of the first one of its id, whose fate it shares; or to
                None if the backend had it before.
        """
        for index, first in known.items():
            if first in self.retry:
                self.retry.add(index)
            elif first is not None and first in self.rejected:
                self.rejected[index] = self.rejected[first]
            else:
                self.duplicate.add(index)

    def result(self) -> WriteResult:
        """The backend's answer to the batch."""
        return WriteResult(
            frozenset(self.duplicate),
            frozenset(self.retry),
            self.rejected,
            self.retry_after,
            self.retry_reason,
        )
