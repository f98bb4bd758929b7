"""The HTTP interface of the double. Source: Loki docs, HTTP API."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import web

from servers.loki_double.decoding import Entry, Stream, Undecodable, decoded
from servers.loki_double.labels import BadLabels, Labels
from servers.loki_double.limits import Limits
from servers.loki_double.logql import LogQuery, ParseError, parsed
from servers.loki_double.rates import Bucket
from servers.loki_double.rules import validated
from servers.loki_double.store import Store
from servers.loki_double.tailing import Tails

_NANOS = 10**9
_HOUR = 3600 * _NANOS
_MEBIBYTE = 2**20
#: A larger body is refused by 413 (Loki docs, Configuration > distributor: max_recv_msg_size).
_MOST_BODY = 100 * _MEBIBYTE
_SHORT_TIME = 10  # digits: a shorter number is of seconds, a longer one of nanoseconds
_encode = msgspec.json.Encoder().encode


class Refusal(Exception):
    """The request ends here, with this status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class LokiDouble:
    """One server.

    Args:
        store: What it keeps.
        limits: What it refuses.
    """

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        self._begun = time.monotonic()
        self._pushes = 0
        self._tails = Tails(limits.tail_buffer)
        self._buckets: defaultdict[str, Bucket] = defaultdict(
            lambda: Bucket(limits.ingestion_rate_mb * _MEBIBYTE, limits.ingestion_burst_size_mb * _MEBIBYTE)
        )

    def application(self) -> web.Application:
        """The application that serves it."""
        app = web.Application(client_max_size=_MOST_BODY, middlewares=[_refusals(self._limits)])
        app.router.add_post("/loki/api/v1/push", self.push)
        app.router.add_route("*", "/loki/api/v1/query_range", self.query_range)
        app.router.add_get("/loki/api/v1/series", self.series)
        app.router.add_get("/loki/api/v1/tail", self.tail)
        app.router.add_get("/loki/api/v1/status/buildinfo", self.buildinfo)
        app.router.add_get("/ready", self.ready)
        app.router.add_get("/config", self.config)
        return app

    # -- writing ------------------------------------------------------------------------------------------

    async def push(self, request: web.Request) -> web.Response:
        """Store what may be stored, and say what may not."""
        tenant = self._tenant(request)
        try:
            streams = decoded(await request.read(), request.headers.get("Content-Type", ""))
        except (Undecodable, BadLabels) as error:
            raise Refusal(400, str(error)) from None
        valid = validated(streams, self._limits, time.time_ns())
        self._within_rate(tenant, valid.streams)
        self._within_message(valid.streams)
        self._pushes += 1
        if self._limits.fail_every and self._pushes % self._limits.fail_every[0] == 0:
            self._keep(tenant, _halves(valid.streams))
            raise Refusal(self._limits.fail_every[1], "failed in the middle of the batch")
        last = self._keep(tenant, valid.streams)
        if last is not None:
            raise last
        if valid.refusal:
            raise Refusal(400, valid.refusal)
        return web.Response(status=204)

    def _keep(self, tenant: str, streams: Iterable[Stream]) -> Refusal | None:
        """Loki (3.7 and before) keeps but the last stream's error of a request; so does this."""
        last: Refusal | None = None
        for stream in streams:
            accepted, refused = self._store.push(tenant, stream)
            self._tails.publish(tenant, stream.labels, accepted)
            last = None if refused is None else Refusal(refused.status, refused.text)
        return last

    def _within_rate(self, tenant: str, streams: list[Stream]) -> None:
        lines = [entry for stream in streams for entry in stream.entries]
        size = sum(entry.line_size + entry.metadata_size for entry in lines)
        if not self._buckets[tenant].take(size):
            # Loki docs, Troubleshoot ingest > Rate limit exceeded; limits_config: ingestion_rate_mb.
            raise Refusal(
                429,
                f"ingestion rate limit exceeded for user {tenant} (limit: "
                f"{int(self._limits.ingestion_rate_mb * _MEBIBYTE)} bytes/sec) while attempting to ingest "
                f"'{len(lines)}' lines totaling '{size}' bytes, reduce log volume or contact your Loki "
                "administrator to see if the limit can be increased",
            )

    def _within_message(self, streams: list[Stream]) -> None:
        size = sum(entry.line_size + entry.metadata_size for stream in streams for entry in stream.entries)
        if size > self._limits.max_message:
            # Loki docs, Configuration > server: grpc_server_max_recv_msg_size.
            raise Refusal(
                500,
                "rpc error: code = ResourceExhausted desc = grpc: received message larger than max "
                f"({size} vs. {self._limits.max_message})",
            )

    # -- reading ------------------------------------------------------------------------------------------

    async def query_range(self, request: web.Request) -> web.Response:
        """Answer a log query (Loki docs, HTTP API > Query logs within a range of time)."""
        tenant = self._tenant(request)
        asked = {**request.query, **{key: str(value) for key, value in (await request.post()).items()}}
        query, now = _query(asked.get("query", "")), time.time_ns()
        start, end = _time(asked.get("start"), now - _HOUR), _time(asked.get("end"), now)
        limit, backward = int(asked.get("limit", "100")), asked.get("direction", "backward") != "forward"
        self._within_query_limits(start, end, limit)
        found = sorted(self._matching(tenant, query, start, end), key=_by_stamp, reverse=backward)[:limit]
        self._within_answer(found)
        return _answer({"resultType": "streams", "result": _streams(found)})

    def _within_query_limits(self, start: int, end: int, limit: int) -> None:
        most, longest = self._limits.max_entries_limit_per_query, self._limits.max_query_length
        if end < start:
            raise Refusal(400, "end timestamp must not be before or equal to start time")
        if most and limit > most:
            # Loki docs, limits_config: max_entries_limit_per_query.
            raise Refusal(
                400,
                "max entries limit per query exceeded, limit > max_entries_limit_per_query "
                f"({limit} > {most})",
            )
        if longest and end - start > longest * _NANOS:
            # Loki docs, limits_config: max_query_length.
            raise Refusal(
                400,
                "the query time range exceeds the limit (query length: "
                f"{(end - start) // _NANOS}s, limit: {longest:g}s)",
            )

    def _within_answer(self, found: list[tuple[Labels, Entry]]) -> None:
        size = sum(entry.line_size + entry.metadata_size for _, entry in found)
        if size > self._limits.max_message:
            # Loki docs, Configuration > server: grpc_server_max_send_msg_size.
            raise Refusal(
                500,
                "rpc error: code = ResourceExhausted desc = grpc: trying to send message larger than max "
                f"({size} vs. {self._limits.max_message})",
            )

    def _matching(self, tenant: str, query: LogQuery, start: int, end: int) -> list[tuple[Labels, Entry]]:
        return [
            (labels, entry)
            for labels, kept in self._store.streams(tenant)
            if query.selects(labels)
            for known in (dict(labels),)
            for entry in kept.between(start, end)
            if query.takes(known, entry)
        ]

    async def series(self, request: web.Request) -> web.Response:
        """Name the streams of selectors (Loki docs, HTTP API > Query streams)."""
        tenant = self._tenant(request)
        queries = [_query(text) for text in request.query.getall("match[]", [])]
        return _answer(
            [
                dict(labels)
                for labels, _ in self._store.streams(tenant)
                if any(query.selects(labels) for query in queries)
            ]
        )

    async def tail(self, request: web.Request) -> web.WebSocketResponse:
        """Follow a query (Loki docs, HTTP API > Stream logs)."""
        tenant, query = self._tenant(request), _query(request.query.get("query", ""))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        with self._tails.followed(tenant, query) as tail:
            closed = asyncio.ensure_future(socket.receive())
            while not closed.done():
                frame = asyncio.ensure_future(tail.frame())
                await asyncio.wait((closed, frame), return_when=asyncio.FIRST_COMPLETED)
                if not frame.done():
                    frame.cancel()
                    break
                found, dropped = frame.result()
                lost = [{"labels": dict(labels), "timestamp": str(entry.stamp)} for labels, entry in dropped]
                await socket.send_str(_encode({"streams": _streams(found), "dropped_entries": lost}).decode())
        return socket

    # -- about itself -------------------------------------------------------------------------------------

    async def ready(self, request: web.Request) -> web.Response:
        """Say whether it serves (Loki docs, HTTP API > Readiness check)."""
        if time.monotonic() - self._begun < self._limits.not_ready_for:
            raise Refusal(503, "Ingester not ready: waiting for 15s after being ready")
        return web.Response(text="ready\n")

    async def buildinfo(self, request: web.Request) -> web.Response:
        """Say the version (Loki docs, HTTP API > Status)."""
        return web.json_response({"version": f"{self._limits.version}.0", "branch": "double"})

    async def config(self, request: web.Request) -> web.Response:
        """Show the limits (Loki docs, HTTP API > Config)."""
        lines = [f"  {name}: {value}" for name, value in self._limits.shown().items()]
        return web.Response(text="\n".join(["limits_config:", *lines, "ruler:", "  enabled: false", ""]))

    def _tenant(self, request: web.Request) -> str:
        if not self._limits.auth_enabled:
            return "fake"
        tenant = request.headers.get("X-Scope-OrgID", "")
        if not tenant:
            # Loki docs, Multi-tenancy: a request without X-Scope-OrgID is refused.
            raise Refusal(401, "no org id")
        return tenant


def _refusals(limits: Limits) -> Any:
    @web.middleware
    async def answer(request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            response: web.StreamResponse = await handler(request)
        except Refusal as error:
            wait = limits.retry_after if error.status == 429 else None
            headers = {} if wait is None else {"Retry-After": str(wait)}
            return web.Response(status=error.status, text=f"{error}\n", headers=headers)
        return response

    return answer


def _query(text: str) -> LogQuery:
    try:
        return parsed(text)
    except ParseError as error:
        raise Refusal(400, str(error)) from None


def _time(text: str | None, default: int) -> int:
    """A time of a query: seconds, with a fraction perhaps, or nanoseconds."""
    if text is None:
        return default
    try:
        if "." in text:
            return int(float(text) * _NANOS)
        return int(text) * (_NANOS if len(text.lstrip("-")) <= _SHORT_TIME else 1)
    except ValueError:
        raise Refusal(400, f'could not parse "{text}" as a time') from None


def _halves(streams: Iterable[Stream]) -> Iterable[Stream]:
    for stream in streams:
        some = stream.entries[: len(stream.entries) // 2]
        if some:
            yield Stream(stream.labels, some)


def _by_stamp(found: tuple[Labels, Entry]) -> int:
    return found[1].stamp


def _streams(found: Iterable[tuple[Labels, Entry]]) -> list[dict[str, Any]]:
    """Entries in streams of equal labels and structured metadata, as an answer groups them."""
    groups: dict[tuple[Labels, Labels], list[list[str]]] = {}
    for labels, entry in found:
        groups.setdefault((labels, entry.metadata), []).append([str(entry.stamp), entry.line])
    return [
        {"stream": {**dict(labels), **dict(metadata)}, "values": values}
        for (labels, metadata), values in groups.items()
    ]


def _answer(data: Any) -> web.Response:
    return web.Response(body=_encode({"status": "success", "data": data}), content_type="application/json")
