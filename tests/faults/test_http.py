"""A webhook under faults: nothing that was accepted is lost, and nothing is stored twice by its id."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from logweir.sinks.http.config import HttpConfig
from support.burst import Burst, burst_into
from support.webhook import Webhook

pytestmark = pytest.mark.busy


@pytest.fixture
async def receiver() -> AsyncIterator[Webhook]:
    async with Webhook() as running:
        yield running


def do_harm(fault: Any, burst: Burst) -> None:
    fault.latency(0.05)
    burst.until_more_is_stored(30)
    fault.clear()
    fault.answer(503, retry_after=0.05, share=0.7)
    burst.until_more_is_stored(30)
    burst.survives(
        fault,
        lambda: fault.answer(429, retry_after=0.05),
        lambda: fault.answer(401),
        lambda: fault.answer(301),
        fault.reset,
        lambda: fault.cut_answers(20),
        fault.refuse,
        fault.hang,
    )


@pytest.mark.parametrize(("mode", "rate"), [("batch", 500), ("single", 100)])
async def test_storms_resets_and_half_written_answers_lose_nothing_and_repeat_nothing(
    receiver: Webhook, proxy: Any, mode: str, rate: int
) -> None:
    fault = proxy(SimpleNamespace(url=receiver.url))
    options = {
        "url": fault.url,
        "mode": mode,
        "workers": 2,
        "queue": {"max_events": 200_000, "when_full": "block", "block_timeout": 60},
        "retry": {"initial": 0.05, "max": 0.2, "timeout": 0.5},
    }

    def run() -> int:
        with burst_into(HttpConfig.model_validate(options), rate=rate, enough=30) as burst:
            do_harm(fault, burst)
        return burst.sent

    sent = await asyncio.to_thread(run)
    assert sorted(event.fields["number"] for event in receiver.stored.values()) == list(range(sent))
