"""The connections of a sink to its database, and the place of a SQLite file under them.

The sinks of one database whose tables events name share them: one pool, and one look at where the file is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from logweir.diagnostics import report
from logweir.errors import SinkRejected, SinkUnavailable
from logweir.sinks.contract import SinkContext
from logweir.sinks.sql.client import connect, database_of
from logweir.sinks.sql.config import ServerConfig, SqlConfig, SqliteConfig
from logweir.sinks.sql.dialects.contract import Database
from logweir.sinks.sql.shielded import Shielded
from logweir.sinks.sql.sqlite_file import Place, SqliteFile
from logweir.sinks.sql.verdicts import ReadOnlyFile, as_sink_errors, lacks_right

__all__ = ["Connections", "SetUp"]

T = TypeVar("T")
#: Checks that the tables of a sink are there, or makes them, on connections that were just made.
SetUp = Callable[[AsyncEngine, Database], Coroutine[Any, Any, None]]
#: Connections beside those of the workers, so that a table that is locked does not hold up the others.
_FOR_OTHER_TABLES = 4


class Connections:
    """Connections to one database.

    Args:
        config: The sink's options.
        context: What the sink needs to know.

    Attributes:
        database: Whose it is; a connection knows it better than the URL.
        patience: Seconds that a transaction may take; None if there is no bound.
    """

    def __init__(self, config: SqlConfig, context: SinkContext) -> None:
        self._config = config
        self._context = context
        self.patience = config.statement_timeout if isinstance(config, ServerConfig) else None
        self.database = database_of(config.address)
        self._engine: AsyncEngine | None = None
        self._shielded: Shielded | None = None
        self._file: SqliteFile | None = None
        if isinstance(config, SqliteConfig):
            self._shielded = Shielded()
            path = str(config.address.database)
            if not path.startswith("file:"):  # a URI of SQLite's own is left to it
                self._file = SqliteFile(Path(path), int(config.mode, 8))
        self._place = Place(None, None)
        self._taken_away = False
        self._opening = asyncio.Lock()
        self._in_use = 0
        self._unused = asyncio.Event()

    # -- life ---------------------------------------------------------------------------------------

    async def open(self, set_up: SetUp) -> None:
        """Connect, unless that was done before.

        Raises:
            SinkUnavailable: The database cannot be reached.
            SinkRejected: What ``set_up`` says.
        """
        async with self._opening:
            if self._engine is None:
                await self._open(set_up)

    async def _open(self, set_up: SetUp) -> None:
        read_only = self._context.read_only
        with as_sink_errors():
            if self._file is not None:
                # For a reader too: what it does not see would be taken for gone.
                await asyncio.to_thread(self._file.repair)
                if not read_only:
                    await asyncio.to_thread(self._file.make)
            engine, database = await connect(self._config, self._most(), read_only=read_only)
            try:
                await set_up(engine, database)
            except BaseException:
                await engine.dispose()
                raise
            if self._file is not None:
                self._place = await asyncio.to_thread(self._file.look)
        self._engine, self.database = engine, database

    def _most(self) -> int:
        # A file of SQLite has one writer at a time, whichever table it writes.
        more = self._config.is_destination and isinstance(self._config, ServerConfig)
        return self._context.workers + (_FOR_OTHER_TABLES if more else 0)

    def require_open(self) -> AsyncEngine:
        """What makes connections.

        Raises:
            SinkUnavailable: It is not open.
        """
        if self._engine is None:
            raise SinkUnavailable("the sink is not open")
        return self._engine

    @property
    def is_open(self) -> bool:
        """Whether there are connections."""
        return self._engine is not None

    async def finish(self) -> None:
        """Wait for what was left to itself."""
        if self._shielded is not None:
            await self._shielded.finish(self._config.retry.timeout / 2)
        self._taken_away = False

    async def close(self) -> None:
        """Close the connections, in the loop that made them."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.dispose()

    # -- work ---------------------------------------------------------------------------------------

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that ends in time, and whose errors are ours."""
        with as_sink_errors(), self._using():
            async with asyncio.timeout(self.patience), self.require_open().begin() as connection:
                try:
                    yield connection
                except DBAPIError as error:
                    if lacks_right(error):
                        await connection.invalidate()
                    raise

    async def set_up_another(self, set_up: SetUp) -> None:
        """Check that the tables of a further sink are there; cancelled, it goes on as a write does.

        Raises:
            SinkUnavailable: It cannot be asked.
            SinkRejected: What ``set_up`` says.
        """
        work = self._set_up_another(set_up)
        await (work if self._shielded is None else self._shielded.run(work))

    async def _set_up_another(self, set_up: SetUp) -> None:
        with as_sink_errors(), self._using():
            await set_up(self.require_open(), self.database)

    @contextmanager
    def _using(self) -> Iterator[None]:
        """Note that a connection is in use."""
        self._in_use += 1
        try:
            yield
        finally:
            self._in_use -= 1
            if not self._in_use:
                self._unused.set()

    async def whole(self, work: Coroutine[Any, Any, T], set_up: SetUp) -> T:
        """Write; where a cancellation in the middle would do harm, it does not reach the work."""
        if self._shielded is None:
            return await work
        return await self._shielded.run(self._in_place(work, set_up))

    async def _in_place(self, work: Coroutine[Any, Any, T], set_up: SetUp) -> T:
        """Write into the file of SQLite that the path names; what went into another one does not count.

        Raises:
            SinkUnavailable: The file was taken away; it is opened anew, and the work can be repeated.
        """
        if self._taken_away:
            try:
                await self._open_anew(self._place, set_up)
            except BaseException:
                work.close()
                raise
        place = self._place
        try:
            result = await work
        except ReadOnlyFile:
            # A connection that could not write when it was made never can, whatever the permissions are now.
            await self._open_anew(place, set_up)
            raise
        if await self._has_moved(place):
            await self._open_anew(place, set_up)
            raise SinkUnavailable("the file was taken away while it was written; it is written again")
        return result

    # -- the file -----------------------------------------------------------------------------------

    async def look(self, set_up: SetUp) -> None:
        """Open the file anew if it was taken away.

        Raises:
            SinkUnavailable: It cannot be opened.
        """
        if self._taken_away or await self._has_moved(self._place):
            await self._open_anew(self._place, set_up)

    async def _has_moved(self, place: Place) -> bool:
        if self._file is None or place.holds(await asyncio.to_thread(self._file.look)):
            return False
        report(
            f"{self._file.path}.moved",
            "%s was removed, moved or replaced while it was open; what was stored in it is no longer there",
            self._file.path,
        )
        return True

    async def _until_unused(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._config.retry.timeout / 2):
                while self._in_use:
                    self._unused.clear()
                    await self._unused.wait()

    async def _open_anew(self, place: Place, set_up: SetUp) -> None:
        """Connect to the file that the path names now, once for all who found another than theirs."""
        async with self._opening:
            if self._place is not place:
                return
            self._taken_away = True
            engine, self._engine = self._engine, None
            await self._until_unused()  # a pool forgets connections in use, which would never be closed
            if engine is not None:
                await engine.dispose()
            try:
                await self._open(set_up)
            except SinkRejected as error:
                # Such as a table that may not be made: an operator's matter, and not the events'.
                raise SinkUnavailable(str(error)) from None
            self._taken_away = False
