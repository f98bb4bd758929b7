"""Auditing generators: from their first step until they are exhausted or closed.

The context is bound for each step and not across a ``yield``: a generator shares its consumer's
context, so a value left bound would show in the consumer's events, and could not be unbound when another
task or thread finishes the generator.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from functools import partial
from typing import Any

from logweir.auditing.execution import Execution

__all__ = ["wrap_async_generator", "wrap_generator"]

Target = Callable[..., Any]


def wrap_generator(target: Target, begin: Callable[..., Execution]) -> Target:
    """Audit a generator function; values sent, errors thrown and closing reach it unchanged."""

    @functools.wraps(target)
    def audited(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        execution = begin(args, kwargs)
        execution.announce()
        try:
            result = yield from _in_context(target(*args, **kwargs), execution)
        except BaseException as error:
            execution.settle(error)
            raise
        execution.settle()
        return result

    return audited


def _in_context(generator: Generator[Any, Any, Any], execution: Execution) -> Generator[Any, Any, Any]:
    step: Callable[[], Any] = partial(next, generator)
    while True:
        with execution.bound():
            try:
                item = step()
            except StopIteration as end:
                # Not raised on: in a generator a StopIteration becomes a RuntimeError (PEP 479).
                return end.value
        try:
            sent = yield item
        except GeneratorExit:
            # Closing is not an error thrown in: a generator may not go on to yield after it.
            with execution.bound():
                generator.close()
            raise
        except BaseException as error:  # noqa: BLE001 - the generator decides what becomes of it
            step = partial(generator.throw, error)
        else:
            step = partial(generator.send, sent)


def wrap_async_generator(target: Target, begin: Callable[..., Execution]) -> Target:
    """Audit an asynchronous generator function in the same way."""

    @functools.wraps(target)
    async def audited(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        execution = begin(args, kwargs)
        await execution.aannounce()
        steps = _AsyncSteps(target(*args, **kwargs), execution)
        try:
            while await steps.advance():
                try:
                    steps.send((yield steps.item))
                except GeneratorExit:
                    await steps.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - the generator decides what becomes of it
                    steps.throw(error)
        except BaseException as error:
            await execution.asettle(error)
            raise
        await execution.asettle()

    return audited


class _AsyncSteps:
    """An asynchronous generator, advanced step by step inside the execution's context."""

    def __init__(self, generator: AsyncGenerator[Any, Any], execution: Execution) -> None:
        self._generator = generator
        self._execution = execution
        self._step: Callable[[], Any] = partial(_first_step, generator)
        self.item: Any = None

    async def advance(self) -> bool:
        """Get the next item; False if there is none."""
        with self._execution.bound():
            try:
                self.item = await self._step()
            except StopAsyncIteration:
                return False
        return True

    def send(self, value: Any) -> None:
        self._step = partial(self._generator.asend, value)

    def throw(self, error: BaseException) -> None:
        self._step = partial(self._generator.athrow, error)

    async def close(self) -> None:
        with self._execution.bound():
            await self._generator.aclose()


def _first_step(generator: AsyncGenerator[Any, Any]) -> Any:
    """Begin a generator of which the event loop does not hear.

    At its end, a loop closes all that it has heard of at once: this one, too, while ours around it closes it.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, _leave_to_ours)
    try:
        return anext(generator)
    finally:
        sys.set_asyncgen_hooks(*hooks)


def _leave_to_ours(_generator: AsyncGenerator[Any, Any]) -> None:
    """Of a generator that is collected: ours around it is so at the same time, and closes it."""
