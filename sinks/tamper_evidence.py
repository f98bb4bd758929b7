"""Tamper evidence, as every layer speaks of it: what a chain is kept with, and what verifying it finds.

A sink that can chain its rows is :class:`Chained`. The format is described in
``docs/reference/audit-chain.md``; the relational sinks implement it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
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
    "Part",
    "PartKind",
    "Place",
    "Seam",
    "Seams",
    "Stock",
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


@dataclass(frozen=True, slots=True)
class Stock:
    """What there is at one time.

    Attributes:
        rows: All rows of the table.
        unlinked: Those without a whole link.
        gone: Rows of chains whose deletion was noted by then.
    """

    rows: int
    unlinked: int
    gone: int


@dataclass(slots=True)
class Tally:
    """How far a verification is.

    Attributes:
        expected: About how many rows there are.
        rows: Rows that belong to a chain.
        writers: Chains.
        unlinked: Rows from before chaining was turned on.
        loose: Other rows without a whole link.
        stock: What there was when it began; None where that is not known.
    """

    expected: int = 0
    rows: int = 0
    writers: int = 0
    unlinked: int = 0
    loose: int = 0
    stock: Stock | None = field(default=None, compare=False)

    @property
    def read(self) -> int:
        """How many rows were looked at."""
        return self.rows + self.unlinked + self.loose

    def add(self, other: Tally) -> None:
        """Count what another verification has looked at; what is expected stays as it is."""
        self.rows += other.rows
        self.writers += other.writers
        self.unlinked += other.unlinked
        self.loose += other.loose


class PartKind(StrEnum):
    """What a part of a verification looks at."""

    CHAINS = "chains"
    """Rows of chains that have a head, from one place to another."""
    HEADLESS = "headless"
    """Rows of writers behind the last one that has a head."""
    UNLINKED = "unlinked"
    """Rows without a link."""
    ROWLESS = "rowless"
    """Heads of chains that have no row. This comes last: of rows that are deleted between this and their own
    part, neither would know."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place between two rows, in the order of writers and numbers.

    Attributes:
        writer: A writer.
        seq: It is behind this row of the writer; None for behind the last one.
    """

    writer: str
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a verification, which can be done by itself, in another process too.

    Attributes:
        kind: What it looks at.
        after: Where its rows begin; None for the first row.
        until: Where they end; None for where all rows of the kind end.
    """

    kind: PartKind
    after: Place | None = None
    until: Place | None = None


@dataclass(frozen=True, slots=True)
class Seam:
    """What is known of the last row before a place within a chain.

    Attributes:
        hash: Its hash; None where that is not known or not to be trusted.
        is_gone: Whether the row was deleted rightly.
    """

    hash: str | None
    is_gone: bool = False

    def fits(self, following: Seam) -> bool:
        """Whether the part behind the place, which began with a seam, saw the same row as that before it."""
        return self.hash is None or following.is_gone or self.hash == following.hash


@dataclass(slots=True)
class Seams:
    """What a part leaves to be judged together with others.

    Attributes:
        began: What it knew of the row before its first, if it began within a chain.
        ended: What it found of its last row, if it ended within a chain.
        suspects: Rows with a wrong hash in chains of which other parts have rows, called changed: they may
            have been exchanged with one of those.
    """

    began: Seam | None = None
    ended: Seam | None = None
    suspects: list[Finding] = field(default_factory=list)


@runtime_checkable
class Chained(Protocol):
    """A sink whose rows can be chained, so that tampering shows."""

    def verify(self, tally: Tally) -> AsyncIterator[Finding]:
        """Look at every row, in bounded memory, while others may write.

        Raises:
            SinkUnavailable: The rows cannot be read.
        """
        ...

    async def divide(self, parts: int, rows: int, tally: Tally) -> list[Part]:
        """Divide a verification of everything but the note of the beginning.

        Args:
            parts: Into how many parts the rows of chains are divided, about.
            rows: How many rows a part has at least, about.
            tally: Gets how many rows are expected, and what there is.

        Raises:
            SinkUnavailable: The rows cannot be read.
        """
        ...

    def verify_part(self, part: Part, tally: Tally, seams: Seams) -> AsyncIterator[Finding]:
        """As :meth:`verify`, for one part of it.

        All parts together prove what the whole does, if what they leave in ``seams`` is compared as well: see
        :mod:`logweir.sinks.sql.chain.dividing`.
        """
        ...

    async def settle(self, suspects: Sequence[Finding]) -> list[Finding]:
        """Say which rows of one chain, found by several parts, were exchanged; the others stay changed."""
        ...

    def unread(self, tally: Tally) -> AsyncIterator[Finding]:
        """Find out whether rows were there from the beginning that no part has read.

        Args:
            tally: What all parts have looked at, and what there was before them.
        """
        ...

    def beginning(self) -> AsyncIterator[Finding]:
        """What is wrong with the note of the beginning, and with the ids of the table."""
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
