"""The disk queues: one SQLite file for one process, behind all its durable sinks.

``store`` holds the design: constraints, invariants, recovery. ``database`` holds the on-disk format.
"""

from logweir.delivery.disk.queue import DiskQueue
from logweir.delivery.disk.spill import SpillQueue
from logweir.delivery.disk.store import DiskStore
from logweir.delivery.disk.waiting import commit_future

__all__ = ["DiskQueue", "DiskStore", "SpillQueue", "commit_future"]
