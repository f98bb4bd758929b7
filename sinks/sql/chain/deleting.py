"""Deleting rows of chains rightfully: the links that go are noted, and signed like rows.

A signature says that a gap is no tampering, so it is given only for rows that are what was written. Otherwise
whoever sets back the time of a row, or puts an old one into a gap, would have retention sign it. Such rows
stay, which verifying reports, and an operator sees what was there.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, Table, and_, delete

from logweir.diagnostics import report
from logweir.encoding.counted import counted
from logweir.errors import SinkUnavailable
from logweir.sinks.sql.chain.hashing import Link
from logweir.sinks.sql.chain.judging import StoredRow, fits, number, read_row
from logweir.sinks.sql.chain.pages import rows_of
from logweir.sinks.sql.chain.rules import Rules
from logweir.sinks.sql.chain.tables import ChainTables
from logweir.sinks.sql.dialects.contract import Database
from logweir.sinks.sql.table import CHAIN_COLUMNS

__all__ = ["delete_rows"]


def delete_rows(
    connection: Connection,
    table: Table,
    chain: ChainTables,
    database: Database,
    condition: ColumnElement[bool],
) -> int:
    """Delete rows, and note which links go with them; return how many went.

    Args:
        connection: A connection, in whose transaction it happens.
        table: The audit table.
        chain: The tables beside it.
        database: Whose it is.
        condition: Which rows; those of them that are not what was written stay.

    Raises:
        SinkUnavailable: Somebody else deleted some of them, or noted deletions of the same chains, meanwhile.
    """
    rows = connection.execute(rows_of(table, database).where(condition).with_for_update()).all()
    if not rows:
        return 0
    chain.identity.load(connection)  # another process may have given the table a new one
    ends = chain.ends_of(connection, {row.chain_writer for row in rows if row.chain_writer is not None})
    rules = Rules(chain.seal, table, database)
    sound, links, tampered = list[str](), list[Link](), list[StoredRow]()
    for row in rows:
        if all(row._mapping[name] is None for name in CHAIN_COLUMNS):  # noqa: SLF001 - it is public
            sound.append(row.id)  # from before the chains: nothing is signed for it
            continue
        rule = rules.of_chain(ends.get(row.chain_writer), chain.identity.current)
        found = read_row(row._mapping, rule)  # type: ignore[arg-type]  # noqa: SLF001 - it is public
        if number(found.link.seq) and not found.differing and fits(rule, found.content, found.link):
            sound.append(row.id)
            links.append(found.link)
        else:
            tampered.append(found)
    if tampered:
        _report(table, tampered)
        condition = and_(condition, database.has_id_in(table, sound))
    if not sound:
        return 0
    chain.note_gone(connection, links)
    deleted = connection.execute(delete(table).where(condition)).rowcount
    if deleted != len(sound):
        raise SinkUnavailable("another process deleted the same rows")
    return deleted


def _report(table: Table, tampered: Sequence[StoredRow]) -> None:
    first = tampered[0]
    report(
        f"{table.name}.tampered",
        "in the table %s %s not deleted, after a change past logweir (the first: event %s, writer %s, number"
        " %s); run `logweir verify`",
        table.name,
        counted(len(tampered), "row", "was", "were"),
        first.event_id,
        first.link.writer,
        first.link.seq,
    )
