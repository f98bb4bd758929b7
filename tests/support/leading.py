"""Callers that lead, and the disk as they write to it."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from logweir.delivery.queues.disk import DiskQueue
from logweir.delivery.spool.leading import lead, leading
from logweir.delivery.spool.spool_file import SpoolFile
from logweir.sinks.memory import MemorySink
from logweir.testing.contract import make_event
from support.disk import put_durably

__all__ = ["COMMITTER", "Disk", "Hold", "config", "in_thread", "started", "stored", "wait_for"]

COMMITTER = "logweir-committer"
WRITE = SpoolFile.write


class Disk:
    """The disk, as it is written to: who does, and what happens then.

    Attributes:
        writers: The names of the threads that wrote records, one for each transaction.
        before: Called in the middle of a transaction, in the thread that writes.
        after: Called when it is on the disk.
    """

    def __init__(self) -> None:
        self.writers: list[str] = []
        self.before: Callable[[], object] = lambda: None
        self.after: Callable[[], object] = lambda: None

    def write(self, file: SpoolFile, records: Any, removals: Any = ()) -> None:
        if records:
            self.writers.append(threading.current_thread().name)
            self.before()
        WRITE(file, records, removals)
        if records:
            self.after()


class Hold:
    """A place where one thread, the first that comes, is held until it may go on."""

    def __init__(self) -> None:
        self.inside, self.go_on = threading.Event(), threading.Event()

    def __call__(self) -> None:
        if not self.inside.is_set():
            self.inside.set()
            assert self.go_on.wait(20.0)


def started(work: Callable[[], object], name: str = "caller") -> Future[object]:
    """Do it in a thread that is not the main one."""
    done: Future[object] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - for whoever asks
            done.set_exception(error)

    threading.Thread(target=run, name=name).start()
    return done


def in_thread(work: Callable[[], object], name: str = "caller") -> object:
    return started(work, name).result(20.0)


def wait_for(queue: DiskQueue, name: str = "waits", seconds: float = 10.0) -> BaseException | None:
    """Put an event and wait for it as a caller does who leads."""
    with leading():
        _, done = put_durably(queue, make_event(name))
        lead(seconds)
        return done.exception(seconds)


def config(directory: Path, **audit: Any) -> dict[str, Any]:
    sink = {"type": "memory", "queue": {"type": "disk"}, "batch": {"linger": "1ms"}}
    routes = [{"name": "all", "to": ["out", "other"]}]
    return {
        "data_dir": str(directory),
        "sinks": {"out": sink, "other": sink},
        "routes": routes,
        "audit": audit,
    }


def stored() -> list[str]:
    return sorted(event.name for event in MemorySink.of("out").events.values())
