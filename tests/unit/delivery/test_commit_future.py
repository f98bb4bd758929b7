"""Waiting for a commit on an event loop."""

import asyncio

import pytest

from logweir.delivery.commit_future import commit_future
from support.interrupting import interrupt_at, steps


@pytest.mark.soak
async def test_c1_an_answer_that_interrupts_another_leaves_nobody_waiting() -> None:
    for step in steps(1):
        (first, answer_first), (second, answer_second) = commit_future(10.0), commit_future(10.0)
        reached = interrupt_at(step, lambda: answer_first(None), lambda: answer_second(None))  # noqa: B023 - called now
        if not reached:
            answer_second(None)
        await asyncio.gather(first, second)
        if not reached:
            break
