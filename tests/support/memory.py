"""Whether memory grows: what Python holds after the same work was done again and again."""

import gc
import tracemalloc
from collections.abc import Awaitable, Callable

__all__ = ["growth_of"]


async def growth_of(work: Callable[[], Awaitable[object]]) -> int:
    """Do some work four times; return the bytes that are held after the last round more than after the second.

    The first rounds fill caches and pools, which is no growth.
    """
    held = []
    tracemalloc.start()
    try:
        for _ in range(4):
            await work()
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    return held[3] - held[1]
