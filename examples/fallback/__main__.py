"""An outage, shown: ``python -m logweir.examples.fallback``. It needs no server, and writes where it is run.

The store is a small HTTP receiver in this very program, which goes away and comes back. While it is away, its
events are stored in ``fallback-audit.db``; afterwards they are written to it, and deleted there.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rich import print as show

import logweir

RECEIVED: list[str] = []


class Receiver(BaseHTTPRequestHandler):
    """Takes events, and keeps their names."""

    def do_POST(self) -> None:
        """Take a batch."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        RECEIVED.extend(json.loads(line)["event"] for line in body.splitlines())
        self.do_HEAD()

    def do_HEAD(self) -> None:
        """Say that it is there."""
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def receiver(port: int) -> ThreadingHTTPServer:
    """Begin to receive."""
    server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


def routing(port: int) -> dict[str, Any]:
    """Audit to the receiver; a local file stands in for it after half a second."""
    return {
        "service": "fallback",
        "audit": {"timeout": "60s"},
        "sinks": {
            "store": {
                "type": "http",
                "url": f"http://127.0.0.1:{port}/",
                "format": "ndjson",
                "retry": {"initial": "50ms", "max": "200ms"},
                "fallback": {"to": "local", "after": "500ms", "return": True},
            },
            "local": {
                "type": "sqlite",
                "url": "sqlite+aiosqlite:///fallback-audit.db",
                "table": "audit_log",
                "provision": True,
            },
        },
        "routes": [{"name": "audit", "match": {"kind": "audit"}, "to": ["store"]}],
    }


def in_fallback() -> int:
    """How many events are in the file."""
    with closing(sqlite3.connect("fallback-audit.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM audit_log").fetchone()[0])


def report(when: str) -> None:
    """Show where events go, and where they are."""
    circuit = logweir.metrics().sinks["store"].circuit.value
    counts = f"the store has {len(RECEIVED)} events, the fallback {in_fallback()}"
    show(f"{when}: the circuit is {circuit}; {counts}")


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    while not condition():
        time.sleep(0.02)


def main() -> None:
    """Three events before an outage, five during it, two after it."""
    server = receiver(0)
    port = server.server_address[1]
    with logweir.running(routing(port)):
        for number in range(3):
            logweir.audit_sync(f"before.{number}", acknowledge="stored")
        report("before the outage")
        server.shutdown()
        server.server_close()
        for number in range(5):
            logweir.audit_sync(f"during.{number}", acknowledge="stored")
        report("during the outage")
        server = receiver(port)
        wait_until(lambda: in_fallback() == 0)
        for number in range(2):
            logweir.audit_sync(f"after.{number}", acknowledge="stored")
        report("after the outage")
    server.shutdown()


if __name__ == "__main__":
    main()
