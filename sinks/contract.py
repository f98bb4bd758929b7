"""What a sink is: a small class that opens a backend and writes batches into it.

A sink holds no buffer and does not retry: queues, batching, back-off and dead letters are the worker's
work. ``__init__`` does no IO; ``open`` is idempotent and is called again, with back-off, until it
succeeds. ``write`` is idempotent by ``event.id``, because a batch whose answer was lost is sent again.
It may be called by several workers at once.

A sink whose client is synchronous derives from :class:`SyncSink` and writes plain methods: they run in
threads, never on an event loop.

Abilities beyond writing are protocols (:class:`Readable`, :class:`Prunable`, :class:`Deletable`,
:class:`Provisionable`, :class:`Transactional`): a sink has one by having its methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

from pydantic import AfterValidator, Field

from logweir.errors import SinkRejected
from logweir.event import Event, Kind
from logweir.settings.delivery import BatchConfig, QueueConfig, RetryConfig, StrictModel
from logweir.settings.fallback import FallbackConfig
from logweir.settings.one_or_many import OneOrMany
from logweir.settings.retention import RetentionConfig, check_rules
from logweir.sinks.results import Health, HealthStatus, WriteResult
from logweir.sinks.tamper_evidence import Chaining

__all__ = [
    "Deletable",
    "Labelled",
    "Provisionable",
    "Prunable",
    "Query",
    "Readable",
    "Sink",
    "SinkConfig",
    "SinkContext",
    "SyncSink",
    "Transactional",
    "lacking_for_retention",
]


class SinkConfig(StrictModel):
    """The options that every sink has; each sink derives its own from it, next to the sink."""

    type: str
    """Which sink this is: a built-in name, a registered name, an entry point or a dotted path."""
    queue: QueueConfig = Field(default_factory=QueueConfig)
    """The bounded queue in front of the sink."""
    workers: int = Field(default=1, ge=1, le=64)
    """How many workers write to the sink at once."""
    batch: BatchConfig = Field(default_factory=BatchConfig)
    """How events are grouped into writes."""
    retry: RetryConfig = Field(default_factory=RetryConfig)
    """How failed writes are repeated."""
    fallback: FallbackConfig | None = None
    """Where events go while the sink is down; by default they wait in its queue."""
    retention: Annotated[OneOrMany[RetentionConfig], AfterValidator(check_rules)] | None = None
    """How long the sink keeps its events, and where they are archived then; one rule, or one for each kind.
    By default it keeps them."""


@dataclass(frozen=True, slots=True)
class SinkContext:
    """What a sink may know about the process it serves.

    Attributes:
        name: The sink's name in routing.yaml.
        service: The configured service name.
        env: The configured environment.
        data_dir: A directory the sink may keep files in.
        workers: How many workers will write to it at once; a pool needs no more connections.
        chaining: How audit rows are chained, so that tampering shows; None if they are not.
        read_only: Whether the sink is opened to be read and nothing else: it makes and changes nothing, and
            needs no permission to write.
    """

    name: str = "sink"
    service: str = "app"
    env: str = "dev"
    data_dir: Path = Path(".logweir")
    workers: int = 1
    chaining: Chaining | None = None
    read_only: bool = False


ConfigT = TypeVar("ConfigT", bound=SinkConfig)


class _BaseSink(ABC, Generic[ConfigT]):
    """What both kinds of sink share: their configuration and their context."""

    #: The pydantic model of the sink's options.
    Config: ClassVar[type[SinkConfig]] = SinkConfig
    #: Whether the store has an event id once, however often it is written; False is *at least once*.
    idempotent: ClassVar[bool] = True
    #: Whether a search reads everything there is: what asks by ids then asks for many at once.
    scans: ClassVar[bool] = False

    def __init__(self, config: ConfigT, context: SinkContext | None = None) -> None:
        self.config = config
        self.context: SinkContext = context or SinkContext()


class Sink(_BaseSink[ConfigT]):
    """A backend with an asynchronous client.

    Its methods run on the runtime's own event loop, never on the application's.
    """

    async def open(self) -> None:
        """Connect, and create what ``provision: true`` allows.

        Raises:
            SinkUnavailable: The backend cannot be reached; it will be tried again.
            SinkRejected: The backend can be reached and refuses us; it will be tried again, slowly.
        """

    @abstractmethod
    async def write(self, batch: Sequence[Event]) -> WriteResult:
        """Store a batch, once for each ``event.id``.

        Returns:
            The verdict on each event.

        Raises:
            SinkUnavailable: Nothing was stored; the batch will be sent again.
            SinkRejected: The batch will never be stored as it is; it will be split.
        """

    async def check(self) -> Health:
        """Say whether the backend can serve: reachable, version, permissions, schema. Never raises."""
        return Health(HealthStatus.OK)

    async def close(self) -> None:
        """Let go of connections and files. Called once, after the last write; never raises."""


class SyncSink(_BaseSink[ConfigT]):
    """A backend with a synchronous client: the same contract in plain methods, run in threads."""

    def open(self) -> None:
        """See :meth:`Sink.open`."""

    @abstractmethod
    def write(self, batch: Sequence[Event]) -> WriteResult:
        """See :meth:`Sink.write`."""

    def check(self) -> Health:
        """See :meth:`Sink.check`."""
        return Health(HealthStatus.OK)

    def close(self) -> None:
        """See :meth:`Sink.close`."""


@dataclass(frozen=True, slots=True)
class Query:
    """A search in one sink; conditions are joined by *and*, an absent one matches everything.

    Attributes:
        start: Not before this time.
        end: Before this time.
        kind: Only this kind.
        name: Only events of this name (for audit: the action).
        trace_id: Only this trace.
        ids: Only these event ids.
        fields: Field name (dotted for nested ones and for items of lists, ``tags.0``) to the value that it
            must equal, or that one of its items must, where it is a list.
        text: Only events that have this text in their name, or in the name or value of a field (full text
            where the store has it).
        limit: At most this many events, oldest first unless ``newest_first``.
        newest_first: Order.
        levels: Only these levels.
        service: Only events of this service.
        on_unreadable: Called with the name and fault of each row that is no event, because somebody changed
            it or a later release wrote it, and which is then passed over. Without it, such a row ends the
            search with a :class:`SinkRejected`. It is no condition, and counts in no comparison.
    """

    start: datetime | None = None
    end: datetime | None = None
    kind: Kind | None = None
    name: str | None = None
    trace_id: str | None = None
    ids: frozenset[str] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    text: str | None = None
    limit: int | None = 1000
    newest_first: bool = False
    levels: frozenset[str] | None = None
    service: str | None = None
    on_unreadable: Callable[[str], object] | None = field(default=None, compare=False)

    def pass_over(self, fault: str) -> None:
        """Pass over a row that is no event.

        Raises:
            SinkRejected: Whoever asks does not pass over such rows.
        """
        if self.on_unreadable is None:
            raise SinkRejected(fault)
        self.on_unreadable(fault)


@runtime_checkable
class Readable(Protocol):
    """A sink whose events can be read back."""

    def search(self, query: Query) -> AsyncIterator[Event]:
        """Yield the events that match, in order of time."""
        ...


@runtime_checkable
class Prunable(Protocol):
    """A sink whose old events can be deleted."""

    async def prune(self, before: datetime, *, kind: Kind | None = None, limit: int = 10_000) -> int:
        """Delete at most ``limit`` events older than ``before``; return how many went."""
        ...


@runtime_checkable
class Deletable(Protocol):
    """A sink that deletes exactly the events that are named, which archiving needs.

    By time alone, an event that arrived late would be deleted without having been archived.
    """

    async def delete(self, ids: Sequence[str]) -> int:
        """Delete the events with these ids, in one transaction; return how many were there."""
        ...


@runtime_checkable
class Provisionable(Protocol):
    """A sink that can print what it would create."""

    def provision_script(self) -> str:
        """Return the DDL, template or mapping that ``provision: true`` would apply."""
        ...


@runtime_checkable
class Labelled(Protocol):
    """A sink whose events have labels, which ``logweir test`` compares."""

    def labels_of(self, event: Event) -> dict[str, str]:
        """Return the labels of an event, without asking the backend; the sink need not be open."""
        ...


@runtime_checkable
class Transactional(Protocol):
    """A sink whose rows can be written in a transaction of the application's.

    With the option ``outbox`` set, both methods note the event in the same transaction for the other sinks
    of its route, where :meth:`outbox_waiting` finds it once the transaction has committed.

    Attributes:
        keeps_outbox: Whether it does.
    """

    keeps_outbox: bool

    def record_in(self, connection: Any, event: Event) -> None:
        """Write a row in the transaction of a synchronous connection, once for each ``event.id``.

        Raises:
            Exception: What the driver raises: the transaction is the application's, and so are its errors.
        """
        ...

    async def record(self, event: Event) -> None:
        """Write a row in a transaction of the sink's own.

        Raises:
            SinkUnavailable: It was not written, and may be later.
            SinkRejected: It will never be written as it is.
        """
        ...

    async def outbox_waiting(self, limit: int) -> list[Event]:
        """Committed events that wait to be relayed, the oldest first."""
        ...

    async def outbox_done(self, ids: Sequence[str]) -> None:
        """Forget events that were relayed."""
        ...


def lacking_for_retention(sink_class: type[Any], *, archive: bool) -> str | None:
    """Return what the class lacks for archiving (or for deleting what is old); None if nothing."""
    if not archive:
        return None if issubclass(sink_class, Prunable) else "old events cannot be deleted (no prune method)"
    if not issubclass(sink_class, Readable):
        return "they cannot be read back (no search method)"
    return None if issubclass(sink_class, Deletable) else "they cannot delete by id (no delete method)"
