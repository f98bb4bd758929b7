"""The HTTP interface. Source of paths, parameters and forms: Loki docs, HTTP API."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

import msgspec
from aiohttp import WSMsgType, web

from servers.loki_double import reading
from servers.loki_double.decoding import MalformedPush, decode
from servers.loki_double.ingest import Ingest
from servers.loki_double.logql import ParseError, parse
from servers.loki_double.options import Options
from servers.loki_double.reading import Refused
from servers.loki_double.rules import Refusal
from servers.loki_double.store import Store
from servers.loki_double.tailing import Tail, Tails
from servers.loki_double.units import SECOND

_HOUR = 3600 * SECOND
_API = "/loki/api/v1"
#: Loki docs, HTTP API > Stream logs: the longest delay_for, in seconds.
_LONGEST_DELAY = 5
_encode = msgspec.json.Encoder().encode


class LokiDouble:
    """The handlers of one double.

    Args:
        options: How it runs.
        now: Nanoseconds since 1970.
    """

    def __init__(self, options: Options, now: Callable[[], int] = time.time_ns) -> None:
        self._options = options
        self._now = now
        self._tails = Tails()
        self._store = Store(options.data)
        self._ingest = Ingest(options, self._store, self._tails.offer, now)
        self._ready_at = time.monotonic() + options.not_ready_for

    def application(self) -> web.Application:
        """What serves it; bodies are not to be decompressed before they get here."""
        most = self._options.limits.max_recv_msg_size
        application = web.Application(client_max_size=most + 1, middlewares=[_answer_refusals])
        application.add_routes(
            [
                web.post(f"{_API}/push", self._push),
                web.get(f"{_API}/query_range", self._query_range),
                web.post(f"{_API}/query_range", self._query_range),
                web.get(f"{_API}/series", self._series),
                web.post(f"{_API}/series", self._series),
                web.get(f"{_API}/tail", self._tail),
                web.get(f"{_API}/status/buildinfo", self._buildinfo),
                web.get("/ready", self._ready),
                web.get("/config", self._config),
            ]
        )
        application.on_cleanup.append(self._close)
        return application

    async def _close(self, _application: web.Application) -> None:
        self._store.close()

    def _tenant(self, request: web.Request) -> str:
        """Loki docs, Manage tenants: X-Scope-OrgID where authentication is on, else one tenant, ``fake``."""
        if not self._options.auth_enabled:
            return "fake"
        tenant = request.headers.get("X-Scope-OrgID", "")
        if not tenant:
            raise Refused(401, "no org id")
        return tenant

    async def _push(self, request: web.Request) -> web.Response:
        tenant = self._tenant(request)
        try:
            streams = decode(await request.read(), request.headers)
        except MalformedPush as error:
            raise Refused(400, str(error)) from None
        refusal = self._ingest.push(tenant, streams)
        if refusal is None:
            return web.Response(status=204)
        response = _refused(refusal)
        if refusal.status == 429 and self._options.retry_after is not None:
            response.headers["Retry-After"] = str(self._options.retry_after)
        return response

    async def _query_range(self, request: web.Request) -> web.Response:
        tenant, limits = self._tenant(request), self._options.limits
        ask = reading.parse_range_query(await _parameters(request), limits, self._now())
        return _json(reading.answer(self._store, tenant, ask, limits))

    async def _series(self, request: web.Request) -> web.Response:
        tenant, parameters = self._tenant(request), await _parameters(request)
        end = reading.parse_time(parameters["end"]) if "end" in parameters else self._now()
        start = reading.parse_time(parameters["start"]) if "start" in parameters else end - 6 * _HOUR
        form = await request.post() if request.method == "POST" else {}
        selectors = [
            *request.query.getall("match[]", []),
            *(str(form[name]) for name in form if name == "match[]"),
        ]
        if not selectors:
            raise Refused(400, "0 matcher groups: at least one is required")
        return _json(reading.series(self._store, tenant, selectors, start, end + 1))

    async def _tail(self, request: web.Request) -> web.WebSocketResponse:
        tenant, limits = self._tenant(request), self._options.limits
        try:
            query = parse(request.query.get("query", ""))
        except ParseError as error:
            raise Refused(400, str(error)) from None
        delay = request.query.get("delay_for", "0")
        if not delay.isdecimal() or int(delay) > _LONGEST_DELAY:
            raise Refused(400, f"delay_for can't be greater than {_LONGEST_DELAY}")
        start = (
            reading.parse_time(request.query["start"]) if "start" in request.query else self._now() - _HOUR
        )
        ask = reading.RangeQuery(
            query, start, self._now() + _HOUR, reading.parse_limit(request.query), backward=False
        )
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        # No entry comes between what was there and what is offered from now on: nothing waits in between.
        past = reading.answer(self._store, tenant, ask, limits)["data"]["result"]
        tail = Tail(tenant, query, self._options.tail_buffer, limits)
        self._tails.add(tail)
        sending = asyncio.create_task(_send(socket, tail, past))
        try:
            async for message in socket:
                if message.type is WSMsgType.ERROR:
                    break
        finally:
            self._tails.remove(tail)
            sending.cancel()
        return socket

    async def _ready(self, _request: web.Request) -> web.Response:
        if time.monotonic() < self._ready_at:
            return _refused(Refusal(503, "Ingester not ready: waiting for 15s after being ready"))
        return web.Response(text="ready\n")

    async def _buildinfo(self, _request: web.Request) -> web.Response:
        names = ("revision", "branch", "buildUser", "buildDate", "goVersion")
        return _json({"version": self._options.version, **dict.fromkeys(names, "")})

    async def _config(self, _request: web.Request) -> web.Response:
        lines = [
            "target: all",
            *(["auth_enabled: true"] if self._options.auth_enabled else []),
            "limits_config:",
        ]
        return web.Response(text="\n".join([*lines, *self._options.limits.shown()]) + "\n")


async def _send(socket: web.WebSocketResponse, tail: Tail, past: Sequence[object]) -> None:
    """Send what was there, then what comes, until the client is gone."""
    with suppress(ConnectionError):
        if past:
            await socket.send_str(_encode({"streams": past}).decode())
        while True:
            await socket.send_str(_encode(await tail.message()).decode())


async def _parameters(request: web.Request) -> Mapping[str, str]:
    """Those of the address and, in a POST, those of the form."""
    form = await request.post() if request.method == "POST" else {}
    return {**request.query, **{name: str(value) for name, value in form.items()}}


@web.middleware
async def _answer_refusals(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refused:
        return _refused(refused.refusal)


def _refused(refusal: Refusal) -> web.Response:
    return web.Response(status=refusal.status, text=f"{refusal.text}\n")


def _json(content: object) -> web.Response:
    return web.Response(body=_encode(content), content_type="application/json")
