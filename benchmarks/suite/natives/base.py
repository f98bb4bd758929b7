"""The seam between the suite and a backend: a native knows one store by its own driver.

A *store* is one table, collection, index, label value or file; a native makes the settings of the sink that
writes into it, and can wipe, measure and question it past the sink.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logweir.benchmarks.suite.truth import Aggregation, LabelQuestion
from logweir.errors import LogweirError
from logweir.event import Event
from logweir.sinks.contract import Query

__all__ = ["Native", "Spec"]


@dataclass(frozen=True, slots=True)
class Spec:
    """A backend that is to be measured.

    Attributes:
        name: In this run.
        type: The sink's type.
        url: Where it is; empty for the embedded ones.
        folder: Where embedded ones keep their files.
        run: What distinguishes the stores of this run from those of others on the same server.
        data: The folder of a server's data, where it is known.
        restart: The command that starts a server again and returns when it answers, where there is one.
        partitions: Into how many partitions by time the table of a growing store is divided; 0 for none.
    """

    name: str
    type: str
    url: str
    folder: Path
    run: str = ""
    data: str = ""
    restart: str = ""
    partitions: int = 0


class Native(ABC):
    """One backend by its own driver; its methods are awaited on one event loop.

    Attributes:
        spec: The backend.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    @abstractmethod
    def sink_settings(self, store: str) -> dict[str, Any]:
        """The settings, as in routing.yaml, of the sink that writes into a store and may provision it."""

    @abstractmethod
    def production_settings(self) -> dict[str, Any]:
        """The settings for a recommended routing.yaml; ``${VARIABLES}`` in the place of secrets."""

    async def unanswered(self) -> str:
        """Why the classes of questions cannot be put to this server, if they cannot; empty if they can."""
        return ""

    async def ids(self, store: str, query: Query) -> list[str] | None:
        """The ids of a search by the store's own means, in order; None where the sink itself searches."""
        return None

    async def open(self) -> None:  # noqa: B027 - not every native has something to open
        """Connect.

        Raises:
            Exception: Whatever the driver raises.
        """

    async def close(self) -> None:  # noqa: B027 - idem
        """Let go of connections."""

    @abstractmethod
    async def server(self) -> str:
        """Name and version, as the server reports them."""

    @abstractmethod
    async def wipe(self, store: str) -> None:
        """Delete a store and all that is in it; it need not exist."""

    def files(self, store: str) -> list[Path]:
        """The files of an embedded store; none for a server's."""
        return []

    async def divide(self, store: str, first_ns: int, last_ns: int) -> None:
        """Divide the empty table of a store into ``spec.partitions`` by time.

        Raises:
            LogweirError: This backend's cannot be divided here.
        """
        raise LogweirError(f"partitions are measured of mysql alone, not of {self.spec.type} ({store})")

    async def ready(self, store: str) -> None:
        """Ask something that a server answers only once it serves the store again after its start.

        Raises:
            Exception: Whatever the driver raises; it does not serve it yet.
        """
        await self.server()

    async def settle(self, store: str) -> None:  # noqa: B027 - most have nothing to do
        """Have everything on disk and visible that was written; unlike ``compact``, nothing is rebuilt."""

    @abstractmethod
    async def compact(self, store: str) -> None:
        """Bring the store into the state in which its size counts: flushed, merged, vacuumed."""

    @abstractmethod
    async def storage(self, store: str) -> dict[str, float]:
        """Bytes on disk: ``total``, and ``index NAME`` for each index where the store knows it."""

    @abstractmethod
    async def aggregate(self, store: str, ask: Aggregation) -> Counter[tuple[int, str]]:
        """Answer an aggregation by the store's own means."""

    @abstractmethod
    async def labelled(self, store: str, ask: LabelQuestion, limit: int) -> list[str]:
        """The ids of the oldest ``limit`` events of a label question, by the store's own means."""

    @abstractmethod
    async def bare_write(self, store: str, batch: Sequence[Event]) -> None:
        """Write a batch by the driver's own bulk call, and nothing else; the store exists."""
