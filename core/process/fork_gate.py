"""What SQLite does not survive, kept away from it: a fork in the middle of its work.

A fork copies one thread and every lock as it stands. Were another thread inside SQLite at that moment,
the child would inherit SQLite's own locks as held, and its first statement would never return. So every
use of a queue file happens inside :data:`gate`, and a fork waits at the gate for those inside (one
commit, some milliseconds; never longer than :data:`PATIENCE`).

The child must not use the parent's connections either, nor close them: closing gives up locks and may
delete a log that the parent still writes. :func:`keep_forever` keeps them from being collected.
"""

from __future__ import annotations

import ctypes
import threading
from types import TracebackType
from typing import Any

from logweir.process import fork
from logweir.process.fork import Stage
from logweir.process.reentry import registered

__all__ = ["PATIENCE", "ForkGate", "gate", "keep_forever"]

#: The longest that a fork waits for those inside, in seconds.
PATIENCE = 5.0


class ForkGate:
    """Lets any number of threads work, and a fork only when none does."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew: in a fork's child nobody is inside."""
        self._changed = threading.Condition(registered(threading.RLock()))
        self._inside = 0
        self._forking = 0

    def __enter__(self) -> None:
        # With a limit, as below: a thread that vanished in between (a fork in C code, which runs no handlers)
        # must not stop all delivery for ever.
        with self._changed:
            if self._forking:
                self._changed.wait_for(lambda: not self._forking, PATIENCE)
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._inside -= 1
            if self._forking:  # nobody else waits here
                self._changed.notify_all()

    def hold(self) -> None:
        """Keep everybody out and wait until those inside have left."""
        with self._changed:
            # Counted first, so that nobody enters while it waits: under load there is always somebody inside.
            self._forking += 1
            self._changed.wait_for(lambda: not self._inside, PATIENCE)

    def release(self) -> None:
        """Let them in again."""
        with self._changed:
            self._forking -= 1
            self._changed.notify_all()


#: The gate of this process.
gate = ForkGate()


def keep_forever(thing: Any) -> None:
    """Never collect ``thing``, not even when the interpreter ends."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


fork.register(Stage.SQLITE_GATE, before=gate.hold, in_parent=gate.release, in_child=gate.reset)
