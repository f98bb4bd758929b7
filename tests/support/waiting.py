"""Waiting for what has no event to await: a server by its own clock, a count of another thread, a file that grows."""

import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["eventually", "whole_lines"]


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


def whole_lines(path: Path) -> list[bytes]:
    """The lines of a file that somebody may be writing to; none where there is no file yet."""
    return path.read_bytes().rpartition(b"\n")[0].splitlines() if path.exists() else []
