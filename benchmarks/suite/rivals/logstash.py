"""python-logstash-async into a receiver on loopback that counts lines: no store, only the way out."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from typing import Any

from logweir.benchmarks.suite.natives import Spec
from logweir.benchmarks.suite.rivals.base import Ground, Rival, log_record, needs_package, queued_logger
from logweir.event import Event

__all__ = ["LogstashAsync", "Loopback"]


class Loopback:
    """Stands where other rivals have a server."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    def sink_settings(self, store: str) -> dict[str, Any]:
        """There is nothing to set."""
        return {}

    async def open(self) -> None:
        """There is nothing to open."""

    async def close(self) -> None:
        """There is nothing to close."""

    async def server(self) -> str:
        """What stands here."""
        return "a TCP receiver on loopback that counts lines; no store"

    async def wipe(self, store: str) -> None:
        """Nothing is kept."""


class _Receiver(threading.Thread):
    """Takes one connection after the other, as the handler makes them, and counts lines."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.lines, self.cpu = 0, 0.0

    def run(self) -> None:
        """Receive until closed."""
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                with connection:
                    while received := connection.recv(1 << 16):
                        self.lines += received.count(b"\n")
                        self.cpu = time.thread_time()

    def close(self) -> None:
        """End the thread: it listens no more."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.join(5)


class LogstashAsync(Rival):
    """AsynchronousLogstashHandler."""

    name = "python-logstash-async"
    durability = "waits in a SQLite file; counts as arrived when the receiver has read the line; no store"

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._receiver: _Receiver | None = None
        self._handler: Any = None

    @classmethod
    def missing(cls) -> str | None:
        """See :meth:`Rival.missing`."""
        return needs_package("logstash_async", "python-logstash-async")

    def open(self) -> None:
        """See :meth:`Rival.open`."""
        from logstash_async.handler import (  # type: ignore[import-untyped]  # noqa: PLC0415 - no dependency
            AsynchronousLogstashHandler,
        )

        self._receiver = _Receiver()
        self._receiver.start()
        path = str(self.ground.folder / "logstash.db")
        self._handler = AsynchronousLogstashHandler("127.0.0.1", self._receiver.port, database_path=path)
        self._logger: logging.Logger = queued_logger(self._handler)

    def log(self, event: Event) -> None:
        """See :meth:`Rival.log`."""
        log_record(self._logger, event)

    def settle(self) -> None:
        """See :meth:`Rival.settle`: its worker sends everything before it ends."""
        self._handler.close()

    def arrived(self) -> int:
        """See :meth:`Rival.arrived`."""
        return self._receiver.lines if self._receiver else 0

    def cpu(self) -> float:
        """See :meth:`Rival.cpu`: what the receiver takes is not the handler's."""
        return -self._receiver.cpu if self._receiver else 0.0

    def close(self) -> None:
        """See :meth:`Rival.close`."""
        if self._receiver is not None:
            self._receiver.close()
