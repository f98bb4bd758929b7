"""A sink of one server that is asked through a pool of connections: opening makes it, closing ends it."""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar, cast

from logweir.errors import SinkUnavailable
from logweir.sinks.contract import Sink, SinkConfig, SinkContext
from logweir.sinks.shared.http_client import ServerClient

__all__ = ["ServerSink"]

ConfigT = TypeVar("ConfigT", bound=SinkConfig)
ClientT = TypeVar("ClientT", bound=ServerClient[Any])


class ServerSink(Sink[ConfigT], Generic[ConfigT, ClientT]):
    """What the sinks of such servers share: the life of their client.

    Attributes:
        client_class: Makes the client.
    """

    client_class: ClassVar[type[ServerClient[Any]]]

    def __init__(self, config: ConfigT, context: SinkContext | None = None) -> None:
        super().__init__(config, context)
        self._client: ClientT | None = None

    async def open(self) -> None:
        """Make a client; connections are made by the requests.

        Raises:
            SinkUnavailable: A certificate cannot be read.
        """
        if self._client is None:
            client = await self.client_class.make(self.config, self.context.workers)
            self._client = cast(ClientT, client)

    async def close(self) -> None:
        """Close the connections, in the loop that made them."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _require_open(self) -> ClientT:
        if self._client is None:
            raise SinkUnavailable("the sink is not open")
        return self._client
