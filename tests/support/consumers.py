"""Worker processes that deliver the sink ``store`` of a configuration from its broker; some of them are killed.

``python -m support.consumers FILE`` is one of them: it delivers until SIGTERM.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from logweir.config.loading import load_config
from logweir.delivery.dead_letters import DeadLetters
from logweir.delivery.queues.broker import BrokerQueue
from logweir.delivery.receipts import OpenReceipts
from logweir.delivery.worker import Clock
from logweir.runtime.from_broker import channel_from_broker
from logweir.runtime.pipeline import Surroundings
from support.forked import fork
from support.programs import ended_with_the_test

__all__ = ["Consumers", "consumers"]

TESTS = Path(__file__).parents[1]


async def consume(path: str) -> None:
    """Deliver until SIGTERM."""
    config = load_config(path)
    loop = asyncio.get_running_loop()
    around = Surroundings(loop.call_soon_threadsafe, OpenReceipts(), Clock())
    channel = channel_from_broker("store", config, around, DeadLetters(config.data_dir))
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    channel.start()
    await channel.opened_or_not()
    os.write(1, b"ready\n")
    await stop.wait()
    await channel.finish(20)
    assert isinstance(channel.queue, BrokerQueue)
    await channel.queue.end()


class Consumers:
    """So many worker processes; one that is killed is replaced."""

    def __init__(self, folder: Path, config: dict[str, Any], number: int) -> None:
        self._path = folder / "consumers.json"
        self._path.write_text(json.dumps({**config, "data_dir": str(folder / "workers")}))
        self._log = folder / "consumers.log"
        self._ready: set[int] = set()
        self.processes = [self._start() for _ in range(number)]

    def _start(self) -> subprocess.Popen[str]:
        env = {**os.environ, "PYTHONPATH": str(TESTS)}
        with self._log.open("a") as log:
            run = {"module": "support.consumers"}
            made = fork(run, [str(self._path)], cwd=Path.cwd(), env=env, stdout=True, stderr=log)
            return ended_with_the_test(made)

    def wait_until_ready(self) -> None:
        for process in self.processes:
            if process.pid not in self._ready:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n", self.log
                self._ready.add(process.pid)

    def add(self) -> None:
        """Start one more."""
        self.processes.append(self._start())

    def kill(self, number: int) -> None:
        """Kill one at once, and start another in its place."""
        process = self.processes[number]
        process.kill()
        self._reap(process)
        self.processes[number] = self._start()

    def stop(self) -> None:
        """Let all end by themselves."""
        self.wait_until_ready()  # before that a SIGTERM is not theirs to handle
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            assert process.wait(60) == 0, self.log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            self._reap(process)

    @staticmethod
    def _reap(process: subprocess.Popen[str]) -> None:
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def consumers(folder: Path, config: dict[str, Any], number: int) -> Iterator[Consumers]:
    """Worker processes, none of which outlives the test."""
    these = Consumers(folder, config, number)
    try:
        yield these
    finally:
        these.end()


if __name__ == "__main__":
    asyncio.run(consume(sys.argv[1]))
