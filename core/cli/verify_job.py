"""One process of ``logweir verify --jobs``: verifies parts, and says what it found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import msgspec

from logweir.cli.job_parent import JobParent
from logweir.config.models import RoutingConfig
from logweir.errors import LogweirError
from logweir.process.garbage import kept
from logweir.process.threads import in_thread
from logweir.sinks.tamper_evidence import Part
from logweir.stores.reading import opened
from logweir.stores.verification import PartResult, verify_one

__all__ = ["Task", "verify_as_job"]

_PAUSE = 0.1


class Task(msgspec.Struct, frozen=True):
    """What one process verifies in one go.

    Attributes:
        sink: The sink.
        number: Which of its parts it is.
        part: The part.
    """

    sink: str
    number: int
    part: Part


def verify_as_job(answers: int, config: RoutingConfig) -> None:
    """Verify parts until there are no more; what makes that impossible is said to the parent.

    Args:
        answers: Where what is asked and said goes.
        config: The routing file.
    """
    parent = JobParent(answers)
    try:
        with kept():
            asyncio.run(_work(parent, config))
    except (LogweirError, OSError) as error:
        parent.say(["failed", str(error)])


async def _work(parent: JobParent, config: RoutingConfig) -> None:
    async with AsyncExitStack() as stack:
        name, sink = "", None
        while (task := await in_thread(partial(parent.next, Task))) is not None:
            if task.sink != name:
                await stack.aclose()
                sink = await stack.enter_async_context(opened(task.sink, config, read_only=True))
                name = task.sink
            result = PartResult()
            if sink is not None:
                async with _reported(parent, result):
                    await verify_one(sink.itself, task.part, result)
            parent.say(["done", result.to_message()])


@asynccontextmanager
async def _reported(parent: JobParent, result: PartResult) -> AsyncIterator[None]:
    """Say again and again how many rows there were since the last time, and all of them in the end."""
    said = 0

    def say() -> None:
        nonlocal said
        seen = result.tally.rows + result.tally.unlinked
        if seen > said:
            parent.say(["read", seen - said])
            said = seen

    async def go_on() -> Any:
        while True:
            await asyncio.sleep(_PAUSE)
            say()

    saying = asyncio.create_task(go_on())
    try:
        yield
        say()
    finally:
        saying.cancel()
