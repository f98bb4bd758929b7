"""The circuit of a sink with a fallback: whether its events go to it, or round it. Pure, but for the clock.

::

    closed ──(nothing has passed for `after`, or the queue has filled up)──► open
    open ──(the sink opens and says that it can serve)──► half_open
    half_open ──(one write passed)──► closed
    half_open ──(one write failed)──► open

While it is closed, all goes to the sink, and what fails waits as it does for any sink. While it is open, all
goes to the fallback. While it is half open, one write at a time is tried on the sink, and the others go to
the fallback. The pauses between two questions whether the sink is back grow as those between two retries.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from logweir.delivery.retry import pause_before_retry
from logweir.settings.delivery import RetryConfig
from logweir.settings.fallback import FallbackConfig

__all__ = ["Circuit", "CircuitState"]


class CircuitState(StrEnum):
    """Where the events of a sink with a fallback go; ``none`` says that it has no fallback."""

    NONE = "none"
    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


class Circuit:
    """The state, and what changes it; belongs to the loop of delivery.

    Args:
        config: When events go to the fallback.
        retry: How pauses grow.
        monotonic: Time.
        filled: Says which share of the sink's queue is filled.

    Attributes:
        state: The present state.
        reason: The last failure.
    """

    def __init__(
        self,
        config: FallbackConfig,
        retry: RetryConfig,
        monotonic: Callable[[], float],
        filled: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._config = config
        self._retry = retry
        self._monotonic = monotonic
        self.filled = filled
        self.state = CircuitState.CLOSED
        self.reason = ""
        self._failing_since: float | None = None
        self._ask_at = 0.0
        self._asked = 0
        self._trial = False

    def is_due(self) -> bool:
        """Whether the sink has failed for so long, or its queue is so full, that the circuit opens."""
        if self.state is not CircuitState.CLOSED or self._failing_since is None:
            return False
        patience, share = self._config.patience, self._config.queue
        failing = self._monotonic() - self._failing_since
        return (patience is not None and failing >= patience) or (
            share is not None and self.filled() >= share
        )

    def takes_sink(self) -> bool:
        """Decide where the next write goes: to the sink, or (False) to the fallback.

        While half open, who gets True has the one trial, until :meth:`succeeded`, :meth:`failed` or
        :meth:`trial_over`.
        """
        if self.is_due():
            self._open()
        if self.state is CircuitState.HALF_OPEN and not self._trial:
            self._trial = True
            return True
        return self.state is CircuitState.CLOSED

    def succeeded(self) -> None:
        """Note that the sink took something."""
        self.state = CircuitState.CLOSED
        self.reason = ""
        self._failing_since = None
        self._asked = 0
        self._trial = False

    def failed(self, reason: str) -> None:
        """Note that nothing passed."""
        self.reason = reason
        if self._failing_since is None:
            self._failing_since = self._monotonic()
        if self.state is CircuitState.HALF_OPEN:
            self._open()

    def trial_over(self) -> None:
        """Note that a write has ended, whatever it showed: while half open, the next one is the trial."""
        self._trial = False

    def asks(self) -> bool:
        """Whether it is time to ask the sink whether it is back."""
        return self.state is CircuitState.OPEN and self._monotonic() >= self._ask_at

    def answered(self, reason: str | None) -> None:
        """Note what the sink answered: None if it can serve, or why it cannot."""
        if self.state is not CircuitState.OPEN:
            return
        if reason is None:
            self.state = CircuitState.HALF_OPEN
        else:
            self.reason = reason
            self._pause()

    def _open(self) -> None:
        self.state = CircuitState.OPEN
        self._trial = False
        self._pause()

    def _pause(self) -> None:
        self._asked += 1
        self._ask_at = self._monotonic() + pause_before_retry(self._asked, self._retry)
