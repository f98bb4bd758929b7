"""Rows in a transaction of the application's, and the outbox beside the audit table.

An outbox row holds the whole event as JSON. A relay claims rows before it takes them, so that the relays of
several processes share the work; a claim that is not followed by a deletion (the process died, another
sink was down) runs out after :data:`CLAIM_SECONDS`. Clocks of different machines may differ: at worst an
event is relayed twice, which sinks absorb by id.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.mysql import LONGTEXT

from logweir.encoding.events import decode_event, encode_event
from logweir.event import Event
from logweir.sinks.sql.encode import Row
from logweir.sinks.sql.nul_escape import hide_nul
from logweir.sinks.sql.own_model import fill
from logweir.sinks.sql.table import TABLE_OPTIONS

__all__ = [
    "CLAIM_SECONDS",
    "claim_outbox",
    "clear_outbox",
    "insert_row",
    "note_in_outbox",
    "outbox_table",
    "row_of",
]

CLAIM_SECONDS = 15


def outbox_table(table: Table) -> Table:
    """Return the definition of the outbox of an audit table."""
    return Table(
        f"{table.name}_outbox",
        MetaData(schema=table.schema),  # the application's own metadata would take it only once
        Column("id", String(36), primary_key=True),
        Column("claimed_by", String(36)),
        Column("claimed_until", BigInteger, nullable=False),
        Column("body", Text().with_variant(LONGTEXT, "mysql", "mariadb"), nullable=False),
        **TABLE_OPTIONS,
    )


def row_of(connection: Connection, table: Table, event: Event) -> Row:
    """Return the row of an event as the connection's own dialect takes it, whatever its driver."""
    return fill(table, hide_nul(event) if connection.dialect.name == "postgresql" else event)


def insert_row(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert a row by the connection's own dialect."""
    connection.execute(insert(table), [row])


def note_in_outbox(connection: Connection, outbox: Table, event: Event) -> None:
    """Note that an event is to be relayed if the transaction commits."""
    row = {"id": event.id, "claimed_by": None, "claimed_until": 0, "body": encode_event(event).decode()}
    connection.execute(insert(outbox), [row])


def claim_outbox(connection: Connection, outbox: Table, limit: int) -> list[Event]:
    """Claim events for a relay, the oldest first; they are its own until the claim runs out."""
    columns, now, relay = outbox.c, int(time.time()), str(uuid4())
    free = columns.claimed_until < now
    ids = list(connection.scalars(select(columns.id).where(free).order_by(columns.id).limit(limit)))
    if not ids:
        return []
    claim = update(outbox).where(columns.id.in_(ids), free)
    connection.execute(claim.values(claimed_by=relay, claimed_until=now + CLAIM_SECONDS))
    mine = select(columns.body).where(columns.id.in_(ids), columns.claimed_by == relay).order_by(columns.id)
    return [decode_event(body.encode()) for body in connection.scalars(mine)]


def clear_outbox(connection: Connection, outbox: Table, ids: Sequence[str]) -> None:
    """Delete the notes of events that were relayed."""
    connection.execute(delete(outbox).where(outbox.c.id.in_(ids)))
