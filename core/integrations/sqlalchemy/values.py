"""Keys and values of rows, as events have them, and the reading of those that are not loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, false, select, update
from sqlalchemy.orm import InstanceState, Mapper

from logweir.integrations.sqlalchemy.tracked import key_names, root_table
from logweir.redaction.scan import MASK
from logweir.runtime.runtime import Runtime

__all__ = ["as_written", "differ", "key_of", "read_row", "resource_of", "take_lock"]

_LONGEST_RESOURCE = 255  # as the column has it
_LONGEST_BYTES = 1024


def key_of(state: InstanceState[Any]) -> tuple[Any, ...]:
    """The primary key of an object as it is after the flush."""
    mapper, values = state.mapper, state.dict
    names = key_names(mapper)
    if all(name in values for name in names):
        return tuple(values[name] for name in names)
    return tuple(state.identity or ())


def resource_of(runtime: Runtime, mapper: Mapper[Any], key: Sequence[Any]) -> str:
    """What the events of a row are found by: its table and its key.

    A key that may not be shown, or is too long, is replaced by its hash.
    """
    texts = [_key_text(value) for value in key]
    table = root_table(mapper)
    text = f"{table}:{texts[0] if len(texts) == 1 else msgspec.json.encode(texts).decode()}"
    shown = runtime.snapshot({"resource": text, **dict(zip(key_names(mapper), texts, strict=False))})
    if len(text) > _LONGEST_RESOURCE or shown.pop("resource") != text or MASK in shown.values():
        return f"{table}:sha256:{hashlib.sha256(text.encode('utf-8', 'backslashreplace')).hexdigest()}"
    return text


def _key_text(value: Any) -> str:
    if isinstance(value, Enum):
        return value.name
    return bytes(value).hex() if isinstance(value, bytes | bytearray | memoryview) else str(value)


def as_written(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values for an event: of bytes that are many, their size and hash."""
    return {name: _shortened(value) for name, value in values.items()}


def _shortened(value: Any) -> Any:
    if isinstance(value, bytes | bytearray) and len(value) > _LONGEST_BYTES:
        return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
    return value


def differ(mapper: Mapper[Any], name: str, before: Any, after: Any) -> bool:
    """Whether a column has another value, as its own type compares them."""
    if before is after:
        return False
    try:
        return not mapper.columns[name].type.compare_values(before, after)
    except Exception:  # noqa: BLE001 - values that cannot be compared are recorded
        return True


def take_lock(connection: Connection, table: Any) -> None:
    """Let nobody write between a read and the statement behind it, where FOR UPDATE means nothing.

    Without it, SQLite's driver reads outside of a transaction, and one that has read may not write any more.
    """
    if connection.dialect.name == "sqlite":
        column = next(iter(table.primary_key or table.columns))
        connection.execute(update(table).where(false()).values({column: column}))


def read_row(
    connection: Connection,
    mapper: Mapper[Any],
    key: Sequence[Any],
    names: Iterable[str],
    *,
    lock: bool = False,
) -> dict[str, Any]:
    """Read columns of a row on the connection of a flush; empty if it is not there.

    Args:
        connection: In the transaction.
        mapper: Of the row's class.
        key: Its primary key in the database.
        names: The attributes to read.
        lock: Whether to take the lock that the statement to come takes anyway.
    """
    wanted = list(names)
    if not wanted:
        return {}
    statement = (
        select(*(mapper.columns[name] for name in wanted))
        .select_from(mapper.persist_selectable)
        .where(and_(*(column == value for column, value in zip(mapper.primary_key, key, strict=True))))
    )
    if lock:
        take_lock(connection, mapper.local_table)
    row = connection.execute(statement.with_for_update() if lock else statement).first()
    return {} if row is None else dict(zip(wanted, row, strict=True))
