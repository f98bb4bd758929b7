"""Checking that the index template is still there: an index made without it refuses events later on."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from logweir.errors import SinkRejected, SinkUnavailable

__all__ = ["TemplateWatch"]

_LOOK_EVERY = 60.0
#: Indexes that are remembered at once.
_MOST_INDEXES = 1000


class TemplateWatch:
    """Checks that the index template is there before an index could be made without it.

    An index that is made without the template grows a mapping of its own, by what its first events hold.

    Args:
        ensure: Looks for the template, and makes it anew if that is allowed.
        clock: Steady seconds.
    """

    def __init__(
        self, ensure: Callable[[], Awaitable[None]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ensure = ensure
        self._clock = clock
        self._known = set[str]()
        self._until = clock() + _LOOK_EVERY

    async def before(self, index: str) -> None:
        """Called before something is written to an index.

        Raises:
            SinkUnavailable: The template is gone, and may not be made anew: an operator's matter.
        """
        now = self._clock()
        if index in self._known and now < self._until:
            return
        try:
            await self._ensure()
        except SinkRejected as error:
            raise SinkUnavailable(str(error)) from None
        if len(self._known) >= _MOST_INDEXES:
            self._known.clear()
        self._known.add(index)
        self._until = now + _LOOK_EVERY
