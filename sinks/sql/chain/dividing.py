"""Dividing a verification into parts that are done by themselves, in other processes, at any time.

Why the parts prove what the whole does: a table is sound if something holds of each row (its hash is that of
what it says at its place), of each two rows that follow each other in a chain (the second has the number and
the ``prev`` that the first's number and hash ask for), and of the ends of each chain (it begins at 1 with
the hash of nothing, it ends where its head does). None of this needs to know whether the rows further before
were sound: the whole reads them in order, but carries nothing on but the last row. So a chain may be cut
behind any of its rows, ``a``. The part behind the cut reads ``a`` too, and begins with its stored hash, or
with none if ``a`` is not sound, as a verification of the whole would have it there; it does not judge ``a``,
which the part before it does. So every row is judged once, and every pair once, the pair over the cut by the
part behind it.

``a`` is read twice, and may be exchanged between. What both parts saw of it is compared at the end, by
:class:`~logweir.sinks.tamper_evidence.Seam`. What needs more than two rows is done there as well: rows that
were exchanged across a cut. And a chain is cut only before the end that its head notes, so that the part
before the cut knows that rows up to ``a`` must be there, even if it finds none. A chain that is not cut and
has no row at all is found by its head, which is why heads without rows come after all other parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from logweir.sinks.sql.chain.tables import ChainTables
from logweir.sinks.tamper_evidence import Part, PartKind, Place

__all__ = ["cuts_of", "parts_between"]


async def cuts_of(
    connection: AsyncConnection, table: Table, chain: ChainTables, newest: str, size: int
) -> list[Place]:
    """Return places that divide the rows of chains, each about ``size`` rows behind the one before.

    Args:
        connection: A connection.
        table: The audit table.
        chain: The tables beside it.
        newest: The last writer that has a head, in the order of the database.
        size: How many rows there are between two cuts.
    """
    cuts, place = list[Place](), await _behind(connection, table, newest, None, size)
    while place is not None:
        writer, seq = place
        ends = await connection.run_sync(chain.ends_of, [writer])
        end = ends.get(writer)
        # Whatever somebody has put there: such a chain is not cut, nor is a place made of what is no name.
        is_within = end is not None and type(seq) is int and 0 < seq < end.head.seq
        after = seq if is_within else None
        if type(writer) is str:
            cuts.append(Place(writer, after))
        place = await _behind(connection, table, newest, (writer, after), size)
    return cuts


def parts_between(cuts: Sequence[Place], newest: str) -> list[Part]:
    """Return the parts of a verification, with those that are no rows of chains."""
    last = Place(newest)
    ends = [*(cut for cut in cuts if cut != last), last]
    begins = [None, *ends[:-1]]
    return [
        *(Part(PartKind.CHAINS, after, until) for after, until in zip(begins, ends, strict=True)),
        Part(PartKind.HEADLESS, last),
        Part(PartKind.UNLINKED),
        Part(PartKind.ROWLESS),
    ]


async def _behind(
    connection: AsyncConnection, table: Table, newest: str, after: tuple[Any, int | None] | None, count: int
) -> tuple[Any, Any] | None:
    """The writer and number of the row that is so many rows behind a place, if there is one."""
    columns = table.c
    places = select(columns.chain_writer, columns.chain_seq).where(columns.chain_seq.is_not(None))
    in_order = places.order_by(columns.chain_writer, columns.chain_seq).limit(1)
    writer, seq = after or (None, None)
    if seq is not None:
        behind = (columns.chain_writer == writer, columns.chain_seq > seq)
        found = (await connection.execute(in_order.where(*behind).offset(count - 1))).first()
        if found is not None:
            return found[0], found[1]
        counted = select(func.count()).select_from(table).where(*behind)
        count -= (await connection.execute(counted)).scalar_one()
    others = in_order.where(columns.chain_writer <= newest)
    if after is not None:
        others = others.where(columns.chain_writer > writer)
    found = (await connection.execute(others.offset(max(count, 1) - 1))).first()
    return None if found is None else (found[0], found[1])
