"""Storing a batch whatever the server refuses of it: bulk requests, and a verdict on each of their items.

The bodies of a batch are sent one after the other; if one fails, what was answered before still counts.
Events whose fields the index refuses are sent a second time, with fields that are kept and not indexed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from logweir.diagnostics import report
from logweir.errors import SinkError, SinkRejected, SinkUnavailable
from logweir.event import Event
from logweir.sinks.results import WriteResult
from logweir.sinks.shared.batch_verdicts import BatchVerdicts
from logweir.sinks.shared.search_engine.bulk_body import Body, bodies
from logweir.sinks.shared.search_engine.contract import Client
from logweir.sinks.shared.search_engine.encode import Encoder, to_unindexed_document
from logweir.sinks.shared.search_engine.layout import Layout
from logweir.sinks.shared.search_engine.rollover import Rollovers
from logweir.sinks.shared.search_engine.template_watch import TemplateWatch
from logweir.sinks.shared.search_engine.verdicts import Verdict, item_verdict

__all__ = ["BulkWriter"]

#: Of each item only what a verdict needs: an answer repeats much of what was sent.
_ANSWER = "filter_path=errors,items.*.status,items.*.error"
#: In a data stream also where it stands.
_ANSWER_WITH_INDEX = f"{_ANSWER},items.*._index"


@dataclass(slots=True)
class _Verdicts(BatchVerdicts):
    """Verdicts so far, and the events whose fields the index refuses, which get a second try."""

    unindexable: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class BulkWriter:
    """Writes batches into one data stream, or into its daily indexes.

    Attributes:
        client: The connection.
        layout: Where events stand.
        rollovers: Finds older copies of events in a data stream; None for daily indexes.
        encoder: Makes the document of an event.
        max_bytes: The most bytes in one request.
        sink: The sink's name, for what is reported.
        template: Checks that daily indexes get their template; None for a data stream, which keeps its own.
    """

    client: Client
    layout: Layout
    rollovers: Rollovers | None
    encoder: Encoder
    max_bytes: int
    sink: str
    template: TemplateWatch | None = None

    async def store(self, batch: Sequence[Event]) -> WriteResult:
        """Send a batch.

        Raises:
            SinkUnavailable: Nothing was stored, and the same may be stored later.
            SinkRejected: The request will never be taken as it is.
        """
        verdicts = _Verdicts()
        await self._store(batch, range(len(batch)), self.encoder, verdicts)
        if verdicts.unindexable:
            again, verdicts.unindexable = verdicts.unindexable, []
            await self._store(batch, again, to_unindexed_document, verdicts)
        return verdicts.result()

    async def _store(
        self, batch: Sequence[Event], chosen: Sequence[int], encoder: Encoder, verdicts: _Verdicts
    ) -> None:
        async for body in bodies(batch, chosen, self.layout, encoder, self.max_bytes):
            try:
                await self._send(batch, body, verdicts)
            except SinkUnavailable as error:
                self._put_off(body, error, verdicts)
            except SinkRejected as error:
                if len(body.events) == 1:
                    verdicts.rejected[body.events[0]] = str(error)
                    verdicts.answered = True
                elif not verdicts.answered:
                    raise  # the worker splits the batch
                else:
                    verdicts.retry.update(body.events)
                    verdicts.retry_reason = str(error)

    def _put_off(self, body: Body, error: SinkUnavailable, verdicts: _Verdicts) -> None:
        if not verdicts.answered:
            raise error
        verdicts.retry.update(body.events)
        verdicts.retry_after, verdicts.retry_reason = error.retry_after, str(error)
        report(f"{self.sink}.part", "sink %r: a part of a batch failed: %s", self.sink, error)

    async def _send(self, batch: Sequence[Event], body: Body, verdicts: _Verdicts) -> None:
        if self.template is not None:
            await self.template.before(body.index)
        wanted = _ANSWER if self.rollovers is None else _ANSWER_WITH_INDEX
        answer = await self.client.request("POST", f"/{body.index}/_bulk?{wanted}", body.data)
        items = [item["create"] for item in answer.get("items", [])]
        if len(items) != len(body.events):
            raise SinkUnavailable(f"the server answered {len(items)} of {len(body.events)} items")
        verdicts.answered = True
        taken = self._judge(body, items, verdicts) if answer["errors"] else dict.fromkeys(body.events, "")
        if self.rollovers is not None:
            placed = {
                number: item["_index"]
                for number, item in zip(body.events, items, strict=True)
                if number in taken
            }
            await self._look_back(self.rollovers, batch, placed, verdicts)

    def _judge(self, body: Body, items: Sequence[Any], verdicts: _Verdicts) -> set[int]:
        """Enter the verdicts; return the events that the server has.

        The items of an answer stand in the order of the actions that were sent (Bulk API of both products).
        """
        taken = set[int]()
        for number, item in zip(body.events, items, strict=True):
            verdict, reason = item_verdict(item)
            match verdict:
                case Verdict.STORED:
                    taken.add(number)
                case Verdict.DUPLICATE:
                    taken.add(number)
                    verdicts.duplicate.add(number)
                case Verdict.RETRY:
                    verdicts.retry.add(number)
                    verdicts.retry_reason = reason
                case Verdict.UNINDEXABLE:
                    verdicts.unindexable.append(number)
                case Verdict.REJECTED:
                    verdicts.rejected[number] = reason
        return taken

    async def _look_back(
        self, rollovers: Rollovers, batch: Sequence[Event], placed: dict[int, str], verdicts: _Verdicts
    ) -> None:
        try:
            verdicts.duplicate |= await rollovers.settle(batch, placed)
        except SinkError as error:
            # Whether older copies exist is not known; sent again, the events come by here once more.
            verdicts.retry.update(placed)
            verdicts.duplicate -= placed.keys()
            verdicts.retry_reason = f"older copies cannot be looked for: {error}"
            report(f"{self.sink}.rollover", "sink %r could not look for older copies: %s", self.sink, error)
