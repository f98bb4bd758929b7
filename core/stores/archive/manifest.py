"""Where things stand in an archive, and the manifest that makes a day of it count.

::

    URL/audit_db/day=2026-08-01/part-20261030T030000-9f3a2c1e-0000.parquet
    URL/audit_db/day=2026-08-01/manifest-20261030T030000-9f3a2c1e.json

A file that no manifest names is no part of the archive. A day has one manifest for each run that
archived something of it: usually one, another when rows arrived late.
"""

from __future__ import annotations

import posixpath
import secrets
from datetime import UTC, date, datetime, timedelta

import msgspec

from logweir.errors import ArchiveError
from logweir.event import Kind
from logweir.stores.archive.storage import Storage

__all__ = [
    "ArchivedFile",
    "Manifest",
    "beginning_of",
    "day_folder",
    "manifest_name",
    "manifests",
    "new_run",
    "part_name",
    "write_manifest",
]

_PREFIX = "manifest-"
_SUFFIX = ".json"


class ArchivedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One Parquet file.

    Attributes:
        name: Its name, beside the manifest.
        rows: How many rows it has.
        sha256: The hash of its events as JSON lines, in the order of the file.
    """

    name: str
    rows: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What one run archived of one day.

    Attributes:
        version: Of this format.
        sink: The sink it came from.
        service: The service whose routing.yaml it was.
        env: Its environment.
        kind: The kind of events it was asked for; None for all.
        day: The UTC day, as ``2026-08-01``.
        run: The run, as in the names of the files.
        written: When, ISO 8601.
        rows: How many rows all files have.
        files: The files.
    """

    sink: str
    service: str
    env: str
    kind: Kind | None
    day: str
    run: str
    written: str
    rows: int
    files: list[ArchivedFile]
    version: int = 1

    @property
    def beginning(self) -> datetime:
        """The first moment of the day."""
        return beginning_of(date.fromisoformat(self.day))


def beginning_of(day: date) -> datetime:
    """The first moment of a UTC day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def new_run(now: datetime) -> str:
    """A name for a run, like no other's."""
    return f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(8)}"


def day_folder(storage: Storage, sink: str, day: date) -> str:
    """The folder of a day."""
    return storage.path(sink, f"day={day.isoformat()}")


def part_name(run: str, number: int | None = None) -> str:
    """The name of a file of a run; without a number, what the names of all its files begin with."""
    return f"part-{run}-" if number is None else f"part-{run}-{number:04}.parquet"


def manifest_name(run: str) -> tuple[str, str]:
    """The name of the manifest of a run, without its ending, and the ending."""
    return f"{_PREFIX}{run}", _SUFFIX


def write_manifest(storage: Storage, folder: str, manifest: Manifest) -> None:
    """Write a manifest, whole or not at all, and see that it is there.

    Raises:
        ArchiveError: It is not.
    """
    path = posixpath.join(folder, "".join(manifest_name(manifest.run)))
    storage.write(path, msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    if _read(storage, path) != manifest:
        raise ArchiveError(f"{storage.shown(path)}: what is read is not what was written")


def manifests(storage: Storage, folder: str) -> list[tuple[str, Manifest]]:
    """The manifests anywhere below a folder, each with the folder it is in, by day.

    Raises:
        ArchiveError: One cannot be read.
    """
    found = [
        (posixpath.dirname(path), _read(storage, path)) for path in storage.find(folder, _PREFIX, _SUFFIX)
    ]
    return sorted(found, key=lambda item: (item[1].day, item[1].run))


def _read(storage: Storage, path: str) -> Manifest:
    try:
        manifest = msgspec.json.decode(storage.read(path), type=Manifest)
        _ = manifest.beginning + timedelta(days=1)
    except (msgspec.DecodeError, ValueError) as error:
        raise ArchiveError(f"{storage.shown(path)}: not a manifest: {error}") from None
    if any("/" in file.name or not file.name for file in manifest.files):
        raise ArchiveError(f"{storage.shown(path)}: it names files of other folders")
    return manifest
