"""The Elasticsearch sink: bulk requests that create each event's document under the event's own id.

A document whose id is there already is a duplicate, so that a batch can be sent again at will. Each item
of an answer is judged by itself: the ones that the server had no room for (429, 5xx) go to the worker
again alone, and those that the mapping refuses are rejected with the server's reason.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from logweir.diagnostics import report
from logweir.errors import SinkError, SinkRejected, SinkUnavailable
from logweir.event import Event, Kind
from logweir.sinks.contract import Query, Sink, SinkContext
from logweir.sinks.elasticsearch.client import ElasticsearchClient
from logweir.sinks.elasticsearch.config import ElasticsearchConfig
from logweir.sinks.elasticsearch.encode import Body, Encoder, bodies, to_document, to_unindexed_document
from logweir.sinks.elasticsearch.health import health_of
from logweir.sinks.elasticsearch.layout import Layout
from logweir.sinks.elasticsearch.provisioning import Plan, plan, provision
from logweir.sinks.elasticsearch.pruning import delete, prune
from logweir.sinks.elasticsearch.reading import find
from logweir.sinks.elasticsearch.rollover import Rollovers
from logweir.sinks.elasticsearch.schema import script
from logweir.sinks.elasticsearch.server import ask_server
from logweir.sinks.elasticsearch.verdicts import Verdict, item_verdict
from logweir.sinks.results import Health, HealthStatus, WriteResult

__all__ = ["ElasticsearchSink"]

_ANSWER = "filter_path=errors,items.*._index,items.*.status,items.*.error"


@dataclass(slots=True)
class _Ledger:
    """What became of the events of one batch, so far."""

    duplicate: set[int] = field(default_factory=set)
    retry: set[int] = field(default_factory=set)
    rejected: dict[int, str] = field(default_factory=dict)
    unindexable: list[int] = field(default_factory=list)
    answered: bool = False
    retry_after: float | None = None

    def result(self) -> WriteResult:
        return WriteResult(frozenset(self.duplicate), frozenset(self.retry), self.rejected, self.retry_after)


@dataclass(frozen=True, slots=True)
class _Opened:
    """What a sink has while it is open."""

    client: ElasticsearchClient
    plan: Plan
    rollovers: Rollovers | None
    max_bytes: int


class ElasticsearchSink(Sink[ElasticsearchConfig]):
    """Writes events into a data stream, or into daily indexes."""

    Config = ElasticsearchConfig

    def __init__(self, config: ElasticsearchConfig, context: SinkContext | None = None) -> None:
        super().__init__(config, context)
        self._encoder: Encoder = partial(to_document, full_text=config.full_text)
        self._opened: _Opened | None = None

    # -- life ---------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect, see what the server has, and create what ``provision`` allows.

        Raises:
            SinkUnavailable: No node answers.
            SinkRejected: The template is missing, or the server refuses it.
        """
        if self._opened is not None:
            return
        client = await ElasticsearchClient.make(self.config, self.context.workers)
        try:
            server = await ask_server(client)
            decided = await plan(client, self.config, server)
            await provision(client, self.config, decided)
        except BaseException:
            await client.close()
            raise
        rollovers = Rollovers(client, decided.layout.name) if decided.layout.streaming else None
        max_bytes = self.config.max_request_bytes or server.max_bytes
        self._opened = _Opened(client, decided, rollovers, min(max_bytes, server.max_bytes))

    async def close(self) -> None:
        """Close the connections."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.client.close()

    async def check(self) -> Health:
        """Say how the cluster is, how events are stored, and what the server lacks."""
        try:
            opened = self._require_open()
            return await health_of(opened.client, self.config, opened.plan)
        except SinkError as error:
            return Health(HealthStatus.DOWN, str(error))

    def provision_script(self) -> str:
        """Return the requests that create the ILM policy and the index template, for Kibana's console.

        Before the sink has seen the server, those for a server with data streams and for one without.
        """
        config = self.config
        if self._opened is not None:
            return script(config, self._opened.plan.layout, ilm=self._opened.plan.ilm)
        parts = []
        if config.layout != "daily":
            parts.append(script(config, Layout(config.index, streaming=True), ilm=True))
        if config.layout != "data_stream":
            parts.append(script(config, Layout(config.index, streaming=False), ilm=False))
        return "\n# or, on a server without data streams:\n\n".join(parts)

    # -- writing ------------------------------------------------------------------------------------

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        """Store a batch; see :meth:`Sink.write`."""
        opened = self._require_open()
        ledger = _Ledger()
        await self._write(opened, batch, range(len(batch)), self._encoder, ledger)
        if ledger.unindexable:
            again, ledger.unindexable = ledger.unindexable, []
            await self._write(opened, batch, again, to_unindexed_document, ledger)
        return ledger.result() if ledger.answered else WriteResult.all_stored()

    async def _write(
        self,
        opened: _Opened,
        batch: Sequence[Event],
        chosen: Iterable[int],
        encoder: Encoder,
        ledger: _Ledger,
    ) -> None:
        """Send the bodies one after the other; if one fails, what was answered before still counts."""
        for body in bodies(batch, chosen, opened.plan.layout, encoder, opened.max_bytes):
            try:
                await self._send(opened, batch, body, ledger)
            except SinkUnavailable as error:
                self._put_off(body, error, ledger)
            except SinkRejected as error:
                if len(body.events) == 1:
                    ledger.rejected[body.events[0]] = str(error)
                    ledger.answered = True
                elif not ledger.answered:
                    raise
                else:
                    ledger.retry.update(body.events)

    def _put_off(self, body: Body, error: SinkUnavailable, ledger: _Ledger) -> None:
        if not ledger.answered:
            raise error
        ledger.retry.update(body.events)
        ledger.retry_after = error.retry_after
        report(f"{self.context.name}.part", "sink %r: a part of a batch failed: %s", self.context.name, error)

    async def _send(self, opened: _Opened, batch: Sequence[Event], body: Body, ledger: _Ledger) -> None:
        answer = await opened.client.request("POST", f"/{body.index}/_bulk?{_ANSWER}", body.data)
        items = [item["create"] for item in answer.get("items", [])]
        if len(items) != len(body.events):
            raise SinkUnavailable(f"the server answered {len(items)} of {len(body.events)} items")
        ledger.answered = True
        taken = self._judge(body, items, ledger) if answer["errors"] else dict.fromkeys(body.events, "")
        if opened.rollovers is not None:
            placed = {
                number: item["_index"]
                for number, item in zip(body.events, items, strict=True)
                if number in taken
            }
            await self._look_back(opened.rollovers, batch, placed, ledger)

    def _judge(self, body: Body, items: Sequence[Any], ledger: _Ledger) -> set[int]:
        """Enter the verdicts; return the events that the server has."""
        taken = set[int]()
        for number, item in zip(body.events, items, strict=True):
            verdict, reason = item_verdict(item)
            match verdict:
                case Verdict.STORED:
                    taken.add(number)
                case Verdict.DUPLICATE:
                    taken.add(number)
                    ledger.duplicate.add(number)
                case Verdict.RETRY:
                    ledger.retry.add(number)
                    name = self.context.name
                    report(f"{name}.items", "sink %r: the server put an event off: %s", name, reason)
                case Verdict.UNINDEXABLE:
                    ledger.unindexable.append(number)
                case Verdict.REJECTED:
                    ledger.rejected[number] = reason
        return taken

    async def _look_back(
        self, rollovers: Rollovers, batch: Sequence[Event], placed: dict[int, str], ledger: _Ledger
    ) -> None:
        try:
            ledger.duplicate |= await rollovers.settle(batch, placed)
        except SinkError as error:
            ledger.retry.update(placed)
            ledger.duplicate -= placed.keys()
            name = self.context.name
            report(f"{name}.rollover", "sink %r could not look for older copies: %s", name, error)

    # -- reading and pruning ------------------------------------------------------------------------

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
