"""Making a store cold: its server is started again, and the page cache of its files is dropped.

What can be done depends on what is known: the folder of the data (``--data``), the command that starts the
server again (``--restart``). What was done is said in the results, for a figure that was measured "cold"
without it means nothing.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from logweir.benchmarks.suite.growth import page_cache
from logweir.benchmarks.suite.natives.base import Native, Spec
from logweir.errors import LogweirError

__all__ = ["Emptying"]

_RESTART_SECONDS, _POLL = 180.0, 0.2


@dataclass(frozen=True, slots=True)
class Emptying:
    """How one store is made cold.

    Attributes:
        spec: The backend.
    """

    spec: Spec

    @property
    def restarts(self) -> bool:
        """Whether its server is started again, which takes seconds."""
        return bool(self.spec.restart)

    @property
    def words(self) -> str:
        """What is emptied, in a sentence."""
        drops = page_cache.can_drop() and (self.spec.data or not self.spec.url)
        if self.spec.restart:
            cache = ", then the page cache of its data files was dropped" if drops else ""
            return (
                f"The server was started again{cache}: once before the classes that look few rows up, and "
                "once before each class that looks at many."
            )
        if drops and self.spec.url:
            return "The page cache of its data files was dropped; the server's own caches were not emptied."
        if drops:
            return "The page cache of its files was dropped, before each question."
        return "Only the connection was new: nothing is known of the server's data and how to restart it."

    def files(self, native: Native, store: str) -> list[Path]:
        """The files of a store, or of its server; none where they are not known."""
        return [*page_cache.files_below(Path(self.spec.data))] if self.spec.data else native.files(store)

    async def empty(self, native: Native, store: str, *, restart: bool = True) -> None:
        """Make the store cold; connections of the native are made anew.

        Args:
            native: Whose the store is.
            store: Its name.
            restart: Start the server again, where that can be done; else only the page cache is dropped.

        Raises:
            LogweirError: The server did not come back.
        """
        if self.spec.restart and restart:
            await native.close()
            try:
                await _run(self.spec.restart)
            finally:
                await native.open()
            await _answers(native, store)
        if page_cache.can_drop():
            await asyncio.to_thread(page_cache.drop, self.files(native, store))

    async def resident(self, native: Native, store: str) -> int | None:
        """Bytes of the store's files that are in memory; None where that is not known."""
        files = self.files(native, store)
        return await asyncio.to_thread(page_cache.resident, files) if files else None


async def _run(command: str) -> None:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_shell(command, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
    ending = asyncio.ensure_future(process.communicate())
    try:
        async with asyncio.timeout(_RESTART_SECONDS):
            said, _ = await asyncio.shield(ending)
    except TimeoutError:
        process.kill()
        raise LogweirError(f"the restart did not end within {_RESTART_SECONDS:g} s: {command}") from None
    except asyncio.CancelledError:
        await asyncio.wait([ending], timeout=_RESTART_SECONDS)  # another store may be on the same server
        raise
    if process.returncode:
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        raise LogweirError(f"the restart failed with status {process.returncode}: {' '.join(last)}")


async def _answers(native: Native, store: str) -> None:
    """Wait until the server serves the store again."""
    deadline = time.monotonic() + _RESTART_SECONDS
    while True:
        try:
            await native.ready(store)
        except Exception as error:  # noqa: BLE001 - each driver has errors of its own
            if time.monotonic() > deadline:
                raise LogweirError(f"the server did not answer after its restart: {error}") from None
            with suppress(Exception):  # some clients do not come back by themselves
                await native.close()
            await asyncio.sleep(_POLL)
            await native.open()
        else:
            return
