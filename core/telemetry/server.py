"""Serving metrics to Prometheus: one small HTTP server in a thread of its own.

Processes that are given the same port and directory serve as one: the first listens and answers for all, the
others count into the directory, and one of them listens when the first has ended.

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
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

from logweir.delivery.counters import SinkState
from logweir.delivery.spool.ownership import FileLock
from logweir.diagnostics import report, say
from logweir.process import fork
from logweir.process.fork import Stage
from logweir.process.threads import on_event_loop
from logweir.settings.operations import MetricsConfig
from logweir.telemetry.model import Metrics
from logweir.telemetry.prometheus import expose, expose_each
from logweir.telemetry.shared import SharedCounts, give_back, take

__all__ = ["MetricsServer"]

_PATHS = {"/", "/metrics"}
#: What asks for each process apart.
_BY_PROCESS = "?by=process"
_HEALTH_PATHS = {"/live", "/ready"}
#: Seconds that a client may take for one request.
_PATIENCE = 5.0
#: Requests that are answered at once; others are turned away.
_AT_ONCE = 8
_PAUSE = 0.1
#: Seconds between two looks at whether somebody serves, and what has been counted.
_INTERVAL = 1.0
_TRIES = 3
#: Seconds that a connection has to give up its place.
_YIELDING = 1.0


class MetricsServer:
    """Serves the metrics of this process, or of all that share a port with it.

    Args:
        read: The metrics of this process now; called in the server's threads.
        glance: The same without a look at anything else, once a second; by default ``read``.
    """

    def __init__(self, read: Callable[[], Metrics], glance: Callable[[], Metrics] | None = None) -> None:
        self._read = read
        self._glance = glance or read
        self._lock = threading.RLock()
        self._followed: tuple[MetricsConfig | None, Path | None] = (None, None)
        self._server: _Server | None = None
        self._shared: SharedCounts | None = None
        self._port: FileLock | None = None
        self._ended = threading.Event()
        # Where another process serves for this one; after a failure, that it was reported.
        self._elsewhere: str | None = None
        self._reported = False

    @property
    def url(self) -> str | None:
        """Where the metrics are, if they are served, by this process or another one."""
        server = self._server
        if server is None:
            return self._elsewhere
        host, port = server.server_address[:2]
        return _url(str(host), int(port))

    def follow(self, config: MetricsConfig | None, directory: Path | None = None) -> None:
        """Serve as configured; what is served already in this way goes on.

        Args:
            config: Where; None serves no more.
            directory: Where processes that are given the same address count together; each serves for itself
                by default, and where the port is any.
        """
        with self._lock:
            if (config, directory) == self._followed and (self.url is not None or config is None):
                return
            self.stop()
            self._followed = (config, directory)
            if config is None:
                return
            if directory is None or not config.port:
                self._listen(config)
            else:
                self._join(config, directory / quote(f"{config.host}-{config.port}", safe=""))

    def everything(self) -> Metrics:
        """What all have counted that share a port; may wait for the disk.

        Raises:
            LogweirError: Another of these processes does not go on.
        """
        return self._of_all(self._shared)

    def _of_all(self, shared: SharedCounts | None) -> Metrics:
        return self._read() if shared is None else shared.all(self._read)

    def _of_each(self, shared: SharedCounts | None) -> dict[int, Metrics]:
        return {os.getpid(): self._read()} if shared is None else shared.each(self._read)

    def _join(self, config: MetricsConfig, directory: Path) -> None:
        self._shared = SharedCounts(directory, self._glance)
        self._ended = threading.Event()
        if not on_event_loop():  # which does not touch the disk; the thread does the same a moment later
            self._serve_or_leave_it(config, directory)
        self._start_thread(
            "logweir-metrics-counts", partial(self._keep, self._shared, self._ended, config, directory)
        )

    def _keep(self, shared: SharedCounts, ended: threading.Event, config: MetricsConfig, place: Path) -> None:
        """Count into the directory, and serve when nobody else does, until the end."""
        while True:
            try:
                with self._lock:
                    if self._server is None and self._shared is shared:
                        self._serve_or_leave_it(config, place)
                shared.publish()
            except Exception as error:  # noqa: BLE001 - the next second it may be better
                report("metrics.keep", "the metrics of several processes are not brought together: %r", error)
            if ended.wait(_INTERVAL):
                return

    def _serve_or_leave_it(self, config: MetricsConfig, directory: Path) -> None:
        try:
            self._port = self._port or take(directory / "port")
        except OSError:  # which is reported where the counts are written
            self._listen(config)
            return
        self._elsewhere = None if self._port else _url(config.host, config.port)
        if self._port is not None:
            self._listen(config)

    def _listen(self, config: MetricsConfig) -> None:
        shared = self._shared  # of the processes that count together now, also where an answer outlasts them
        for left in reversed(range(_TRIES if self._port and not self._reported else 1)):
            try:
                server = _Server(config, partial(self._of_all, shared), partial(self._of_each, shared))
                break
            except OSError as error:
                if left:  # the kernel lets go of a dead process' locks a moment before its sockets
                    time.sleep(_PAUSE)
                    continue
                if not self._reported:
                    self._reported = True
                    say(
                        logging.WARNING,
                        "metrics are not served: %s:%d cannot be listened at (%s); the service goes on "
                        "without, choose another metrics.port",
                        config.host,
                        config.port,
                        error.strerror or error,
                    )
                return
        if not self._start_thread("logweir-metrics", server.serve):
            server.end()
            return
        self._server = server
        say(logging.INFO if config.port else logging.WARNING, "metrics are served at %s", self.url)

    def _start_thread(self, name: str, work: Callable[[], None]) -> bool:
        try:
            threading.Thread(target=work, name=name, daemon=True).start()
        except RuntimeError:  # the interpreter is on its way out: nobody will ask any more
            return False
        return True

    def stop(self) -> None:
        """Stop serving, and leave what was counted to those who go on; idempotent."""
        with self._lock:
            server, self._server = self._server, None
            shared, self._shared = self._shared, None
            port, self._port = self._port, None
            self._followed, self._elsewhere, self._reported = (None, None), None, False
            self._ended.set()
        if server is not None:
            server.end()
        if shared is not None:
            shared.end()
        if port is not None:
            give_back(port)


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/metrics"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(
        self, config: MetricsConfig, read: Callable[[], Metrics], of_each: Callable[[], Mapping[int, Metrics]]
    ) -> None:
        family, *_, address = socket.getaddrinfo(
            config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        self.address_family = family
        self.read = read
        self.of_each = of_each
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
            if self.path.endswith(_BY_PROCESS):
                body, content_type = expose_each(self.server.of_each())
            else:
                body, content_type = expose(self.server.read(), self.headers.get("Accept", ""))
        except Exception as error:  # noqa: BLE001 - whoever asks must learn that there is no answer
            self._answer_unread(error)
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
            try:
                sinks = self.server.read().sinks.items()
            except Exception as error:  # noqa: BLE001 - as for the metrics
                self._answer_unread(error)
                return
            down = sorted(name for name, sink in sinks if sink.state is SinkState.DOWN)
        text = f"down: {', '.join(down)}\n" if down else "ok\n"
        self.send_response(HTTPStatus.SERVICE_UNAVAILABLE if down else HTTPStatus.OK)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    def _answer_unread(self, error: Exception) -> None:
        report("metrics", "the metrics could not be read: %r", error)
        self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR, "the metrics could not be read")

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
