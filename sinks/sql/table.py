"""The audit table that all relational sinks share, and why its columns and indexes are what they are.

The key is the event id, a UUIDv7 in its text form: readable, joined without conversion, and ascending
with time, so that new rows go to the right edge of the B-tree instead of splitting pages all over it.
``time_us`` (microseconds since 1970-01-01 UTC) sorts, compares and computes alike in every database and
keeps what a DATETIME of some would round; ``time_ns`` holds the three digits below it.

Text compares by its characters, byte for byte: an audit that finds "Ann" must not find "ann". In MySQL and
MariaDB that is the collation ``utf8mb4_bin``, of the whole table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Dialect,
    Double,
    Index,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.dialects.mysql import LONGTEXT, MEDIUMTEXT
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement
from sqlalchemy.types import TypeEngine

from logweir.sinks.sql.canonical import canonical

__all__ = ["CHAIN_COLUMNS", "TABLE_OPTIONS", "TYPED_FIELDS", "JsonDocument", "audit_table", "definition"]

#: Fields with a column of their own: the name, and the most characters (None for numbers).
TYPED_FIELDS: dict[str, int | None] = {
    "user_id": 64,
    "status": 32,
    "resource": 255,
    "error_type": 128,
    "duration_ms": None,
}

#: What links a row to the one before it, where ``audit.chain`` is set; empty in rows from before that.
CHAIN_COLUMNS = ("chain_writer", "chain_seq", "chain_prev", "chain_hash")

#: The options of a table that MySQL and MariaDB need; the others store all of Unicode anyway.
TABLE_OPTIONS: dict[str, Any] = {
    f"{server}_{option}": value
    for server in ("mysql", "mariadb")
    for option, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}.items()
}


class JsonDocument(TypeDecorator[Any]):
    """JSON in its canonical text, which comes back as it was written, whoever's engine writes it.

    PostgreSQL's ``json`` keeps the text, where ``jsonb`` would turn 1e300 into an integer. MariaDB's JSON
    is text with a check that refuses documents more than 31 levels deep; here it is that text, unchecked.
    """

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the type by the server."""
        return dialect.type_descriptor(LONGTEXT() if dialect.name == "mariadb" else JSON())

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        """Write the text that hashes are made of: in UTF-8, without escapes, so that it can be searched."""
        return lambda value: canonical(value).decode()

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """Read the text, whether the type is JSON or text; some drivers have read it already.

        A text that is not JSON stays one: an error here would take the whole page with it, without a name.
        """

        def read(value: Any) -> Any:
            try:
                return msgspec.json.decode(value) if isinstance(value, str) else value
            except (msgspec.DecodeError, ValueError):
                return value

        return read


def audit_table(name: str, *, chained: bool = False) -> Table:
    """Return the definition of the audit table, with the columns of a chain if its rows have one."""
    table = Table(
        name,
        MetaData(),
        Column("id", String(36), primary_key=True),
        Column("time_us", BigInteger, nullable=False),
        Column("time_ns", SmallInteger, nullable=False),
        Column("kind", String(16), nullable=False),
        Column("level", String(64), nullable=False),
        Column("action", Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb"), nullable=False),
        Column("service", String(255), nullable=False),
        Column("env", String(255), nullable=False),
        Column("trace_id", String(64)),
        Column("span_id", String(64)),
        *(
            Column(field, Double if longest is None else String(longest))
            for field, longest in TYPED_FIELDS.items()
        ),
        Column("extra_info", JsonDocument, nullable=False),
        # What happened lately, and what retention deletes.
        Index(f"ix_{name}_time", "time_us"),
        # What a user did, newest first: the question every audit ends in.
        Index(f"ix_{name}_user_time", "user_id", "time_us"),
        # One request across the stores.
        Index(f"ix_{name}_trace", "trace_id"),
        **TABLE_OPTIONS,
    )
    if chained:
        kinds: tuple[TypeEngine[Any], ...] = (String(36), BigInteger(), String(64), String(64))
        for column, kind in zip(CHAIN_COLUMNS, kinds, strict=True):
            table.append_column(Column(column, kind))
        # Verification reads each chain in its order; no writer can use a number twice.
        Index(f"ux_{name}_chain", table.c.chain_writer, table.c.chain_seq, unique=True)
    return table


def definition(
    tables: Iterable[Table],
    present: Mapping[str, Iterable[str]] | None = None,
    *,
    index_if_not_exists: bool = False,
) -> list[ExecutableDDLElement]:
    """Return the statements that create what is missing of the tables and their indexes.

    Args:
        tables: What there should be.
        present: The tables that there are, each with the names of its indexes.
        index_if_not_exists: Let the statements pass over indexes that are there, as those for tables do.
    """
    there = present or {}
    statements: list[ExecutableDDLElement] = []
    for table in tables:
        if table.name not in there:
            statements.append(CreateTable(table, if_not_exists=True))
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        missing = [index for index in indexes if str(index.name) not in there.get(table.name, ())]
        statements += [CreateIndex(index, if_not_exists=index_if_not_exists) for index in missing]
    return statements
