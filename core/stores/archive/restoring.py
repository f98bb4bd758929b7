"""Restoring: what an archive holds goes back into a sink, each event once however often it is done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from logweir.errors import ArchiveError
from logweir.event import Event
from logweir.process.threads import in_thread
from logweir.sinks.query_match import nanoseconds
from logweir.stores.archive.files import events_of, in_steps, verify
from logweir.stores.archive.manifest import Manifest, manifests
from logweir.stores.archive.progress import Progress, Summary
from logweir.stores.archive.storage import Storage
from logweir.stores.bounded_delivery import COPYING, deliver
from logweir.stores.reading import OpenSink

__all__ = ["restore"]

_DAY = timedelta(days=1)


async def restore(
    storage: Storage,
    sink: OpenSink,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Write what an archive holds into a sink.

    A file is verified before a row of it is written; a damaged one is a problem of the summary, and the
    others are restored.

    Args:
        storage: The archive, or the folder of one sink in it.
        sink: Where to.
        since: Only events not before this time.
        until: Only events before this time.
        progress: Where the work is reported.

    Raises:
        ArchiveError: There is no archive, or it cannot be read.
        SinkUnavailable: The sink could not be written for a while.
        Cancelled: It was asked to end.
    """
    progress, summary = progress or Progress(), Summary()
    found = await in_thread(lambda: manifests(storage, storage.root))
    if not found:
        raise ArchiveError(
            f"{storage.url}: no archive is there; name the folder or URL that `logweir archive` wrote to"
        )
    wanted = [(folder, manifest) for folder, manifest in found if _overlaps(manifest, since, until)]
    total = sum(manifest.rows for _, manifest in wanted) or 1
    done = 0
    summary.days = len({manifest.day for _, manifest in wanted})
    for folder, manifest in wanted:
        for file in manifest.files:
            progress.report(f"restoring {manifest.day}", done / total, summary)
            try:
                await in_thread(partial(verify, storage, folder, file))
            except ArchiveError as error:
                summary.problems.append(f"{error}; none of its rows was restored")
                done += file.rows
                continue
            summary.files += 1
            async for events in in_steps(events_of(storage, folder, file)):
                await _put(sink, [event for event in events if _within(event, since, until)], summary)
                done += len(events)
                progress.report(f"restoring {manifest.day}", done / total, summary)
    return summary


async def _put(sink: OpenSink, events: list[Event], summary: Summary) -> None:
    delivered = await deliver(sink, events, COPYING)
    summary.restored += delivered.stored
    summary.present += delivered.duplicate
    summary.problems += [
        f"the sink refused event {event_id}: {reason}" for event_id, reason in delivered.rejected.items()
    ]


def _overlaps(manifest: Manifest, since: datetime | None, until: datetime | None) -> bool:
    beginning = manifest.beginning
    return (since is None or beginning + _DAY > _aware(since)) and (
        until is None or beginning < _aware(until)
    )


def _within(event: Event, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or event.time >= nanoseconds(since)) and (
        until is None or event.time < nanoseconds(until)
    )


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
