"""What a sink answers: for each event of a batch stored, duplicate, retry or rejected; and its health.

A write ends in one of two ways. The sink *raises* (``SinkUnavailable``, ``SinkRejected``) when nothing
was stored, or it *returns* a ``WriteResult`` when the backend answered. Every index of the batch
belongs to exactly one verdict; an index that no verdict names was stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Health", "HealthStatus", "WriteResult"]


@dataclass(frozen=True, slots=True)
class WriteResult:
    """The backend's answer to one batch; indexes refer to the batch as it was passed.

    Attributes:
        duplicate: Indexes already in the store: success, counted apart.
        retry: Indexes to send again; others pass meanwhile, so that a sink raises where nothing would.
        rejected: Indexes that will never be stored, each with the reason.
        retry_after: Seconds the backend asked to wait before the retry, if it did.
        retry_reason: Why there is something to send again, in one line without secrets.
    """

    duplicate: frozenset[int] = frozenset()
    retry: frozenset[int] = frozenset()
    rejected: Mapping[int, str] = field(default_factory=dict)
    retry_after: float | None = None
    retry_reason: str = ""

    @classmethod
    def all_stored(cls) -> WriteResult:
        """The whole batch was stored."""
        return _ALL_STORED


_ALL_STORED = WriteResult()


class HealthStatus(StrEnum):
    """How well a sink is: ``ok`` serves; ``degraded`` serves with limits; ``down`` does not serve."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Health:
    """What ``Sink.check`` found.

    Attributes:
        status: Whether the sink can serve.
        detail: One line for an operator, without secrets.
        server: Name and version as the server reports them, such as ``SQLite 3.45.1``.
    """

    status: HealthStatus
    detail: str = ""
    server: str = ""
