"""When a sink reads and writes what ``data_dir`` knows of its chains.

A sink that opens for the first time in a process is refused where rows are gone that are known: its events
wait, and nothing covers up what happened. A table that vanishes under a running process is reported and made
anew, if that is allowed, because audit goes on; but what is known stays, so that the next start is refused.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, MutableMapping, Sequence

from logweir.diagnostics import report
from logweir.errors import SinkRejected
from logweir.sinks.sql.chain.known import Known, KnownChains
from logweir.sinks.sql.chain.tables import BEGINNING, ChainTables
from logweir.sinks.sql.chain.verifying import Verification
from logweir.sinks.tamper_evidence import Epoch, Finding, Head, Trouble, summary_of

__all__ = ["ChainMemory"]

#: Seconds between two notes of a sink that writes.
_INTERVAL = 10.0


class ChainMemory:
    """What one sink knows of its chains, from other processes too.

    Args:
        file: The file of it.
    """

    def __init__(self, file: KnownChains) -> None:
        self._file = file
        self._was_open = False
        self._fits = False
        self._noted = 0.0
        #: Whether an operator accepts whatever is gone.
        self.accepts = False

    @property
    def is_due(self) -> bool:
        """Whether it is time to note where the chains end."""
        return self._fits and time.monotonic() - self._noted > _INTERVAL

    def knows(self) -> bool:
        """Whether there is a file."""
        try:
            return self._file.path.exists()
        except PermissionError:
            return False

    async def lost(self, epochs: Sequence[Epoch], verification: Verification) -> AsyncIterator[Finding]:
        """Find what is known and gone."""
        try:
            known = await asyncio.to_thread(self._file.read)
        except SinkRejected as error:
            yield Finding(Trouble.CHANGED, str(error), BEGINNING)
            return
        ids = [epoch.table_id for epoch in epochs]
        if known is None:
            return
        if known.table_id not in ids:
            detail = (
                f"{self._file.path} knows the table by another id: its rows are gone, and this one was made"
                " anew or is another"
            )
            yield Finding(Trouble.MISSING, detail, BEGINNING)
        elif known.table_id == ids[-1]:  # what was known before a later id was accepted with it
            async for finding in verification.compare(known.heads):
                yield finding

    async def compare(self, chain: ChainTables, verification: Verification) -> None:
        """Check at an opening that nothing is gone, and note the id of the table.

        Raises:
            SinkRejected: Rows are gone, and the sink was not open before in this process.
        """
        if self.accepts:
            return
        gone = [finding.detail async for finding in self.lost(chain.identity.epochs, verification)]
        self._fits = not gone
        if gone:
            advice = "put them back, or record the break by `logweir schema --accept-new-chain`"
            message = f"rows are gone that were stored: {summary_of(gone)}; {advice}"
            if not self._was_open:
                raise SinkRejected(message)
            report(f"{self._file.path}.gone", "%s", message)
        self._was_open = True
        await self.note(chain, {})

    async def note(self, chain: ChainTables, ends: MutableMapping[str, Head]) -> None:
        """Keep where chains end, which are taken out."""
        if self._fits:
            self._noted = time.monotonic()
            ids = [epoch.table_id for epoch in chain.identity.epochs]
            taken = [*ends.values()]
            ends.clear()
            await asyncio.to_thread(self._note, ids, taken)

    def _note(self, ids: Sequence[str], ends: Sequence[Head]) -> None:
        try:
            known = self._file.read()
        except SinkRejected as error:  # rows are stored all the same; the next start is refused
            report(f"{self._file.path}.damaged", "%s", error)
            return
        if known is not None and known.table_id not in ids:
            return  # made anew under our hands: what is known stays
        if known is None or known.table_id != ids[-1]:
            known = Known(ids[-1])
        self._file.write(known.with_heads(ends))

    async def begin_anew(self, chain: ChainTables) -> None:
        """Forget what is gone, after it was accepted."""
        self.accepts, self._fits, self._was_open = False, True, True
        await asyncio.to_thread(self._file.write, Known(chain.identity.current))
