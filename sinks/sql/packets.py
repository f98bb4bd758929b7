"""Whether rows fit into what MySQL takes in one packet. Pure.

Rows are joined to statements of at most about a megabyte, or of one row that is larger. With most
servers only a very large row can be too large; where the server takes less than a megabyte, a batch can.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from logweir.errors import SinkRejected
from logweir.sinks.sql.dialects.contract import json_text
from logweir.sinks.sql.literals import LONGEST_STATEMENT
from logweir.sinks.sql.table import audit_table

__all__ = ["require_packets"]

#: Room for the statement itself.
_STATEMENT = 4096
#: Where the texts without a limit are, and what all other columns can hold.
_NAMES = audit_table("audit_log").columns.keys()
_COLUMNS, _ACTION, _EXTRA_INFO = len(_NAMES), _NAMES.index("action"), _NAMES.index("extra_info")
_OTHERS = 6144
#: Characters that the driver writes as two.
_ESCAPED = "\0\n\r\x1a\"'\\"


def require_packets(rows: Sequence[Any], limit: int) -> None:
    """Check the rows of one batch.

    Raises:
        SinkRejected: They do not fit; the message has the sizes.
    """
    room = limit - _STATEMENT
    joins = room < LONGEST_STATEMENT
    longest = _most_of(rows)
    if (sum(longest) if joins else max(longest)) <= room:
        return
    sizes = [sum(map(_size, _texts(row))) + 512 for row in rows]
    largest = sum(sizes) if joins else max(sizes)
    if largest > room:
        raise SinkRejected(f"{largest} bytes are more than the server's max_allowed_packet of {limit}")


def _most_of(rows: Sequence[Any]) -> list[int]:
    """Return what each row cannot exceed, if every character takes four bytes; asked for every row."""
    if set(map(type, rows)) == {tuple} and set(map(len, rows)) == {_COLUMNS}:
        return [4 * (len(row[_ACTION]) + len(row[_EXTRA_INFO])) + _OTHERS for row in rows]
    return [4 * sum(map(len, _texts(row))) + _OTHERS for row in rows]


def _texts(row: Any) -> Iterable[str]:
    values = row.values() if isinstance(row, Mapping) else row
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            yield json_text(value)


def _size(text: str) -> int:
    return len(text.encode()) + sum(map(text.count, _ESCAPED))
