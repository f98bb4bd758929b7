"""Serving metrics to Prometheus: one small HTTP server in a thread of its own, for each process.

Beside them `/live` and `/ready` say to a supervisor whether the process answers, and whether no sink is down.

It never stands in the way of delivery: an address in use is reported and the service goes on without; a
request that dawdles is cut off; a fork's child lets go of the parent's socket and serves for itself.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from logweir.delivery.counters import SinkState
from logweir.diagnostics import logger, report
from logweir.process import fork
from logweir.process.fork import Stage
from logweir.settings.operations import MetricsConfig
from logweir.telemetry.model import Metrics
from logweir.telemetry.prometheus import expose

__all__ = ["MetricsServer"]

_PATHS = {"/", "/metrics"}
_HEALTH_PATHS = {"/live", "/ready"}
#: Seconds that a client may take for one request.
_PATIENCE = 5.0
#: Requests that are answered at once; others are turned away.
_AT_ONCE = 8
_PAUSE = 0.1
#: Seconds that a connection has to give up its place.
_YIELDING = 1.0


class MetricsServer:
    """Serves the metrics of this process.

    Args:
        read: The metrics now; called in the server's threads.
    """

    def __init__(self, read: Callable[[], Metrics]) -> None:
        self._read = read
        self._lock = threading.RLock()
        self._config: MetricsConfig | None = None
        self._server: _Server | None = None

    @property
    def url(self) -> str | None:
        """Where the metrics are, if they are served."""
        server = self._server
        if server is None:
            return None
        host, port = server.server_address[:2]
        return f"http://{f'[{host!s}]' if ':' in str(host) else host!s}:{port}/metrics"

    def follow(self, config: MetricsConfig | None) -> None:
        """Serve as configured; what is served already in this way goes on."""
        with self._lock:
            if config == self._config and (self._server is not None or config is None):
                return
            self.stop()
            self._config = config
            if config is not None:
                self._start(config)

    def _start(self, config: MetricsConfig) -> None:
        try:
            server = _Server(config, self._read)
        except OSError as error:
            logger.warning(
                "metrics are not served: %s:%d cannot be listened at (%s); the service goes on without, "
                "choose another metrics.port",
                config.host,
                config.port,
                error.strerror or error,
            )
            return
        try:
            threading.Thread(target=server.serve, name="logweir-metrics", daemon=True).start()
        except RuntimeError:  # the interpreter is on its way out: nobody will ask any more
            server.end()
            return
        self._server = server
        logger.log(logging.INFO if config.port else logging.WARNING, "metrics are served at %s", self.url)

    def stop(self) -> None:
        """Stop serving; idempotent."""
        with self._lock:
            server, self._server, self._config = self._server, None, None
        if server is not None:
            server.end()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, config: MetricsConfig, read: Callable[[], Metrics]) -> None:
        family, *_, address = socket.getaddrinfo(
            config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        self.address_family = family
        self.read = read
        self._places = threading.BoundedSemaphore(_AT_ONCE)
        # Connections whose request has not come as a whole, the oldest first.
        self._asking: dict[Any, None] = {}
        self._ended = False
        super().__init__(address[:2], _Handler)  # type: ignore[arg-type]
        _servers.add(self)

    def server_bind(self) -> None:
        """Bind, without asking the DNS for our own name as the base does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def serve(self) -> None:
        """Serve until the end; unlike ``serve_forever`` it sleeps until somebody asks."""
        while not self._ended:
            try:
                request, client = self.socket.accept()
            except OSError:
                if not self._ended:  # no descriptor is free
                    time.sleep(_PAUSE)
                continue
            self.process_request(request, client)

    def end(self) -> None:
        """Stop listening."""
        self._ended = True
        _servers.discard(self)
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread; where too many ask at once, the one that has been at it longest makes room."""
        if not (self._places.acquire(blocking=False) or self._make_room()):
            self.shutdown_request(request)
            return
        self._asking[request] = None
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, in a thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.asked(request)
            self._places.release()

    def asked(self, request: Any) -> None:
        """Note that a request has come as a whole: from here on it is our turn."""
        self._asking.pop(request, None)

    def _make_room(self) -> bool:
        # Whoever sends a byte now and then would hold its place for ever; a scraper asks at once.
        for request in list(self._asking):
            with suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads, which ends
            return self._places.acquire(timeout=_YIELDING)
        return False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Let a client that went away go."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "logweir"
    sys_version = ""
    timeout = _PATIENCE

    def do_GET(self) -> None:
        """Answer with the metrics."""
        self.server.asked(self.connection)
        if self.path.partition("?")[0] in _HEALTH_PATHS:
            self._answer_health()
            return
        if self.path.partition("?")[0] not in _PATHS:
            self.send_error(HTTPStatus.NOT_FOUND, "the metrics are at /metrics")
            return
        try:
            body, content_type = expose(self.server.read(), self.headers.get("Accept", ""))
        except Exception as error:  # noqa: BLE001 - whoever asks must learn that there is no answer
            report("metrics", "the metrics could not be read: %r", error)
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR, "the metrics could not be read")
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _answer_health(self) -> None:
        """Whether the process lives (it answers), or is ready (it delivers, or somebody does for it)."""
        down: list[str] = []
        if self.path.startswith("/ready"):
            sinks = self.server.read().sinks.items()
            down = sorted(name for name, sink in sinks if sink.state is SinkState.DOWN)
        text = f"down: {', '.join(down)}\n" if down else "ok\n"
        self.send_response(HTTPStatus.SERVICE_UNAVAILABLE if down else HTTPStatus.OK)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


_servers: set[_Server] = set()


def _after_fork_in_child() -> None:
    """Let go of the parent's sockets: the port would stay taken when the parent has ended."""
    for server in list(_servers):
        with suppress(OSError):
            os.close(server.socket.detach())
    _servers.clear()


fork.register(Stage.METRICS_SOCKETS, in_child=_after_fork_in_child)
