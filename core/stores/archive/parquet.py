"""Events as Parquet, and back: one row each, typed columns for what people filter by, all fields as JSON.

The columns are those of the audit table, so that a question asked there can be asked of the archive.
``fields`` holds every field, also those that have a column: a row gives back the identical event. The
hash of a file is the SHA-256 of its events as JSON lines (:func:`logweir.encoding.events.encode_event`), in
the order of the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

import msgspec

from logweir.encoding.events import encode_event
from logweir.errors import ArchiveError, MissingDependency
from logweir.event import Event, Kind

__all__ = ["ContentHash", "Writer", "read_events", "read_ids", "require_pyarrow"]

#: Rows that are events at the same time while a file is read.
_AT_ONCE = 1_000

_encode_json = msgspec.json.Encoder().encode
_decode_json = msgspec.json.Decoder().decode


def require_pyarrow() -> Any:
    """Return pyarrow with its module for Parquet.

    Raises:
        MissingDependency: It is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra: archive
        import pyarrow.parquet  # noqa: PLC0415 - an attribute of the other
    except ImportError:
        raise MissingDependency("an archive", "archive") from None
    return pa


class ContentHash:
    """The hash of a sequence of events.

    Attributes:
        rows: How many there were.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.rows = 0

    def update(self, events: Iterable[Event]) -> None:
        """Add the next events."""
        for event in events:
            self._hash.update(encode_event(event))
            self._hash.update(b"\n")
            self.rows += 1

    def hexdigest(self) -> str:
        """The hash of all events up to now."""
        return self._hash.hexdigest()


class Writer:
    """Writes events into an open file.

    Rows wait for their row group as columns of Arrow, a tenth of what their events take.

    Args:
        file: The file.
        group: Rows after which a row group is written.

    Attributes:
        content: The hash of what was written.
    """

    def __init__(self, file: IO[bytes], group: int) -> None:
        self._pa = require_pyarrow()
        self._writer = self._pa.parquet.ParquetWriter(file, _schema(self._pa), compression="zstd")
        self._group = group
        self._waiting: list[Any] = []
        self.content = ContentHash()

    def write(self, events: Sequence[Event]) -> None:
        """Take the next events."""
        self._waiting.append(_table(events))
        self.content.update(events)
        if sum(table.num_rows for table in self._waiting) >= self._group:
            self._write_group()

    def close(self) -> None:
        """Write what waits, and the footer."""
        if self._waiting:
            self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        self._writer.write_table(self._pa.concat_tables(self._waiting))
        self._waiting.clear()


def read_events(file: IO[bytes]) -> Iterator[list[Event]]:
    """Yield the events of a file, a part of a row group at a time.

    Raises:
        ArchiveError: A row is not what was written: its columns contradict its fields.
    """
    for events, table in _groups(file):
        if not _table(events).equals(table):
            raise ArchiveError("a row's columns and its fields contradict each other")
        yield events


def read_ids(file: IO[bytes]) -> Iterator[list[str]]:
    """Yield the ids of a file, a row group at a time."""
    parquet = require_pyarrow().parquet.ParquetFile(file)
    for group in range(parquet.num_row_groups):
        yield parquet.read_row_group(group, columns=["id"], use_threads=False).column("id").to_pylist()


def _typed_fields() -> dict[str, int | None]:
    """The fields with a column of their own; asked for late, because it brings all of SQLAlchemy."""
    from logweir.sinks.sql.table import TYPED_FIELDS  # noqa: PLC0415 - see above

    return TYPED_FIELDS


def _schema(pa: Any) -> Any:
    text = pa.string()
    typed = [(name, pa.float64() if longest is None else text) for name, longest in _typed_fields().items()]
    columns = [
        ("id", text),
        ("time", pa.timestamp("us", tz="UTC")),
        ("time_ns", pa.int16()),
        *((name, text) for name in ("kind", "level", "action", "service", "env", "trace_id", "span_id")),
        *typed,
        ("fields", text),
    ]
    optional = {"trace_id", "span_id", *_typed_fields()}
    return pa.schema([pa.field(name, kind, nullable=name in optional) for name, kind in columns])


def _table(events: Sequence[Event]) -> Any:
    pa = require_pyarrow()
    schema = _schema(pa)
    columns: dict[str, list[Any]] = {
        "id": [event.id for event in events],
        "time": [event.time // 1000 for event in events],
        "time_ns": [event.time % 1000 for event in events],
        "kind": [event.kind.value for event in events],
        "level": [event.level for event in events],
        "action": [event.name for event in events],
        "service": [event.service for event in events],
        "env": [event.env for event in events],
        "trace_id": [event.trace_id for event in events],
        "span_id": [event.span_id for event in events],
        "fields": [_encode_json(event.fields).decode() for event in events],
    }
    for name, longest in _typed_fields().items():
        convert = _number if longest is None else _text
        columns[name] = [convert(event.fields.get(name)) for event in events]
    arrays = [pa.array(columns[field.name], field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _text(value: Any) -> str | None:
    """An integer user id is searched as text, as in the audit table."""
    return value if type(value) is str else str(value) if type(value) is int else None


def _number(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) else None


def _groups(file: IO[bytes]) -> Iterator[tuple[list[Event], Any]]:
    pa = require_pyarrow()
    parquet = pa.parquet.ParquetFile(file)
    if not parquet.schema_arrow.equals(_schema(pa)):
        raise ArchiveError("its columns are not those of an archive")
    for group in range(parquet.num_row_groups):
        whole = parquet.read_row_group(group, use_threads=False)
        for start in range(0, whole.num_rows, _AT_ONCE):
            table = whole.slice(start, _AT_ONCE)
            yield _events(pa, table), table


def _events(pa: Any, table: Any) -> list[Event]:
    columns = {
        name: (table.column(name).cast(pa.int64()) if name == "time" else table.column(name)).to_pylist()
        for name in table.column_names
        if name not in _typed_fields()
    }
    return [
        Event(
            row["id"],
            row["time"] * 1000 + row["time_ns"],
            Kind(row["kind"]),
            row["level"],
            row["action"],
            row["service"],
            row["env"],
            row["trace_id"],
            row["span_id"],
            _decode_json(row["fields"]),
        )
        for row in (dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))
    ]
