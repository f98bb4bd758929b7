"""What the shared parts need of a sink: requests to its cluster, and where its product is its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Protocol

from logweir.sinks.shared.search_engine.config import SearchEngineConfig
from logweir.sinks.shared.search_engine.layout import Layout

__all__ = ["Answer", "Client", "Features", "Product", "Request"]

Answer = tuple[int, Any]


class Client(Protocol):
    """Requests to the nodes of one cluster."""

    product: Product
    """What the cluster runs."""

    async def request(self, method: str, target: str, body: object = None) -> Any:
        """Send a request and return what was answered.

        Args:
            method: Of HTTP.
            target: The path and the query.
            body: What to send, as JSON; bytes are sent as they are.

        Raises:
            SinkUnavailable: It failed and may succeed later.
            SinkRejected: It will never succeed.
        """

    async def ask(self, method: str, target: str, body: object = None) -> Answer:
        """Send a request whose refusal is an answer too: return the status and the body.

        Raises:
            SinkUnavailable: There was no answer, the server is in trouble, or it does not know us.
        """

    async def close(self) -> None:
        """Close the connections."""


class Features(NamedTuple):
    """What a server has (true), lacks (false), or does not say (none)."""

    data_streams: bool | None
    """Whether it can keep data streams, and roll them over."""
    lifecycle: bool | None
    """Whether it has what rolls over, moves and deletes indexes."""


class Request(NamedTuple):
    """A request that provisions."""

    target: str
    body: dict[str, Any]


class Product(ABC):
    """What one product does in its own way; stateless."""

    name: ClassVar[str]
    lifecycle: ClassVar[str]
    """The name of what rolls over, moves and deletes indexes."""
    page: ClassVar[str]
    """Where its template is described."""
    may_ask: ClassVar[str]
    """The permission to ask what the server has."""
    fields_mapping: ClassVar[Mapping[str, Any]]
    """The mapping of ``fields``: one field for all that is in it, so that the mapping never grows."""
    time_sort: ClassVar[Mapping[str, Any]]
    """How a sort by time is written, so that pages follow each other by nanoseconds."""
    index_settings: ClassVar[Mapping[str, Any]]
    """Settings of every index, beside those of the configuration."""

    @abstractmethod
    async def features(self, client: Client) -> Features:
        """Ask what the server has.

        Raises:
            SinkUnavailable: It does not answer.
        """

    @abstractmethod
    def policy(self, config: SearchEngineConfig) -> Request:
        """Return what creates the policy by which a data stream is rolled over and deleted."""

    @abstractmethod
    def policy_settings(self, config: SearchEngineConfig) -> Mapping[str, Any]:
        """Return the settings of an index that the policy looks after."""

    @abstractmethod
    async def update_policy(self, client: Client, config: SearchEngineConfig) -> None:
        """Create the policy, or bring ours to what the configuration says; leave another's alone.

        Raises:
            SinkRejected: The server refuses it.
        """

    @abstractmethod
    async def lacking(self, client: Client, layout: Layout) -> list[str]:
        """Return the privileges that the credentials lack, as far as the server says so."""
