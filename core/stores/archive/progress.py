"""What archiving, restoring and pruning report while they run, and when they have ended."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from logweir.errors import LogweirError

__all__ = ["Cancelled", "Progress", "Summary"]


class Cancelled(LogweirError):
    """The work was asked to end; what is done is done, and the next run goes on from there."""


@dataclass(slots=True)
class Summary:
    """What was done.

    Attributes:
        days: How many days had something to do.
        files: How many files were written, or read.
        archived: How many rows were archived.
        deleted: How many rows were deleted.
        restored: How many rows are new in the sink.
        present: How many rows the sink had already.
        problems: What went wrong without stopping the rest.
    """

    days: int = 0
    files: int = 0
    archived: int = 0
    deleted: int = 0
    restored: int = 0
    present: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Progress:
    """Where the work is reported, and where it learns that it should end.

    Attributes:
        listener: Called with what is being done, the share that is done (None: nobody knows) and the counts.
        stop: Set by whoever wants the work to end.
    """

    listener: Callable[[str, float | None, Summary], None] = lambda _what, _share, _summary: None
    stop: threading.Event = field(default_factory=threading.Event)

    def report(self, what: str, share: float | None, summary: Summary) -> None:
        """Report how far the work is.

        Raises:
            Cancelled: It should end.
        """
        if self.stop.is_set():
            raise Cancelled("stopped; the next run goes on from here")
        self.listener(what, share, summary)
