"""Searching the audit table page by page.

Each page is a query of its own that goes on where the last one ended (a *keyset*, not an offset), so that a
slow reader holds no connection, and an index finds the place.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from sqlalchemy import Column, ColumnElement, Row, Select, Table, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from logweir.event import Event
from logweir.sinks.contract import Query
from logweir.sinks.query_match import matches
from logweir.sinks.sql.client import PAGE, Transaction
from logweir.sinks.sql.dialects.contract import Database
from logweir.sinks.sql.encode import to_event
from logweir.sinks.sql.nul_escape import restore_nul
from logweir.sinks.sql.own_model import AUDIT_COLUMNS
from logweir.sinks.sql.query import conditions_of

__all__ = ["found"]


async def found(
    query: Query, table: Table, database: Database, transaction: Transaction
) -> AsyncIterator[Event]:
    """Yield the events that match, in order of time.

    Args:
        query: What is searched for.
        table: The audit table.
        database: Whose it is.
        transaction: Begins a transaction; there is one for each page.
    """
    conditions = conditions_of(query, table, database)
    columns = table.c
    # The id comes last, so that the order is total: a page can end between two events of one nanosecond.
    order = (columns.time_us, columns.time_ns, columns.id)
    statement: Select[tuple[object, ...]] = select(*(columns[name] for name in AUDIT_COLUMNS))
    statement = statement.order_by(*(column.desc() for column in order) if query.newest_first else order)
    left, smallest = query.limit, 1
    last: Row[tuple[object, ...]] | None = None
    while left is None or left > 0:
        size = PAGE if left is None else min(max(left, smallest), PAGE)
        after = [] if last is None else [_beyond(table, last, newest_first=query.newest_first)]
        async with transaction() as connection:
            bound = None
            if database.sorts_whole_ranges and (last is not None or _is_by_time(query)):
                bound = await _end_of_page(connection, table, [*conditions, *after], size, query)
            until = [] if bound is None else [bound]
            page = statement.where(*conditions, *after, *until).limit(size)
            rows = (await connection.execute(page)).all()
        # Events are yielded outside of the transaction: whoever takes them may be slow.
        passed = 0
        for row in rows:
            event = _event_of(row, table, query)
            if event is not None and database.escapes_nul:
                event = restore_nul(event)
            if event is None or not matches(event, query):
                passed += 1
                continue
            yield event
            if left is not None:
                left -= 1
                if left == 0:
                    return
        if len(rows) < size and bound is None:
            return
        # Where the clause lets much through that does not match, pages grow.
        smallest = min(PAGE, 2 * size) if passed else 1
        last = rows[-1] if rows else last  # others may have deleted all of them meanwhile


def _event_of(row: Row[tuple[object, ...]], table: Table, query: Query) -> Event | None:
    """The event of a row; None where it is none, which the one who asks is given to know.

    Raises:
        SinkRejected: It is none, and whoever asks does not pass over such rows.
    """
    try:
        return to_event(row)
    except (TypeError, ValueError) as error:
        query.pass_over(f"row {row.id!r} of table {table.name} is no event: {error}")
        return None


def _is_by_time(query: Query) -> bool:
    """Whether an index alone says what matches."""
    limits = Query(start=query.start, end=query.end, limit=query.limit, newest_first=query.newest_first)
    return query == limits


async def _end_of_page(
    connection: AsyncConnection,
    table: Table,
    conditions: Sequence[ColumnElement[bool]],
    size: int,
    query: Query,
) -> ColumnElement[bool] | None:
    """A condition that only a page of rows meets, and those of its last microsecond; None for the last page.

    It is found along the index of the time. Without it, a server that sorts by more than the index has would
    read and sort all that follows, for each page.
    """
    time: Column[int] = table.c.time_us
    wanted = select(time).where(*conditions).order_by(time.desc() if query.newest_first else time)
    last = (await connection.execute(wanted.offset(size - 1).limit(1))).scalar()
    if last is None:
        return None
    return time >= last if query.newest_first else time <= last


def _beyond(table: Table, last: Row[tuple[object, ...]], *, newest_first: bool) -> ColumnElement[bool]:
    """The row comes after the last one; the bound on the first column is what an index can use."""
    columns, seen = table.c, last._mapping  # noqa: SLF001 - its public name, which no column can take
    us, ns, id_ = (
        (columns[name].__lt__, columns[name].__gt__)[not newest_first]
        for name in ("time_us", "time_ns", "id")
    )
    same_us = columns.time_us == seen["time_us"]
    same_ns = columns.time_ns == seen["time_ns"]
    bound = (columns.time_us <= seen["time_us"]) if newest_first else (columns.time_us >= seen["time_us"])
    return and_(
        bound,
        or_(
            us(seen["time_us"]),
            and_(same_us, ns(seen["time_ns"])),
            and_(same_us, same_ns, id_(seen["id"])),
        ),
    )
