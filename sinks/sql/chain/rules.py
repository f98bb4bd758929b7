"""What a row says, and which hash it must have: by the rule in force, and by the one before version 2. Pure.

Hashes are made of what is stored. Where a database keeps ``extra_info`` as the text that was written, it is
that text, to the last byte: what SQL reads of it is what was hashed, whatever SQL does with a name that
stands twice. Where a database has a JSON type of its own, it is the canonical text of what that returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec
from sqlalchemy import Table

from logweir.event import Event
from logweir.sinks.sql.canonical import canonical, decode_strictly
from logweir.sinks.sql.chain.hashing import Link, Seal
from logweir.sinks.sql.chain.identity import OLDER, ChainEnd
from logweir.sinks.sql.dialects.contract import Database
from logweir.sinks.sql.encode import to_event, to_row
from logweir.sinks.sql.nul_escape import hide_nul, restore_nul
from logweir.sinks.sql.own_model import AUDIT_COLUMNS
from logweir.sinks.sql.table import JsonDocument

__all__ = ["BoundRule", "OlderRule", "Rule", "Rules"]

_sorted_json = msgspec.json.Encoder(order="sorted").encode


class Rule(Protocol):
    """How a row is read and hashed."""

    def read(self, columns: Mapping[str, Any]) -> tuple[Any, tuple[str, ...]]:
        """Return what is hashed, and the columns that are not what it would have there.

        Raises:
            Exception: Whatever was put into the row makes it unreadable.
        """
        ...

    def hash_of(self, link: Link, content: Any) -> str:
        """Return the hash of a row at a place.

        Raises:
            TypeError: It has none.
            ValueError: It has none.
        """
        ...


class BoundRule:
    """The rule in force: the id of the table, and all columns of the audit.

    Args:
        seal: Makes hashes.
        table_id: The id.
        text_of: Turns ``extra_info``, as it was read, into the text that was hashed.
    """

    def __init__(self, seal: Seal, table_id: str, text_of: Callable[[Any], Any]) -> None:
        self._seal = seal
        self._table_id = table_id
        self._text_of = text_of

    def read(self, columns: Mapping[str, Any]) -> tuple[Any, tuple[str, ...]]:
        """See :meth:`Rule.read`; every column is hashed, so that none can differ."""
        content = [columns[name] for name in AUDIT_COLUMNS]
        content[-1] = self._text_of(content[-1])
        return content, ()

    def hash_of(self, link: Link, content: Any) -> str:
        """See :meth:`Rule.hash_of`."""
        return self._seal.of_row(self._table_id, link, content)

    def hash_at(self, writer: str, seq: int, prev: str, columns: tuple[Any, ...], extra: Any) -> str:
        """Return the hash of a row at a place.

        Args:
            writer: Who wrote it.
            seq: Its number.
            prev: The hash of the row before it.
            columns: Those of the audit but the last one.
            extra: That, as it was read.

        Raises:
            Exception: It has none.
        """
        content = (*columns, self._text_of(extra))
        return self._seal.of_columns(self._table_id, writer, seq, prev, content)


class OlderRule:
    """The rule before version 2: the event, of which columns may be doubles.

    Args:
        seal: Makes hashes.
        hides_nul: Whether U+0000 was written as something else.
        is_text: Whether ``extra_info`` is the text that was written.
    """

    def __init__(self, seal: Seal, *, hides_nul: bool, is_text: bool) -> None:
        self._seal = seal
        self._hides_nul = hides_nul
        self._is_text = is_text

    def read(self, columns: Mapping[str, Any]) -> tuple[Event, tuple[str, ...]]:
        """See :meth:`Rule.read`."""
        text = columns["extra_info"]
        extra = msgspec.json.decode(text) if self._is_text else decode_strictly(text)
        found = {**columns, "extra_info": extra}
        stored = to_event([found[name] for name in AUDIT_COLUMNS])
        event = restore_nul(stored) if self._hides_nul else stored
        wanted = to_row(hide_nul(event) if self._hides_nul else event)
        differing = [name for name, value in wanted.items() if not _same(found[name], value)]
        # Each name once, in the order of the call, without a space: no other text was ever written.
        if self._is_text and "extra_info" not in differing and msgspec.json.encode(extra).decode() != text:
            differing.append("extra_info")
        return event, tuple(differing)

    def hash_of(self, link: Link, content: Any) -> str:
        """See :meth:`Rule.hash_of`."""
        return self._seal.of_row_before_2(link, content)


class Rules:
    """The rules of one table, by the id that is in the hashes.

    Args:
        seal: Makes hashes.
        table: The audit table.
        database: Whose it is.
    """

    def __init__(self, seal: Seal, table: Table, database: Database) -> None:
        self._seal = seal
        is_ours = isinstance(table.c.extra_info.type, JsonDocument)
        self._is_text = is_ours and database.keeps_json_text
        # A JSON type of the server's own has each name once; in a model's column of text it may stand twice.
        read = decode_strictly if database.keeps_json_text else msgspec.json.decode
        self._text_of = _itself if self._is_text else lambda text: canonical(read(text)).decode()
        self._older = OlderRule(seal, hides_nul=database.escapes_nul, is_text=self._is_text)
        self._bound: dict[str, Rule] = {}

    def of_chain(self, end: ChainEnd | None, current: str) -> Rule:
        """Return the rule of a chain: that of its end, or that of the id in force."""
        return self.by(current if end is None else end.table_id)

    def by(self, table_id: str) -> Rule:
        """Return the rule of rows that were hashed with an id, or with none."""
        if table_id == OLDER:
            return self._older
        if table_id not in self._bound:
            self._bound[table_id] = BoundRule(self._seal, table_id, self._text_of)
        return self._bound[table_id]


def _itself(text: Any) -> Any:
    return text


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return _sorted_json(found) == _sorted_json(wanted)  # which distinguishes 1 from 1.0
    if isinstance(wanted, int) and isinstance(found, float):
        wanted = float(wanted)  # a number in a column of floats
    return type(found) is type(wanted) and bool(found == wanted)
