"""A 400 in words that nobody knows: no event waits without end for them, and no good one is given up."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from logweir.config.loading import load_config
from logweir.delivery.dead_letters import DeadLetters
from logweir.runtime.runtime import Runtime
from logweir.telemetry.model import SinkMetrics
from support.waiting import eventually
from support.webhook import Received, Reply, Webhook

WORDS = "something that no Loki said so far"


class Receiver:
    """What speaks the push protocol, takes what has no ``poison`` in it, and nothing where it is ``ill``."""

    def __init__(self, webhook: Webhook) -> None:
        webhook.behaviour = self._judge
        self.url = webhook.url
        self.ill = False
        self.lines: set[str] = set()

    def _judge(self, request: Received) -> Reply:
        streams = json.loads(gzip.decompress(request.body))["streams"]
        lines = [value[1] for stream in streams for value in stream["values"]]
        if lines and (self.ill or any("poison" in line for line in lines)):
            return Reply(400, body=WORDS.encode())
        self.lines |= {*lines}
        return Reply(204)

    def has(self, name: str) -> bool:
        return any(json.loads(line)["event"] == name for line in self.lines)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Webhook() as webhook:
        yield Receiver(webhook)


def running(folder: Path, receiver: Receiver) -> Runtime:
    sink = {
        "type": "loki",
        "url": receiver.url,
        "encoding": "json",
        "queue": {"type": "disk"},
        "batch": {"linger": 0},
        "retry": {"initial": "10ms", "max": "20ms"},
    }
    routes = [{"name": "all", "to": ["store"]}]
    runtime = Runtime(load_config({"data_dir": str(folder), "sinks": {"store": sink}, "routes": routes}))
    runtime.start()
    return runtime


def metrics(runtime: Runtime) -> SinkMetrics:
    return runtime.metrics().sinks["store"]


async def test_an_event_that_is_refused_while_others_are_taken_ends_as_a_dead_letter_with_the_words(
    tmp_path: Path, receiver: Receiver
) -> None:
    def run() -> None:
        runtime = running(tmp_path, receiver)
        try:
            runtime.emit("bad", {"poison": True})
            eventually(lambda: metrics(runtime).put_off > 2, 30)
            assert not metrics(runtime).dead  # nothing else was taken: the words may be about all
            assert WORDS in metrics(runtime).last_error

            def given_up() -> bool:
                before = metrics(runtime).stored
                runtime.emit("good", {})
                eventually(lambda: metrics(runtime).stored > before, 30)
                return metrics(runtime).dead == 1

            eventually(given_up, 30)
            assert runtime.flush(30)
        finally:
            runtime.stop(5)

    await asyncio.to_thread(run)
    (letter,) = await asyncio.to_thread(lambda: [*DeadLetters(tmp_path).read()])
    assert letter.reason.startswith(WORDS)
    assert receiver.has("good")
    assert not receiver.has("bad")


async def test_no_good_event_is_given_up_while_all_is_refused_in_such_words(
    tmp_path: Path, receiver: Receiver
) -> None:
    def run() -> None:
        runtime = running(tmp_path, receiver)
        try:
            receiver.ill = True
            for number in range(20):
                runtime.emit(f"good {number}", {})
            eventually(lambda: metrics(runtime).put_off > 40, 30)
            receiver.ill = False
            assert runtime.flush(30), metrics(runtime)
            found: Any = metrics(runtime)
            assert (found.stored + found.duplicate, found.dead) == (20, 0)
        finally:
            runtime.stop(5)

    await asyncio.to_thread(run)
    assert all(receiver.has(f"good {number}") for number in range(20))
