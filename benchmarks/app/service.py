"""The service: a FastAPI application under uvicorn that logs eight lines in each request.

``python -m logweir.benchmarks.app.service`` reads what to be as JSON from stdin, for a URL may hold a
password, and writes its port. ``/processor`` waits until all that was logged has arrived, and says how much
processor time the process has taken.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI

from logweir.benchmarks.app.contenders import Log, make

__all__ = ["application"]


def application(content: dict[str, Any]) -> FastAPI:
    """The application with one contender's log."""
    logs: list[Log] = []
    numbers = itertools.count(1)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        logs.append(make(content["contender"], Path(content["folder"]), content["options"]))
        yield
        await asyncio.to_thread(logs[0].end)

    app = FastAPI(lifespan=lifespan)

    @app.get("/orders")
    async def orders() -> dict[str, int]:
        number = next(numbers)
        structlog.contextvars.bind_contextvars(request_id=f"req-{number:08}", tenant="acme-corp")
        _place_order(logs[0], number)
        return {"order": number}

    @app.get("/processor")
    async def processor(settled: bool = True) -> float:
        if settled:
            await asyncio.to_thread(logs[0].settle)
        taken = time.process_time()
        # What the start left behind is collected now, in every case: it takes longer than any request, and
        # would come in the middle of one measurement or another.
        gc.collect()
        return taken

    return app


def _place_order(log: Log, number: int) -> None:
    """Eight lines of four fields each, as a request writes them."""
    write = log.write
    write("request.begun", method="GET", path="/orders", user_id=number % 997, client="10.0.0.17")
    write("session.found", user_id=number % 997, age=12.5, role="customer", renewed=False)
    write("cart.read", order_id=number, items=3, amount=129.9, currency="EUR")
    write("stock.reserved", order_id=number, sku="A-17-BLUE", count=2, warehouse="north")
    write("price.computed", order_id=number, amount=129.9, discount=0.05, rule="spring sale")
    write("payment.authorised", order_id=number, amount=123.4, provider="bank", attempt=1)
    write("order.placed", order_id=number, user_id=number % 997, amount=123.4, currency="EUR")
    write("request.ended", status=200, path="/orders", duration_ms=1.25, bytes=17)


def main() -> None:
    """Serve until terminated."""
    content: dict[str, Any] = json.loads(sys.stdin.readline())
    if content["core"] is not None:
        os.sched_setaffinity(0, {content["core"]})
    # Its protocol is named: asyncio turns Nagle's algorithm off only where it is.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen(512)
    print(json.dumps({"port": listening.getsockname()[1]}), flush=True)  # noqa: T201 - what the benchmark reads
    config = uvicorn.Config(application(content), log_level="error", access_log=False, loop="asyncio")
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
