"""The MongoDB sink: unordered bulks into one collection, each event under its own id.

What is written and how, and what happens to what is refused, stands in :mod:`logweir.sinks.mongodb.writing`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any

from bson import CodecOptions
from bson.raw_bson import RawBSONDocument

from logweir.errors import SinkError, SinkUnavailable
from logweir.event import Event, Kind
from logweir.sinks.contract import Query, Sink, SinkContext
from logweir.sinks.mongodb.client import PAGE, Connected, close_client, make_client, write_concern
from logweir.sinks.mongodb.config import MongoConfig
from logweir.sinks.mongodb.health import health_of
from logweir.sinks.mongodb.index_watch import IndexWatch
from logweir.sinks.mongodb.query import older_than
from logweir.sinks.mongodb.reading import found_in, in_order
from logweir.sinks.mongodb.schema import create_command, index_command, script
from logweir.sinks.mongodb.server import server_of, type_of
from logweir.sinks.mongodb.server_codes import ServerCode
from logweir.sinks.mongodb.verdicts import as_sink_errors
from logweir.sinks.mongodb.writing import Writing
from logweir.sinks.query_match import limited
from logweir.sinks.results import Health, HealthStatus, WriteResult
from logweir.sinks.shared.destinations import Template, template_of

__all__ = ["MongoSink"]

_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)


class MongoSink(Sink[MongoConfig]):
    """Writes events into a collection."""

    Config = MongoConfig

    def __init__(self, config: MongoConfig, context: SinkContext | None = None) -> None:
        super().__init__(config, context)
        self._shared: Any = None  # the client of another sink, which closes it
        self._writing = Writing(config)
        self._state: Connected | None = None
        self._index_watch = IndexWatch(config, self._provision)

    # -- life ---------------------------------------------------------------------------------------

    def beside(self, config: MongoConfig) -> MongoSink:
        """Make a sink for another collection that shares the connections of this one, which is open."""
        sink = MongoSink(config, self.context)
        sink._shared = self._require_open().client
        return sink

    async def known_destinations(self, options: MongoConfig, template: Template) -> list[str]:
        """The collections of a template that are there.

        Raises:
            SinkUnavailable: The server cannot be asked.
        """
        with as_sink_errors():
            names = await self._require_open().database.list_collection_names()
        return [name for name in names if template.matches(name) and options.at_destination(name)]

    async def open(self) -> None:
        """Connect, and create what is missing of collection and indexes if ``provision`` allows it.

        Raises:
            SinkUnavailable: The server cannot be reached, or refuses us.
            SinkRejected: The collection or an index is there and is another than we would create.
        """
        if self._state is not None:
            return
        if self._shared is not None:
            with as_sink_errors():
                self._state = await self._prepare(self._shared)
            return
        with as_sink_errors():
            client = await make_client(self.config, self.context)
        try:
            with as_sink_errors():
                self._state = await self._prepare(client)
        except BaseException:
            await close_client(client)
            raise

    async def _prepare(self, client: Any) -> Connected:
        server = await server_of(client)
        database = client.get_database(self.config.database_name)
        if self.config.provision:
            await self._provision(database)
        concern = write_concern(self.config)
        collection = database.get_collection(self.config.collection, write_concern=concern)
        return Connected(client, database, collection, collection.with_options(codec_options=_RAW), server)

    async def _provision(self, database: Any) -> None:
        create = create_command(self.config)
        if create is not None:
            answer = await database.command(create, allowable_errors=[ServerCode.NamespaceExists.value])
            if not answer["ok"] and await type_of(database, self.config.collection) is None:
                raise SinkUnavailable("the collection could not be created")
        await database.command(index_command(self.config))

    async def close(self) -> None:
        """Close the connections, in the loop that made them."""
        state, self._state = self._state, None
        if state is not None and self._shared is None:
            await close_client(state.client)

    async def check(self) -> Health:
        """Ask who answers, what we may do, and whether collection and indexes are as they should be."""
        try:
            state = self._require_open()
            with as_sink_errors():
                return await health_of(state.client, state.database, self.config)
        except SinkError as error:
            return Health(HealthStatus.DOWN, str(error))

    def provision_script(self) -> str:
        """Return the commands for ``mongosh`` that create collection and indexes."""
        template = template_of(self.config)
        if template is None:
            return script(self.config)
        overflow = self.config.at_destination(template.filled(self.config.overflow)) or self.config
        return f"// the same for each collection of {self.config.collection}\n{script(overflow)}"

    # -- writing ------------------------------------------------------------------------------------

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        """Store a batch in one unordered bulk; see :meth:`Sink.write`."""
        if not batch:
            return WriteResult.all_stored()
        state = self._require_open()
        await self._index_watch.before_write(state.database)
        return await self._writing.write(state, batch)

    # -- reading and pruning ------------------------------------------------------------------------

    async def search(self, query: Query) -> AsyncIterator[Event]:
        """Yield the events that match, in order of time."""
        async with (
            aclosing(found_in(self._require_open(), query)) as found,
            aclosing(in_order(found, newest_first=query.newest_first)) as ordered,
        ):
            async for event in limited(ordered, query.limit):
                yield event

    async def prune(self, before: datetime, *, kind: Kind | None = None, limit: int = 10_000) -> int:
        """Delete at most ``limit`` events older than ``before``, the oldest first."""
        state = self._require_open()
        deleted = 0
        with as_sink_errors():
            while deleted < limit:
                page = min(PAGE, limit - deleted)
                cursor = state.collection.find(
                    older_than(before, kind), {"_id": 1}, sort=[("time", 1)], limit=page
                )
                ids = [document["_id"] async for document in cursor]
                if not ids:
                    break
                result = await state.collection.delete_many({"_id": {"$in": ids}})
                deleted += result.deleted_count
                if len(ids) < page:
                    break
        return deleted

    async def delete(self, ids: Sequence[str]) -> int:
        """Delete exactly these events."""
        state = self._require_open()
        with as_sink_errors():
            result = await state.collection.delete_many({"_id": {"$in": list(ids)}})
        return int(result.deleted_count)

    def _require_open(self) -> Connected:
        if self._state is None:
            raise SinkUnavailable("the sink is not open")
        return self._state
