"""How Python collects garbage in a process that is logweir's own.

What a start leaves behind, modules and their like, lives as long as the process, and is looked through again
and again while events come and go. In a worker that costs a quarter of its processor time, and the longest
standstill of all. An application decides this for itself, so only commands of ours ask for it.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["keep_what_is_there", "kept"]

#: So many new objects, in place of 700, before the young ones are looked through: some batches.
_YOUNG = 5000


def keep_what_is_there() -> None:
    """Collect once, and look no more through what is left; to be called when a process has started."""
    gc.collect()
    gc.freeze()
    _, *older = gc.get_threshold()
    gc.set_threshold(_YOUNG, *older)


@contextmanager
def kept() -> Iterator[None]:
    """Look no more through what is there, until the block ends: for commands that many rows pass through."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_YOUNG, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
