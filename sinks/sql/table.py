"""The audit table that all relational sinks share, and why its columns and indexes are what they are.

The key is the event id, a UUIDv7 in its text form: readable, joined without conversion, and ascending
with time, so that new rows go to the right edge of the B-tree instead of splitting pages all over it.
``time_us`` (microseconds since 1970-01-01 UTC) sorts, compares and computes alike in every database and
keeps what a DATETIME of some would round; ``time_ns`` holds the three digits below it.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Float, Index, MetaData, SmallInteger, String, Table, Text
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

__all__ = ["TYPED_FIELDS", "audit_table", "definition"]

#: Fields with a column of their own: the name, and the most characters (None for numbers).
TYPED_FIELDS: dict[str, int | None] = {
    "user_id": 64,
    "status": 32,
    "resource": 255,
    "error_type": 128,
    "duration_ms": None,
}


def audit_table(name: str) -> Table:
    """Return the definition of the audit table."""
    return Table(
        name,
        MetaData(),
        Column("id", String(36), primary_key=True),
        Column("time_us", BigInteger, nullable=False),
        Column("time_ns", SmallInteger, nullable=False),
        Column("kind", String(16), nullable=False),
        Column("level", String(16), nullable=False),
        Column("action", Text, nullable=False),
        Column("service", String(128), nullable=False),
        Column("env", String(64), nullable=False),
        Column("trace_id", String(64)),
        Column("span_id", String(64)),
        Column("user_id", String(64)),
        Column("status", String(32)),
        Column("resource", String(255)),
        Column("error_type", String(128)),
        Column("duration_ms", Float),
        Column("extra_info", JSON(none_as_null=True), nullable=False),
        # What happened lately, and what retention deletes.
        Index(f"ix_{name}_time", "time_us"),
        # What a user did, newest first: the question every audit ends in.
        Index(f"ix_{name}_user_time", "user_id", "time_us"),
        # One request across the stores.
        Index(f"ix_{name}_trace", "trace_id"),
    )


def definition(*tables: Table) -> list[ExecutableDDLElement]:
    """Return the statements that create what is missing of the tables and their indexes.

    Each passes over what is there already, so that a provisioning that was cut short is completed and
    several processes may provision at once.
    """
    indexes = sorted(
        (index for table in tables for index in table.indexes), key=lambda index: str(index.name)
    )
    return [
        *(CreateTable(table, if_not_exists=True) for table in tables),
        *(CreateIndex(index, if_not_exists=True) for index in indexes),
    ]
