"""The MongoDB sink: unordered bulks into one collection, each event under its own id.

The unique ``_id`` makes writing idempotent: an id that is there is a success. The server answers for
each document, so that one it refuses costs the others nothing. A time-series collection has no unique
``_id``; there the sink looks up what it has before it inserts (see :meth:`MongoSink.check` for the rest).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import bson
from bson import CodecOptions, DatetimeMS
from bson.raw_bson import RawBSONDocument
from pymongo.errors import BulkWriteError

from logweir.errors import SinkError, SinkRejected, SinkUnavailable
from logweir.event import Event, Kind
from logweir.sinks.contract import Query, Sink, SinkContext
from logweir.sinks.mongodb.client import close_client, make_client, write_concern
from logweir.sinks.mongodb.config import MongoConfig
from logweir.sinks.mongodb.encode import Document, document_of, event_of, guarded_document_of
from logweir.sinks.mongodb.health import condition_of, type_of
from logweir.sinks.mongodb.query import filter_of, older_than
from logweir.sinks.mongodb.reading import holds, in_order
from logweir.sinks.mongodb.schema import create_command, index_command, script
from logweir.sinks.mongodb.server import Server, server_of
from logweir.sinks.mongodb.server_codes import ServerCode
from logweir.sinks.mongodb.verdicts import DRIVER_ERRORS, Failures, failures_of, reason_of, verdict
from logweir.sinks.results import Health, HealthStatus, WriteResult

__all__ = ["MongoSink"]

#: Documents fetched, or deleted, at once.
_PAGE = 1000
_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)


@dataclass(frozen=True, slots=True)
class _Opened:
    """What an open sink works with."""

    client: Any
    database: Any
    collection: Any
    raw_collection: Any
    server: Server


class MongoSink(Sink[MongoConfig]):
    """Writes events into a collection."""

    Config = MongoConfig

    def __init__(self, config: MongoConfig, context: SinkContext | None = None) -> None:
        super().__init__(config, context)
        self._kept_for = {
            kind: None if seconds is None or config.time_series else round(seconds * 1000)
            for kind, seconds in config.ttl.seconds().items()
        }
        self._plain = not (config.text_field or config.time_series or any(self._kept_for.values()))
        self._state: _Opened | None = None

    # -- life ---------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect, and create what is missing of collection and indexes if ``provision`` allows it.

        Raises:
            SinkUnavailable: The server cannot be reached, or refuses us.
            SinkRejected: The collection or an index is there and is another than we would create.
        """
        if self._state is not None:
            return
        with _in_our_terms():
            client = await make_client(self.config, self.context)
        try:
            with _in_our_terms():
                self._state = await self._prepare(client)
        except BaseException:
            await close_client(client)
            raise

    async def _prepare(self, client: Any) -> _Opened:
        server = await server_of(client)
        database = client.get_database(self.config.database_name)
        if self.config.provision:
            await self._provision(database)
        concern = write_concern(self.config)
        collection = database.get_collection(self.config.collection, write_concern=concern)
        return _Opened(client, database, collection, collection.with_options(codec_options=_RAW), server)

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
        if state is not None:
            await close_client(state.client)

    async def check(self) -> Health:
        """Ask who answers, what we may do, and whether collection and indexes are as they should be."""
        try:
            state = self._opened()
            with _in_our_terms():
                server = await server_of(state.client)
                status, details = await condition_of(state.database, self.config)
        except SinkError as error:
            return Health(HealthStatus.DOWN, str(error))
        return Health(status, "; ".join(details), server.name)

    def provision_script(self) -> str:
        """Return the commands for ``mongosh`` that create collection and indexes."""
        return script(self.config)

    # -- writing ------------------------------------------------------------------------------------

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        """Store a batch in one unordered bulk; see :meth:`Sink.write`."""
        if not batch:
            return WriteResult.all_stored()
        state = self._opened()
        known = await self._known(state, batch) if self.config.time_series else {}
        now = state.server.now()
        documents = self._documents(batch, known, now)
        failures = Failures()
        try:
            await self._insert(state, documents, failures)
        except SinkRejected:
            # One of them is at fault, and the driver (or the server) does not say which.
            fitting = self._fitting(state, batch, documents, failures)
            await self._insert(state, fitting, failures)
        if failures.misshapen:
            again = {index: self._guarded(batch[index], now) for index in failures.misshapen}
            failures.misshapen = {}
            await self._insert(state, again, failures)
            failures.rejected.update(failures.misshapen)
        failures.follow(known)
        if len(failures.retry) == len(batch):
            raise SinkUnavailable(failures.passing)  # so that its reason is reported
        return WriteResult(
            duplicate=frozenset(failures.duplicate),
            retry=frozenset(failures.retry),
            rejected=failures.rejected,
        )

    def _documents(
        self, batch: Sequence[Event], known: Mapping[int, int | None], now: int
    ) -> dict[int, Document]:
        """The documents of those that are not known, by their index."""
        if self._plain:
            return dict(enumerate(map(document_of, batch)))
        with_text = self.config.text_field
        return {
            index: document_of(event, self._expiry(event, now), with_text=with_text)
            for index, event in enumerate(batch)
            if index not in known
        }

    def _guarded(self, event: Event, now: int) -> Document:
        return guarded_document_of(event, self._expiry(event, now), with_text=self.config.text_field)

    def _expiry(self, event: Event, now: int) -> int | None:
        """When the event may go: counted from when it happened, or from its storing if that is later.

        So neither a clock that is behind nor a late replay makes an event vanish as it arrives.
        """
        kept_for = self._kept_for[event.kind]
        return None if kept_for is None else max(event.time // 1_000_000, now) + kept_for

    async def _insert(self, state: _Opened, documents: Mapping[int, Document], failures: Failures) -> None:
        """Insert what has not settled, and note what was not stored just so.

        Raises:
            SinkError: Nothing is known of any of them.
        """
        if not documents:
            return
        with _in_our_terms():
            try:
                await state.collection.insert_many(list(documents.values()), ordered=False)
            except BulkWriteError as error:
                failures.add(failures_of(error, len(documents)), list(documents))

    def _fitting(
        self, state: _Opened, batch: Sequence[Event], documents: Mapping[int, Document], failures: Failures
    ) -> dict[int, Document]:
        """Return the documents that can be sent, guarded if need be, and reject those that never can."""
        fitting: dict[int, Document] = {}
        now = state.server.now()
        for index, document in documents.items():
            try:
                sendable, size = self._measured(batch[index], document, now)
            except DRIVER_ERRORS as error:
                failures.rejected[index] = f"a value cannot be stored: {reason_of(error)}"
                continue
            if size > state.server.largest:
                failures.rejected[index] = (
                    f"the document has {size:,} bytes and the server takes {state.server.largest:,}; "
                    "lower limits.max_event_bytes"
                )
            else:
                fitting[index] = sendable
        return fitting

    def _measured(self, event: Event, document: Document, now: int) -> tuple[Document, int]:
        try:
            return document, len(bson.encode(document))
        except DRIVER_ERRORS:
            guarded = self._guarded(event, now)
            return guarded, len(bson.encode(guarded))

    async def _known(self, state: _Opened, batch: Sequence[Event]) -> dict[int, int | None]:
        """The events that are in the store already (None), or earlier in the batch (where)."""
        times = [event.time // 1_000_000 for event in batch]
        filter_ = {
            "time": {"$gte": DatetimeMS(min(times)), "$lte": DatetimeMS(max(times))},
            "_id": {"$in": list({event.id for event in batch})},
        }
        with _in_our_terms():
            cursor = state.collection.find(filter_, {"_id": 1}, batch_size=len(batch) + 1)
            first: dict[str, int | None] = {document["_id"]: None async for document in cursor}
        known = dict[int, int | None]()
        for index, event in enumerate(batch):
            if first.setdefault(event.id, index) != index:
                known[index] = first[event.id]
        return known

    # -- reading and pruning ------------------------------------------------------------------------

    async def search(self, query: Query) -> AsyncIterator[Event]:
        """Yield the events that match, in order of time."""
        left = query.limit
        if left == 0:
            return
        async with (
            aclosing(self._found(query)) as found,
            aclosing(in_order(found, newest_first=query.newest_first)) as ordered,
        ):
            async for event in ordered:
                yield event
                if left is not None:
                    left -= 1
                    if left == 0:
                        return

    async def _found(self, query: Query) -> AsyncGenerator[Event, None]:
        """Yield what matches, sorted by milliseconds."""
        state = self._opened()
        with _in_our_terms():
            cursor = state.raw_collection.find(
                filter_of(query, state.server.protocol),
                sort=[("time", -1 if query.newest_first else 1)],
                batch_size=_PAGE if query.limit is None else min(_PAGE, query.limit + 1),
            )
            try:
                async for document in cursor:
                    event = event_of(document.raw)
                    if holds(event, query):
                        yield event
            finally:
                await cursor.close()

    async def prune(self, before: datetime, *, kind: Kind | None = None, limit: int = 10_000) -> int:
        """Delete at most ``limit`` events older than ``before``, the oldest first."""
        state = self._opened()
        deleted = 0
        with _in_our_terms():
            while deleted < limit:
                page = min(_PAGE, limit - deleted)
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
        state = self._opened()
        with _in_our_terms():
            result = await state.collection.delete_many({"_id": {"$in": list(ids)}})
        return int(result.deleted_count)

    def _opened(self) -> _Opened:
        if self._state is None:
            raise SinkUnavailable("the sink is not open")
        return self._state


@contextmanager
def _in_our_terms() -> Iterator[None]:
    """Turn what the driver raises into what a worker understands."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise verdict(error) from None
