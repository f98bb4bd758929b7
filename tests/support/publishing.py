"""A process that publishes events of an order service over a broker, as an application's forwarder does.

``python -m support.publishing FILE EVENTS RATE``: the configuration whose sink ``store`` is meant, how many, and how many a second
(0: as many as it can). It says ``ready``, begins at a line on stdin, and says at the end how many seconds of processor time it took.
"""

import asyncio
import os
import sys
import time

from logweir.benchmarks.writing import order_events
from logweir.config.loading import load_config
from logweir.config.sinks import context_of
from logweir.delivery.brokers.making import make_broker, place_of
from logweir.delivery.forwarder import Forwarder

BATCH = 500


async def publish(path: str, number: int, rate: float) -> None:
    """Publish."""
    config = load_config(path)
    sink = config.sinks["store"]
    forwarder = Forwarder(sink, make_broker(sink.queue, place_of(sink.type, context_of("store", config))))
    await forwarder.open()
    load = order_events(number)
    batch = min(BATCH, max(1, int(rate / 20))) if rate else BATCH
    os.write(1, b"ready\n")
    await asyncio.to_thread(sys.stdin.readline)
    began, spent = time.monotonic(), time.process_time()
    for first in range(0, number, batch):
        if rate:
            await asyncio.sleep(max(0.0, began + first / rate - time.monotonic()))
        await forwarder.write(load[first : first + batch])
    os.write(1, f"{time.process_time() - spent}\n".encode())
    await forwarder.close()


if __name__ == "__main__":
    asyncio.run(publish(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
