"""Waiting for what has no event to await: what a server does by its own clock, or another thread counts."""

import time
from collections.abc import Callable

__all__ = ["eventually"]


def eventually(
    condition: Callable[[], object],
    seconds: float = 60.0,
    *,
    pause: float = 0.01,
    found: Callable[[], object] = lambda: "it did not come about",
) -> None:
    """Ask again and again until the condition is true.

    Args:
        condition: What to ask.
        seconds: After which the test fails.
        pause: Seconds between two questions.
        found: What the failure shows.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, found()
        time.sleep(pause)
