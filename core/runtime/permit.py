"""A permit for what somebody waits for: taken by who does it, or by who has waited long enough."""

from __future__ import annotations

from concurrent.futures import Future

__all__ = ["Permit"]


class Permit:
    """Decides in one step, from any thread, whether something is done or given up.

    Attributes:
        outcome: What is waited for: whether it was done.
    """

    outcome: Future[bool]

    def __init__(self) -> None:
        # No lock, for a signal handler may give up what the thread under it waits for.
        self._permit: list[None] = [None]

    def take(self) -> bool:
        """Take it; False if it is gone."""
        try:
            self._permit.pop()
        except IndexError:
            return False
        return True

    def give_up(self) -> bool:
        """Let it not be done, and wake who waits; False if it is too late for that."""
        if not self.take():
            return False
        self.outcome.cancel()
        return True
