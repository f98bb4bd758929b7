"""What the tests of callers that lead are given."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

import logweir
from logweir.delivery.queues.disk import DiskQueue
from logweir.delivery.spool.spool import Spool
from logweir.delivery.spool.spool_file import Record, SpoolFile
from logweir.testing.contract import make_event
from support.disk import make_queue, make_spool, put_durably
from support.leading import Disk, config


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    found = Disk()

    def write(file: SpoolFile, records: Sequence[Record], removals: Iterable[tuple[str, int]] = ()) -> None:
        found.write(file, records, removals)

    monkeypatch.setattr(SpoolFile, "write", write)
    return found


@pytest.fixture
def spool(tmp_path: Path, disk: Disk) -> Iterator[Spool]:
    """With a file, which the committer has made."""
    made = make_spool(tmp_path, threaded=True)
    put_durably(make_queue(made), make_event("first"))[1].result(10.0)
    disk.writers.clear()
    yield made
    disk.before = disk.after = lambda: None
    made.close()


@pytest.fixture
def queue(spool: Spool) -> DiskQueue:
    return make_queue(spool)


@pytest.fixture
def running(tmp_path: Path, disk: Disk) -> Iterator[None]:
    """A runtime whose file is made."""
    logweir.start(config(tmp_path, timeout="20s"))
    logweir.audit_sync("first")
    disk.writers.clear()
    yield
    disk.before = disk.after = lambda: None
    logweir.stop(10.0)
