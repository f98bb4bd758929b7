"""Writing a batch: one unordered bulk, and one more for what the server or the driver refused in the first.

The unique ``_id`` makes it idempotent: an id that is there is a success. The server answers for each
document, so that one it refuses costs the others nothing. Where a whole bulk is refused and nobody says for
which document, each is measured by itself: those that can never be stored are rejected, and the others sent
again (what was stored already is found to be a duplicate). A time-series collection has no unique ``_id``;
there the sink looks up what it has before it inserts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import bson
from bson import DatetimeMS
from pymongo.errors import BulkWriteError

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event
from logweir.process.pacing import in_slices
from logweir.sinks.mongodb.client import Connected
from logweir.sinks.mongodb.config import MongoConfig
from logweir.sinks.mongodb.encode import Document, document_of, guarded_document_of
from logweir.sinks.mongodb.verdicts import DRIVER_ERRORS, Failures, as_sink_errors, reason_of
from logweir.sinks.results import WriteResult

__all__ = ["Writing"]

#: Documents in a bulk while there is time for pauses: a millisecond of encoding.
_BULK = 256


class Writing:
    """How batches get into a collection.

    Args:
        config: The sink's options.
    """

    def __init__(self, config: MongoConfig) -> None:
        self._config = config
        self._kept_for = {
            kind: None if seconds is None or config.time_series else round(seconds * 1000)
            for kind, seconds in config.ttl.seconds().items()
        }
        self._plain = not (config.text_field or config.time_series or any(self._kept_for.values()))

    async def write(self, state: Connected, batch: Sequence[Event]) -> WriteResult:
        """Store a batch, which is not empty; see :meth:`Sink.write`."""
        known = await self._known(state, batch) if self._config.time_series else {}
        now = state.server.now()
        documents = await self._documents(batch, known, now)
        failures = Failures()
        try:
            await self._insert(state, documents, failures)
        except SinkRejected:
            # One of them is at fault, and the driver (or the server) does not say which.
            fitting = self._fitting(state, batch, documents, failures)
            await self._insert(state, fitting, failures)
        if failures.misshapen:
            again = {index: self._guarded(batch[index], now) for index in failures.misshapen}
            failures.misshapen = {}  # what the second bulk adds here was refused in its guarded form too
            await self._insert(state, again, failures)
            failures.rejected.update(failures.misshapen)
        # A repeated id was not sent; what became of the first one is only known now.
        failures.follow(known)
        if failures.unconfirmed and len(failures.retry) == len(batch):
            raise SinkUnavailable(failures.retry_reason)  # nothing else would fare better
        return failures.result()

    async def _documents(
        self, batch: Sequence[Event], known: Mapping[int, int | None], now: int
    ) -> dict[int, Document]:
        """The documents of those that are not known, by their index."""
        if self._plain:
            made = [document async for part in in_slices(batch) for document in map(document_of, part)]
            return dict(enumerate(made))
        with_text = self._config.text_field
        fresh = [index for index in range(len(batch)) if index not in known]
        return {
            index: document_of(batch[index], self.expiry(batch[index], now), with_text=with_text)
            async for part in in_slices(fresh)
            for index in part
        }

    def _guarded(self, event: Event, now: int) -> Document:
        return guarded_document_of(event, self.expiry(event, now), with_text=self._config.text_field)

    def expiry(self, event: Event, now: int) -> int | None:
        """When the event may go: counted from when it happened, or from its storing if that is later.

        So neither a clock that is behind nor a late replay makes an event vanish as it arrives.
        """
        kept_for = self._kept_for[event.kind]
        return None if kept_for is None else max(event.time // 1_000_000, now) + kept_for

    async def _insert(self, state: Connected, documents: Mapping[int, Document], failures: Failures) -> None:
        """Insert what has not settled, and note what was not stored just so.

        Raises:
            SinkError: Nothing is known of any of them.
        """
        if not documents:
            return
        # The driver writes the documents of one call in one go, without letting any other thread run.
        async for part in in_slices(list(documents), _BULK):
            with as_sink_errors():
                try:
                    await state.collection.insert_many([documents[index] for index in part], ordered=False)
                except BulkWriteError as error:
                    failures.add_bulk(error, part)

    def _fitting(
        self, state: Connected, batch: Sequence[Event], documents: Mapping[int, Document], failures: Failures
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

    async def _known(self, state: Connected, batch: Sequence[Event]) -> dict[int, int | None]:
        """The events that are in the store already (None), or earlier in the batch (where)."""
        times = [event.time // 1_000_000 for event in batch]
        filter_ = {
            "time": {"$gte": DatetimeMS(min(times)), "$lte": DatetimeMS(max(times))},
            "_id": {"$in": list({event.id for event in batch})},
        }
        with as_sink_errors():
            cursor = state.collection.find(filter_, {"_id": 1}, batch_size=len(batch) + 1)
            first: dict[str, int | None] = {document["_id"]: None async for document in cursor}
        known = dict[int, int | None]()
        for index, event in enumerate(batch):
            if first.setdefault(event.id, index) != index:
                known[index] = first[event.id]
        return known
