"""What is known of chains outside of their database: a small file in ``data_dir``.

Whoever may write to the database can drop all tables of an audit, or put those of yesterday in their place,
and what is there is then sound. So each process notes in a file of its own machine the id of the table and
the ends of the chains that it wrote last. A start compares both.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import structs
from sqlalchemy.engine import URL

from logweir.diagnostics import report
from logweir.errors import SinkRejected
from logweir.sinks.tamper_evidence import Head

__all__ = ["Known", "KnownChains"]

_FORMAT = "logweir known chains 2"
#: Files of before have no checksum.
_UNCOUNTED = "logweir known chains 1"
#: Ends of chains that are kept; a process writes few chains at once.
_MOST = 64


class _Head(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    writer: str
    seq: int
    hash: str


class _File(msgspec.Struct, forbid_unknown_fields=True):
    format: str
    table: str
    table_id: str
    heads: list[_Head]
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What a file says.

    Attributes:
        table_id: The id of the table.
        heads: Ends of chains, the newest last.
    """

    table_id: str
    heads: Sequence[Head] = ()

    def with_heads(self, heads: Iterable[Head]) -> Known:
        """Return it with further ends; of one chain the last counts, of many chains the newest."""
        ends = {head.writer: head for head in self.heads}
        for head in heads:
            before = ends.pop(head.writer, head)
            ends[head.writer] = max(before, head, key=lambda end: end.seq)
        return Known(self.table_id, [*ends.values()][-_MOST:])


class KnownChains:
    """The file about the chains of one table.

    Args:
        folder: The ``data_dir``.
        sink: The name of the sink.
        url: The database.
        table: The audit table.
    """

    def __init__(self, folder: Path, sink: str, url: URL, table: str) -> None:
        self._folder, self._sink, self._url, self._table = folder, sink, url, str(table)

    @cached_property
    def path(self) -> Path:
        """The file, named after the sink and the place of its table; asks for the working directory."""
        url = self._url
        database = str(Path(url.database).absolute()) if url.host is None and url.database else url.database
        place = "\n".join(map(str, (url.get_backend_name(), url.host, url.port, database, self._table)))
        return self._folder / "chains" / f"{self._sink}-{sha256(place.encode()).hexdigest()[:12]}.json"

    def read(self) -> Known | None:
        """Return what is known; None if nothing is, or if it may not be read, as by an auditor's account.

        Raises:
            SinkRejected: The file is damaged.
        """
        try:
            found = msgspec.json.decode(self.path.read_bytes(), type=_File)
        except (FileNotFoundError, PermissionError):
            return None
        except (OSError, ValueError) as error:  # among them what is no JSON
            raise self._refusal(error) from None
        if found.format != _UNCOUNTED and found != _sealed(found):
            raise self._refusal("its checksum does not fit: it was damaged or changed")
        return Known(found.table_id, [Head(head.writer, head.seq, head.hash) for head in found.heads])

    def _refusal(self, reason: object) -> SinkRejected:
        return SinkRejected(f"{self.path}, which knows the chains of {self._table}: {reason}")

    def write(self, known: Known) -> None:
        """Replace the file; what goes wrong is reported, for rows matter more than their note."""
        heads = [_Head(head.writer, head.seq, head.hash) for head in known.heads]
        data = msgspec.json.encode(_sealed(_File(_FORMAT, self._table, known.table_id, heads)))
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(self.path)
            except BaseException:
                with contextlib.suppress(OSError):
                    Path(name).unlink()
                raise
        except OSError as error:
            report(f"{self.path}.known", "what is known of chains cannot be kept in %s: %s", self.path, error)


def _sealed(file: _File) -> _File:
    """A file with the checksum of the rest of it, against damage: whoever changes it can make that anew."""
    rest = msgspec.json.encode(structs.replace(file, format=_FORMAT, sha256=""))
    return structs.replace(file, format=_FORMAT, sha256=sha256(rest).hexdigest())
