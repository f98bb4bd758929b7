"""Which files of a template are open: those that were written to last.

However many there are, they do not use up what the process may open at once.
"""

from __future__ import annotations

import threading
from typing import Protocol

__all__ = ["OpenFiles"]

#: Each has two descriptors, and a process may often have but 1,024, its connections included.
_MOST = 128


class _CanLetGo(Protocol):
    def let_go(self) -> bool:
        """Close what is open until it is needed again; False if it is needed now."""
        ...


class OpenFiles:
    """The files that are open, in any thread.

    Args:
        most: How many may be; more are while all of them are being written to.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._open: dict[_CanLetGo, None] = {}  # the one that was used longest ago comes first

    def use(self, file: _CanLetGo) -> None:
        """Note that a file is opened, or used; others are closed instead if they are too many."""
        with self._lock:
            self._open.pop(file, None)
            for idle in [*self._open][: max(0, len(self._open) + 1 - self._most)]:
                if idle.let_go():
                    del self._open[idle]
            self._open[file] = None

    def forget(self, file: _CanLetGo) -> None:
        """Note that a file was closed for good."""
        with self._lock:
            self._open.pop(file, None)
