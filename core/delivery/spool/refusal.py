"""Refusing what cannot be written for a reason of its own; it never came from a log call.

A hand-made event may hold anything. It fails alone, its caller learns why, and what is beside it is written.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from logweir.delivery.spool.notifications import answer_waiters
from logweir.delivery.spool.spool_file import Record
from logweir.delivery.spool.staging import Staged
from logweir.diagnostics import report

__all__ = ["encode_all", "refuse"]


def encode_all(batch: list[Staged], lock: threading.RLock) -> list[Record]:
    """Encode a batch; what cannot be encoded is refused and removed from it."""
    records: list[Record] = []
    failed: list[Staged] = []
    for entry in batch:
        try:
            records.append(entry.record())
        except Exception as error:  # noqa: BLE001 - see above
            report("spool.encode", "an event cannot be encoded and was refused: %r", error)
            failed.append(entry)
    if failed:
        with lock:
            for entry in failed:
                batch.remove(entry)  # the caller's list: what is left of it is what gets durable
        refuse(failed, lock, OSError("the event cannot be encoded as JSON"))
    return records


def refuse(failed: Sequence[Staged], lock: threading.RLock, error: OSError) -> None:
    """Forget entries that never will be durable, and let their callers know."""
    with lock:
        for entry in failed:
            for backlog in entry.backlogs:
                backlog.fail(entry.seq)
    answer_waiters(failed, error)
