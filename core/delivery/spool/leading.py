"""Leading: a thread that waits for its own event commits it, instead of waking the committer and being woken.

Within :class:`leading`, a put that somebody will wait for wakes nobody: its committer is kept. :func:`lead`
does it when the thread has nothing left but to wait: it commits in this thread all that is staged, for
everybody (group commit), unless somebody else is at it or it may take long. What is still kept when the block
ends, however it ends, or before this thread waits for anything else (:func:`pay`), wakes the committer after
all: so nobody waits for a commit that nobody makes.

The main thread does not lead. Signal handlers run there, and one that audits could not wait for its event in
the middle of a commit of its own thread; nor is that a place for a ``KeyboardInterrupt``.
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Protocol

__all__ = ["forget", "keep", "keeps", "kept", "lead", "leading", "pay"]


class Leadable(Protocol):
    """What commits: see :class:`logweir.delivery.spool.committer.Committer`."""

    def lead(self, seconds: float) -> None:
        """Commit in this thread, or wake who does."""
        ...

    def nudge(self) -> None:
        """Wake the thread that commits."""
        ...


#: What each thread that is leading has yet to commit; a hot path asks it whether there is any such thread.
kept: dict[int, list[Leadable]] = {}


class leading:  # noqa: N801 - used as a function
    """A block in which the calling thread puts events and waits for them.

    Args:
        waits: Whether it waits at all.
    """

    __slots__ = ("_former", "_leads", "_thread")

    def __init__(self, *, waits: bool = True) -> None:
        self._thread = threading.get_ident()
        self._leads = waits and self._thread != threading.main_thread().ident
        self._former: list[Leadable] | None = None

    def __enter__(self) -> None:
        if self._leads:
            # There is one already when a finaliser audits in the middle of it.
            self._former = kept.get(self._thread)
            kept[self._thread] = []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._leads:
            pay()
            if self._former is None:
                kept.pop(self._thread, None)
            else:
                kept[self._thread] = self._former


def keep(committer: Leadable) -> bool:
    """Whether the calling thread will commit by itself, so that nobody need be woken."""
    mine = kept.get(threading.get_ident())
    if mine is None:
        return False
    if committer not in mine:
        mine.append(committer)
    return True


def keeps(committer: Leadable) -> bool:
    """Whether the calling thread will."""
    return committer in kept.get(threading.get_ident(), ())


def lead(seconds: float) -> None:
    """Commit what this thread has to; called before it waits, for at most so many seconds."""
    mine = kept.get(threading.get_ident())
    while mine:
        mine[-1].lead(seconds)
        mine.pop()  # only now: what is cut off in the middle is for the end of the block


def pay() -> None:
    """Wake the committers for what was kept; called before this thread waits for anything else."""
    mine = kept.get(threading.get_ident())
    while mine:
        mine[-1].nudge()
        mine.pop()


def forget() -> None:
    """In a fork's child: what threads of the parent have to commit is the parent's."""
    kept.clear()
