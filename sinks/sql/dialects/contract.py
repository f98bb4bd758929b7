"""What a database must be able to say for the relational sink to write to it and to search it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from itertools import islice, product
from typing import Any, ClassVar

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, Table, Text, or_, type_coerce

from logweir.encoding.fields import index_of
from logweir.sinks.sql.config import SqlConfig

__all__ = ["Database", "Path", "json_path", "json_text"]

#: Names, and places in lists.
Path = tuple[str | int, ...]
#: Of paths that a dotted name may mean.
_MOST_PATHS = 16


class Database(ABC):
    """One kind of database: how it is connected to, locked, and asked about JSON.

    Attributes:
        label: Its name, as people write it.
        version_query: The SQL that returns the version of the server.
        escapes_nul: Whether the character U+0000 must be written as something else.
        keeps_json_text: Whether the JSON of a row is the text that was written.
        sorts_whole_ranges: Whether rows that an index gives by their first column are all sorted anew by the
            others, where some databases sort only those that share it.
        takes_literals: Whether rows are written into the statement by :mod:`logweir.sinks.sql.literals`.
        takes_joined_columns: Whether rows are given as :mod:`logweir.sinks.sql.joined_columns` makes them.
    """

    label: ClassVar[str]
    version_query: ClassVar[str] = "SELECT version()"
    escapes_nul: ClassVar[bool] = False
    keeps_json_text: ClassVar[bool] = True
    sorts_whole_ranges: ClassVar[bool] = False
    takes_literals: ClassVar[bool] = False
    takes_joined_columns: ClassVar[bool] = False

    def connect_arguments(self, config: SqlConfig) -> Mapping[str, Any]:
        """Return what the driver is given at each connection; reads the files of TLS."""
        return {}

    def settings_of_transactions(self, config: SqlConfig) -> Mapping[str, str]:
        """Return the settings that each transaction begins with."""
        return {}

    def schema_lock(self, connection: Connection, table: str) -> AbstractContextManager[None]:
        """Keep other processes from changing the same table meanwhile."""
        return nullcontext()

    def packet_limit(self, connection: Connection) -> int | None:
        """Return the most bytes of a statement, where the server hangs up on a larger one."""
        return None

    def narrow_encoding(self, connection: Connection, table: Table) -> str:
        """Say which part of the table has an encoding without all of Unicode; empty if all have it."""
        return ""

    def json_text_of(self, document: Column[Any]) -> ColumnElement[str]:
        """The JSON of a column as text, which is not read as JSON on its way."""
        return type_coerce(document, Text)

    # -- conditions ---------------------------------------------------------------------------------

    def text_equals(self, column: ColumnElement[Any], value: str) -> ColumnElement[bool]:
        """The column holds exactly this text."""
        return column == value

    @abstractmethod
    def has_id_in(self, table: Table, ids: Iterable[str]) -> ColumnElement[bool]:
        """The row's id is one of these, as many as there may be."""

    @abstractmethod
    def contains(self, column: ColumnElement[Any], wanted: str) -> ColumnElement[bool]:
        """The text stands in a column of text."""

    @abstractmethod
    def json_contains(self, document: Column[Any], wanted: str) -> ColumnElement[bool]:
        """The text stands somewhere in the JSON."""

    @abstractmethod
    def json_lacks(self, document: Column[Any], name: str) -> ColumnElement[bool]:
        """The JSON has no member of this name."""

    @abstractmethod
    def json_has(self, document: Column[Any], path: Path, value: Any) -> ColumnElement[bool]:
        """The JSON has this value at a path of names and places; 1 equals 1.0 and differs from true."""

    @abstractmethod
    def json_has_item(self, document: Column[Any], path: Path, value: Any) -> ColumnElement[bool]:
        """The JSON has a list with such an item there; other rows may be let through, none is left out."""

    def json_equals(self, document: Column[Any], name: str, value: Any) -> ColumnElement[bool]:
        """The field has this value, or an item of it: it has dots itself, or they lead inside."""
        tests = (self.json_has, self.json_has_item)
        return or_(*(test(document, path, value) for path in _paths(name) for test in tests))


def _paths(name: str) -> list[Path]:
    """The field of this name, and where its dots may lead: a number is a name or a place in a list."""
    paths: list[Path] = [(name,)]
    if "." in name:
        choices = [(part,) if index_of(part) is None else (part, int(part)) for part in name.split(".")]
        paths += islice(product(*choices), _MOST_PATHS)
    return paths


def json_text(value: Any) -> str:
    """Return a value as it is written in the JSON of a row."""
    return msgspec.json.encode(value).decode()


def json_path(parts: Iterable[str | int]) -> str:
    """Return a path as SQLite, MySQL and MariaDB write it."""
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{json_text(part)}" for part in parts)
