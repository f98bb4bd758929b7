"""Tamper evidence, as every layer speaks of it: what a chain is kept with, and what verifying it finds.

A sink that can chain its rows is :class:`Chained`. The format is described in
``docs/reference/audit-chain.md``; the relational sinks implement it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from pydantic import SecretStr

from logweir.errors import SinkUnavailable

__all__ = [
    "Chained",
    "Chaining",
    "Epoch",
    "Finding",
    "Head",
    "StoreMissing",
    "Tally",
    "Trouble",
    "summary_of",
]


class StoreMissing(SinkUnavailable):
    """What should hold rows does not exist: as long as none were stored that is no harm."""


@dataclass(frozen=True, slots=True)
class Chaining:
    """That rows are to be chained.

    Attributes:
        key: The key of the hashes, without which nobody can compute them anew; None for plain SHA-256.
    """

    key: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain of one writer ends.

    Attributes:
        writer: Who wrote it.
        seq: The number of its last row.
        hash: The hash of its last row.
    """

    writer: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Epoch:
    """What the chains of a table are bound to from some time on.

    Attributes:
        table_id: The id of the table that is in their hashes.
        started_us: When that began, in microseconds since 1970.
        reason: Why: ``created``, ``migrated`` from hashes without an id, or ``accepted`` that rows are gone.
        detail: What was accepted, in words.
    """

    table_id: str
    started_us: int
    reason: str
    detail: str = ""


class Trouble(StrEnum):
    """What was done to a chain."""

    CHANGED = "changed"
    MISSING = "missing"
    REORDERED = "reordered"
    INSERTED = "inserted"
    ROLLED_BACK = "rolled back"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a chain.

    Attributes:
        trouble: What was done.
        detail: What shows it, in words.
        writer: Whose chain it is, if it is anyone's.
        seq: The number of the row, or of the first of several.
        last: The number of the last of several.
        event_id: The id in the row; for rows that are missing, of the row after them.
        time: The time in that row.
    """

    trouble: Trouble
    detail: str
    writer: str | None = None
    seq: int | None = None
    last: int | None = None
    event_id: str | None = None
    time: datetime | None = None


@dataclass(slots=True)
class Tally:
    """How far a verification is.

    Attributes:
        expected: About how many rows there are.
        rows: Rows that belong to a chain.
        writers: Chains.
        unlinked: Rows from before chaining was turned on.
    """

    expected: int = 0
    rows: int = 0
    writers: int = 0
    unlinked: int = 0


@runtime_checkable
class Chained(Protocol):
    """A sink whose rows can be chained, so that tampering shows."""

    def verify(self, tally: Tally) -> AsyncIterator[Finding]:
        """Look at every row, in bounded memory, while others may write.

        Raises:
            SinkUnavailable: The rows cannot be read.
        """
        ...

    def heads(self) -> AsyncIterator[Head]:
        """Where each chain ends now."""
        ...

    def epochs(self) -> Sequence[Epoch]:
        """The ids that the table has had, the one in force last; none where its rows are bound to none."""
        ...

    def knows(self) -> bool:
        """Whether ``data_dir`` knows anything of the chains; asks no database."""
        ...

    def lost(self) -> AsyncIterator[Finding]:
        """Find what ``data_dir`` knows and the table has no longer."""
        ...

    async def accept_new_chain(self, detail: str) -> str:
        """Go on where rows are gone: close the chains that there are, record what is gone, and return it.

        Args:
            detail: What else is known to be gone, in words.

        Raises:
            SinkError: It cannot be recorded.
        """
        ...

    def compare(self, heads: Sequence[Head]) -> AsyncIterator[Finding]:
        """Find out of heads that were saved those whose rows have been cut off or replaced since."""
        ...


def summary_of(gone: Sequence[str]) -> str:
    """Say what is gone, in few words; nothing if nothing is."""
    more = f" (and {len(gone) - 1:,} more)" if len(gone) > 1 else ""
    return f"{gone[0]}{more}" if gone else ""
