"""How long to wait before a write is tried again: exponential back-off with full jitter.

Jitter spreads the retries of many processes, so that a backend which comes back is not overwhelmed by all
of them at once (the "full jitter" of the AWS Architecture Blog, 2015). A pure function: the caller
sleeps, and tests inject the randomness.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from logweir.settings.delivery import RetryConfig

__all__ = ["pause_before_retry"]


def pause_before_retry(
    attempt: int,
    config: RetryConfig,
    *,
    retry_after: float | None = None,
    uniform: Callable[[float, float], float] = random.uniform,
) -> float:
    """Return the seconds to wait after the ``attempt``-th failure (1 for the first).

    A backend's own ``retry_after`` is a floor: it is never undercut, and jitter is added on top.
    """
    ceiling = min(config.max, config.initial * 2 ** min(attempt - 1, 32))
    return (retry_after or 0.0) + uniform(0.0, ceiling)
