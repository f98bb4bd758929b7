"""Spools for tests: made, drained and crashed without waiting for time."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Any

import msgspec
import pytest

from logweir.delivery.commit_future import thread_future
from logweir.delivery.dead_letters import DeadLetters
from logweir.delivery.queue import Lease, PutResult
from logweir.delivery.queues.disk import DiskQueue
from logweir.delivery.spool.spool import Spool
from logweir.event import Event
from logweir.settings.delivery import QueueConfig
from logweir.testing.contract import make_event


def make_spool(directory: Path, *, threaded: bool = False, **settings: Any) -> Spool:
    """A spool whose files are in ``directory / "queues"``."""
    return Spool(directory / "queues", DeadLetters(directory), threaded=threaded, **settings)


def make_queue(
    spool: Spool,
    sink: str = "sink",
    when_full: Any = "drop_newest",
    *,
    wake: Callable[[Callable[[], None]], None] = lambda _callback: None,
    **settings: Any,
) -> DiskQueue:
    """A queue whose consumers, if any, are woken by ``wake``."""
    return DiskQueue(spool, sink, QueueConfig(**settings), when_full, wake)


def put_durably(queue: DiskQueue, event: Event) -> tuple[PutResult, Future[None]]:
    """Put, with a future that is done when the event is durable; it fails with an OSError."""
    done, on_durable = thread_future()
    return queue.put(event, on_durable), done


def lease(spool: Spool, sink: str = "sink", count: int = 100) -> Lease | None:
    """Take a batch without an event loop."""
    backlog = spool.backlog(sink)
    if backlog.wants_reading(count):
        spool.read(backlog, count, 2**30)
    with spool.lock:
        return backlog.lease(count, 2**30)


def lease_aside(spool: Spool, sink: str = "sink", count: int = 100) -> Lease | None:
    """Take what was set aside, due or not, without an event loop."""
    backlog = spool.backlog(sink)
    if not backlog.aside.waiting or backlog.aside.tried is not None:
        return None
    group = backlog.aside.take(inf, count, 2**30)
    held = spool.read_set_aside(backlog, group)
    with spool.lock:
        if held is None:
            backlog.aside.put_back(0.0)
            return None
        return backlog.lease_aside(group, held, 0.0)


def drain(spool: Spool, sink: str = "sink", *, settle: bool = True) -> list[Event]:
    """Take everything that is committed."""
    events: list[Event] = []
    leases = []
    while (taken := lease(spool, sink)) is not None:
        events += taken.events
        leases.append(taken)
    if settle:
        for taken in leases:
            spool.remove(spool.backlog(sink), spool.backlog(sink).settle(taken))
        spool.commit()
    return events


def crash(spool: Spool, copy: Path) -> Path:
    """What a dying process leaves: its files as they are, in a directory of their own."""
    (copy / "queues").mkdir(parents=True)
    for path in spool.directory.glob("*.db*"):
        if not path.name.endswith("-shm"):
            shutil.copyfile(path, copy / "queues" / path.name)
    if spool._current.file is not None:
        spool._current.file.close()
    if spool._current.ownership is not None:
        spool._current.ownership.release()
    return copy


def names(events: list[Event]) -> list[str]:
    """The names of events, in order."""
    return [event.name for event in events]


def sized(name: str, size: int) -> Event:
    """An event of a certain size."""
    return msgspec.structs.replace(make_event(name), size=size)


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


@contextmanager
def small_disk_at(place: Path, otherwise: str) -> Iterator[Path]:
    """A file system of one megabyte; where none may be mounted, the test is skipped and ``otherwise`` said."""
    place.mkdir()
    try:
        mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"mounting a small tmpfs needs root; {otherwise}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)
