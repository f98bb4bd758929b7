"""What the sinks of both products do: bulk requests that create each event's document under its own id.

A document whose id is there already is a duplicate, so that a batch can be sent again at will. Each item
of an answer is judged by itself: the ones that the server had no room for (429, 5xx) go to the worker
again alone, and those that the mapping refuses are rejected with the server's reason (see
:mod:`logweir.sinks.shared.search_engine.writing`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import ClassVar, Self, TypeVar

from logweir.errors import SinkError, SinkUnavailable
from logweir.event import Event, Kind
from logweir.sinks.contract import Query, Sink, SinkContext
from logweir.sinks.results import Health, HealthStatus, WriteResult
from logweir.sinks.shared.destinations import Template, template_of
from logweir.sinks.shared.search_engine.config import SearchEngineConfig
from logweir.sinks.shared.search_engine.contract import Client, Product
from logweir.sinks.shared.search_engine.deleting import delete, prune
from logweir.sinks.shared.search_engine.encode import to_document, to_ecs_document
from logweir.sinks.shared.search_engine.health import health_of
from logweir.sinks.shared.search_engine.layout import Layout
from logweir.sinks.shared.search_engine.provisioning import Plan, ensure_template, plan, provision
from logweir.sinks.shared.search_engine.reading import find
from logweir.sinks.shared.search_engine.rollover import Rollovers
from logweir.sinks.shared.search_engine.schema import script
from logweir.sinks.shared.search_engine.server import Server, ask_server
from logweir.sinks.shared.search_engine.template_watch import TemplateWatch
from logweir.sinks.shared.search_engine.writing import BulkWriter

__all__ = ["SearchEngineSink"]

_FORMS = {"nested": to_document, "ecs": to_ecs_document}
ConfigT = TypeVar("ConfigT", bound=SearchEngineConfig)


@dataclass(frozen=True, slots=True)
class _Opened:
    """What a sink has while it is open."""

    client: Client
    plan: Plan
    writer: BulkWriter


class SearchEngineSink(Sink[ConfigT]):
    """Writes events into a data stream, or into daily indexes."""

    product: ClassVar[Product]

    def __init__(self, config: ConfigT, context: SinkContext | None = None) -> None:
        super().__init__(config, context)
        self._opened: _Opened | None = None
        self._shared: _Opened | None = None  # of another sink, which closes the client

    @abstractmethod
    async def connect(self) -> Client:
        """Make the client; nothing is sent.

        Raises:
            SinkRejected: It cannot be made of this configuration.
        """

    def beside(self, config: ConfigT) -> Self:
        """Make a sink for another index that shares the client of this one, which is open."""
        sink = type(self)(config, self.context)
        sink._shared = self._require_open()  # noqa: SLF001 - of our own class
        return sink

    async def known_destinations(self, options: ConfigT, template: Template) -> list[str]:
        """The data streams and aliases of a template that are there.

        Raises:
            SinkUnavailable: The server cannot be asked.
        """
        client = self._require_open().client
        status, answer = await client.ask("GET", f"/_resolve/index/{template.pattern(str)}")
        if status != HTTPStatus.OK:
            raise SinkUnavailable(f"the server does not say which indexes there are: status {status}")
        names = {one["name"] for kind in ("data_streams", "aliases") for one in answer.get(kind, [])}
        return [name for name in sorted(names) if template.matches(name) and options.at_destination(name)]

    async def open(self) -> None:
        """Connect, see what the server has, and create what ``provision`` allows.

        Raises:
            SinkUnavailable: No node answers.
            SinkRejected: The template is missing, or the server refuses it.
        """
        if self._opened is not None:
            return
        if self._shared is not None:
            self._opened = await self._prepare(self._shared.client, self._shared.plan.server)
            return
        client = await self.connect()
        try:
            self._opened = await self._prepare(client, await ask_server(client))
        except BaseException:
            await client.close()
            raise

    async def _prepare(self, client: Client, server: Server) -> _Opened:
        decided = await plan(client, self.config, server)
        if not (self.config.precedence and self.context.read_only):  # what is there can be read without
            await provision(client, self.config, decided)
        rollovers = Rollovers(client, decided.layout.name) if decided.layout.streaming else None
        max_bytes = self.config.max_request_bytes or server.max_bytes
        writer = BulkWriter(
            client,
            decided.layout,
            rollovers,
            partial(_FORMS[self.config.fields], full_text=self.config.full_text),
            min(max_bytes, server.max_bytes),
            self.context.name,
            None if rollovers else TemplateWatch(partial(ensure_template, client, self.config, decided)),
        )
        return _Opened(client, decided, writer)

    async def close(self) -> None:
        """Close the connections."""
        opened, self._opened = self._opened, None
        if opened is not None and self._shared is None:
            await opened.client.close()

    async def check(self) -> Health:
        """Say how the cluster is, how events are stored, and what the server lacks."""
        try:
            opened = self._require_open()
            return await health_of(opened.client, self.config, opened.plan)
        except SinkError as error:
            return Health(HealthStatus.DOWN, str(error))

    def provision_script(self) -> str:
        """Return the requests that create the policy and the index template, for a console of the server's.

        Before the sink has seen the server, those for a server with data streams and for one without.
        """
        template = template_of(self.config)
        config = self.config
        if template is not None:
            config = config.at_destination(template.filled(config.overflow)) or config
            return f"# the same for each index of {self.config.index}\n{self._script_of(config)}"
        return self._script_of(config)

    def _script_of(self, config: ConfigT) -> str:
        if self._opened is not None:
            return script(self.product, config, self._opened.plan.layout, managed=self._opened.plan.managed)
        parts = []
        if config.layout != "daily":
            parts.append(script(self.product, config, Layout(config.index, streaming=True), managed=True))
        if config.layout != "data_stream":
            parts.append(script(self.product, config, Layout(config.index, streaming=False), managed=False))
        return "\n# or, on a server without data streams:\n\n".join(parts)

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        """Store a batch; see :meth:`Sink.write`."""
        return await self._require_open().writer.store(batch)

    async def search(self, query: Query) -> AsyncIterator[Event]:
        """Yield the events that match, in order of time."""
        opened = self._require_open()
        async for event in find(opened.client, opened.plan.layout, query):
            yield event

    async def prune(self, before: datetime, *, kind: Kind | None = None, limit: int = 10_000) -> int:
        """Delete at most ``limit`` events older than ``before``, oldest first, by whole indexes if it can."""
        opened = self._require_open()
        return await prune(opened.client, opened.plan.layout, before, kind, limit)

    async def delete(self, ids: Sequence[str]) -> int:
        """Delete exactly these events."""
        opened = self._require_open()
        return await delete(opened.client, opened.plan.layout, ids)

    def _require_open(self) -> _Opened:
        if self._opened is None:
            raise SinkUnavailable("the sink is not open")
        return self._opened
