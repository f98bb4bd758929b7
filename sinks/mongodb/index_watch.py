"""Checking that the indexes are still there: a collection that was dropped comes back without them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from logweir.diagnostics import report
from logweir.errors import SinkError
from logweir.sinks.mongodb.config import MongoConfig
from logweir.sinks.mongodb.schema import missing_indexes
from logweir.sinks.mongodb.server_codes import ServerCode
from logweir.sinks.mongodb.verdicts import as_sink_errors

__all__ = ["IndexWatch"]

_LOOK_EVERY = 60.0


class IndexWatch:
    """Looks once a minute, before a write: the write would make the collection, without indexes.

    Args:
        config: The sink's options.
        provision: Makes what is missing.
        clock: Steady seconds.
    """

    def __init__(
        self,
        config: MongoConfig,
        provision: Callable[[Any], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._provision = provision
        self._clock = clock
        self._next = clock() + _LOOK_EVERY

    async def before_write(self, database: Any) -> None:
        """Look if it is time; make what is missing, or report it.

        Raises:
            SinkError: It is missing, and could not be made.
        """
        now = self._clock()
        if now < self._next:
            return
        self._next = now + _LOOK_EVERY
        try:
            missing = await self._missing(database)
        except SinkError:
            return  # what keeps us from looking keeps us from writing, which says so
        if not missing:
            return
        name, names = self._config.collection, ", ".join(missing)
        if not self._config.provision:
            report(f"{name}.indexes", "the collection %s lacks the indexes %s; see provision", name, names)
            return
        report(f"{name}.indexes", "the collection %s lacked the indexes %s; they are made anew", name, names)
        with as_sink_errors():
            await self._provision(database)

    async def _missing(self, database: Any) -> list[str]:
        command = {"listIndexes": self._config.collection}
        with as_sink_errors():
            answer = await database.command(command, allowable_errors=[ServerCode.NamespaceNotFound.value])
        present = answer["cursor"]["firstBatch"] if answer["ok"] else []
        return missing_indexes(self._config, present)
