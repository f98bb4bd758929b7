"""Archives for tests: a SQLite sink filled with old events, and what became of them."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.event import Event, Kind
from logweir.sinks.contract import Query
from logweir.stores.archive.archiving import Limits, Origin, archive
from logweir.stores.archive.journal import Journal
from logweir.stores.archive.progress import Progress, Summary
from logweir.stores.archive.storage import Storage
from logweir.stores.reading import opened
from logweir.testing.contract import AWKWARD_FIELDS, make_event

DAY = 86_400 * 10**9
#: Small enough that a few dozen events make several row groups, files and deletions.
SMALL = Limits(page=7, group=7, file=20, deletion=5)


def routing(directory: Path, **sink: Any) -> RoutingConfig:
    """A configuration with one SQLite sink `audit_db` in a directory."""
    return load_config(
        {
            "data_dir": str(directory / "data"),
            "sinks": {
                "audit_db": {
                    "type": "sqlite",
                    "url": f"sqlite+aiosqlite:///{directory}/audit.db",
                    "provision": True,
                    **sink,
                }
            },
            "routes": [{"name": "all", "to": "audit_db"}],
        }
    )


def old_events(count: int, days: int = 3, *, age: int = 100, kind: Kind = Kind.AUDIT) -> list[Event]:
    """Events of so many days, the newest of them ``age`` days old; some are awkward."""
    newest = (time.time_ns() // DAY - age) * DAY
    awkward = list(AWKWARD_FIELDS.items())
    return [
        make_event(
            f"event {number}",
            {
                "user_id": number,
                "status": "success",
                "duration_ms": 1.5,
                **dict([awkward[number % len(awkward)]]),
            },
            kind=kind,
            time_ns=newest - DAY * (number % days) + number * 1_001,
        )
        for number in range(count)
    ]


async def fill(config: RoutingConfig, events: Sequence[Event], sink: str = "audit_db") -> None:
    async with opened(sink, config) as target:
        for start in range(0, len(events), 500):
            result = await target.writer.write(events[start : start + 500])
            assert not result.rejected, result.rejected


async def held(config: RoutingConfig, sink: str = "audit_db") -> list[Event]:
    """What a sink holds, comparable."""
    async with opened(sink, config) as target:
        return bare([event async for event in target.itself.search(Query(limit=None))])


def bare(events: Sequence[Event]) -> list[Event]:
    """Events without their estimated sizes, by id."""
    return sorted((msgspec.structs.replace(event, size=0) for event in events), key=lambda event: event.id)


async def archived(
    config: RoutingConfig,
    url: str,
    *,
    limits: Limits = SMALL,
    progress: Progress | None = None,
    kind: Kind | None = None,
    storage: Storage | None = None,
) -> Summary:
    """Archive all that is older than today."""
    journal = Journal(config.data_dir, "audit_db")
    await asyncio.to_thread(journal.acquire)
    try:
        async with opened("audit_db", config) as sink:
            return await archive(
                sink.itself,
                storage or await asyncio.to_thread(Storage, url),
                Origin("audit_db", config.service, config.env),
                journal,
                datetime.now(UTC),
                kind=kind,
                progress=progress,
                limits=limits,
            )
    finally:
        await asyncio.to_thread(journal.release)


def archived_rows(directory: Path) -> list[dict[str, Any]]:
    """Every row of every Parquet file below a directory, as anybody would read them."""
    import pyarrow.parquet as pq

    return [row for path in sorted(directory.rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]
