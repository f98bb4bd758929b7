"""Archiving a sink, day by day; the package says why the order of its steps is safe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Protocol

from logweir.errors import ArchiveError
from logweir.event import Kind
from logweir.process.threads import in_thread
from logweir.sinks.contract import Deletable, Query, Readable
from logweir.stores.archive.files import Part, ids_of, in_steps, verify
from logweir.stores.archive.journal import Journal, Unfinished
from logweir.stores.archive.manifest import (
    ArchivedFile,
    Manifest,
    beginning_of,
    day_folder,
    manifest_name,
    manifests,
    new_run,
    part_name,
    write_manifest,
)
from logweir.stores.archive.progress import Progress, Summary
from logweir.stores.archive.storage import Storage
from logweir.stores.reading import pages

__all__ = ["Archivable", "Limits", "Origin", "archive"]

_DAY = timedelta(days=1)


class Archivable(Readable, Deletable, Protocol):
    """A sink that can be archived: read back, and given the exact rows to delete."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where archived rows come from.

    Attributes:
        sink: The sink's name.
        service: The configured service.
        env: The configured environment.
    """

    sink: str
    service: str = "app"
    env: str = "dev"


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds memory, files and transactions.

    Attributes:
        page: Rows read at once (fewer if they are large).
        group: Rows of a row group, about.
        file: Rows after which another file is begun.
        deletion: Rows deleted in one transaction.
    """

    page: int = 1_000
    group: int = 4_000
    file: int = 250_000
    deletion: int = 1_000


async def archive(
    sink: Archivable,
    storage: Storage,
    origin: Origin,
    journal: Journal,
    before: datetime,
    *,
    kind: Kind | None = None,
    progress: Progress | None = None,
    limits: Limits | None = None,
) -> Summary:
    """Archive and delete what is older than a moment, by whole UTC days; the caller holds the journal.

    Raises:
        ArchiveError: A file cannot be written or is not what was written; nothing of its day was deleted.
        SinkError: The sink cannot be read, or does not delete.
        Cancelled: It was asked to end.
    """
    work = _Archiving(sink, storage, origin, journal, kind, progress or Progress(), limits or Limits())
    await work.run(beginning_of(before.astimezone(UTC).date()))
    return work.summary


class _Archiving:
    """One run over a sink."""

    def __init__(
        self,
        sink: Archivable,
        storage: Storage,
        origin: Origin,
        journal: Journal,
        kind: Kind | None,
        progress: Progress,
        limits: Limits,
    ) -> None:
        self._sink = sink
        self._storage = storage
        self._origin = origin
        self._journal = journal
        self._kind = kind
        self._progress = progress
        self._limits = limits
        self._span = (0.0, 0.0)
        self.summary = Summary()

    async def run(self, before: datetime) -> None:
        """Work through the days that have rows, the oldest first."""
        await in_thread(self._clean_up)
        day = await self._first_day(None, before)
        self._span = (day.timestamp() if day else 0.0, before.timestamp())
        while day is not None:
            await self._archive_day(day.date())
            self.summary.days += 1
            day = await self._first_day(day + _DAY, before)

    async def _first_day(self, start: datetime | None, before: datetime) -> datetime | None:
        """The beginning of the first day that has a row."""
        query = Query(start=start, end=before, kind=self._kind, limit=1)
        async for event in self._sink.search(query):
            try:
                return beginning_of(event.datetime.date())
            except (ValueError, OverflowError):
                fault = f"event {event.id!r} has a time that is on no day ({event.time} ns since 1970)"
                raise ArchiveError(f"{fault}; correct it, or delete it") from None
        return None

    def _clean_up(self) -> None:
        """Remove the files of a run that was killed before it wrote its manifest."""
        left = self._journal.unfinished()
        if left is None:
            return
        if left.url != self._storage.place:
            self.summary.problems.append(
                f"an unfinished run may have left files {part_name(left.run)}* in {left.url}; remove them"
            )
        else:
            folder = day_folder(self._storage, left.sink, left.day)
            # With its manifest the run had got to step 3: its files are the archive and must stay.
            if not self._storage.find(folder, *manifest_name(left.run)):
                for path in self._storage.find(folder, "", ""):
                    if left.run in path:
                        self._storage.remove(path)
        self._journal.end()

    # -- a day --------------------------------------------------------------------------------------

    async def _archive_day(self, day: date) -> None:
        folder = day_folder(self._storage, self._origin.sink, day)
        for _, earlier in await in_thread(lambda: manifests(self._storage, folder)):
            # What was archived of another kind is left to the rule of that kind.
            if self._kind is None or earlier.kind in {None, self._kind}:
                await self._finish_deleting(folder, earlier)
        manifest = await self._write_day(folder, day)
        if manifest is not None:
            self.summary.files += len(manifest.files)
            self.summary.archived += manifest.rows
            await self._delete(folder, manifest)

    async def _finish_deleting(self, folder: str, manifest: Manifest) -> None:
        """Delete what an earlier run archived of this day, if what it archived is still there."""
        try:
            await self._verify(folder, manifest.day, manifest.files)
        except ArchiveError as error:
            self.summary.problems.append(f"{error}; its rows, if the sink has them, are archived anew")
        else:
            await self._delete(folder, manifest)

    async def _write_day(self, folder: str, day: date) -> Manifest | None:
        """Write and verify the files of a day, then its manifest; None if there is nothing to archive."""
        run, origin = new_run(datetime.now(UTC)), self._origin
        # The note outlives a kill before the manifest is written, and the next run removes the files by it.
        await in_thread(lambda: self._journal.begin(Unfinished(self._storage.place, origin.sink, day, run)))
        files = await self._write_files(folder, day, run)
        manifest = None
        if files:
            await self._verify(folder, day.isoformat(), files)
            manifest = Manifest(
                sink=origin.sink,
                service=origin.service,
                env=origin.env,
                kind=self._kind,
                day=day.isoformat(),
                run=run,
                written=datetime.now(UTC).isoformat(),
                rows=sum(file.rows for file in files),
                files=files,
            )
            await in_thread(partial(write_manifest, self._storage, folder, manifest))
        await in_thread(self._journal.end)
        return manifest

    async def _write_files(self, folder: str, day: date, run: str) -> list[ArchivedFile]:
        beginning = beginning_of(day)
        query = Query(start=beginning, end=beginning + _DAY, kind=self._kind)
        files: list[ArchivedFile] = []
        part: Part | None = None
        try:
            async for page in pages(self._sink, query, self._limits.page):
                self._report("archiving", day.isoformat())
                if part is None:
                    name = part_name(run, len(files))
                    part = await in_thread(partial(Part, self._storage, folder, name, self._limits.group))
                await in_thread(partial(part.write, page))
                if part.rows >= self._limits.file:
                    files.append(await in_thread(part.finish))
                    part = None
            if part is not None:
                files.append(await in_thread(part.finish))
        except BaseException:
            if part is not None:
                await in_thread(part.abandon)
            raise
        return files

    async def _verify(self, folder: str, day: str, files: Sequence[ArchivedFile]) -> None:
        for file in files:
            self._report("verifying", day)
            await in_thread(partial(verify, self._storage, folder, file))

    async def _delete(self, folder: str, manifest: Manifest) -> None:
        """Delete the rows that stand in the files of a manifest, a few at a time."""
        size = self._limits.deletion
        for file in manifest.files:
            async for ids in in_steps(ids_of(self._storage, folder, file)):
                for start in range(0, len(ids), size):
                    self._report("deleting", manifest.day)
                    self.summary.deleted += await self._sink.delete(ids[start : start + size])

    def _report(self, what: str, day: str) -> None:
        first, end = self._span
        now = beginning_of(date.fromisoformat(day)).timestamp()
        self._progress.report(f"{what} {day}", (now - first) / (end - first), self.summary)
