"""Auditing coroutines: the call has ended when they have, also when that is before their first step."""

from __future__ import annotations

import inspect
from asyncio import CancelledError
from collections.abc import Coroutine, Generator
from typing import Any

from logweir.auditing.execution import Execution

__all__ = ["Followed", "follow"]


async def follow(execution: Execution, coroutine: Any) -> Any:
    """Await a coroutine inside the execution's context, and record how it ended."""
    try:
        with execution.bound():
            result = await coroutine
    except BaseException as error:
        await execution.asettle(_end_of(error))
        raise
    await execution.asettle()
    return result


class Followed(Coroutine[Any, Any, Any]):
    """Stands for the coroutine that a synchronous function has returned, whose call has begun already.

    Of a coroutine that is cancelled or closed before its first step nothing runs, so that one of ours around
    it would record nothing. This has made its own first step when it is made.

    Args:
        execution: The call.
        returned: What the function has returned.
    """

    def __init__(self, execution: Execution, returned: Coroutine[Any, Any, Any]) -> None:
        self.__name__ = getattr(returned, "__name__", type(returned).__name__)
        self.__qualname__ = getattr(returned, "__qualname__", type(returned).__qualname__)
        self._returned = returned
        self._steps = _steps(execution, returned)
        next(self._steps)

    def __await__(self) -> Generator[Any, Any, Any]:
        """Wait until it has ended."""
        return self._live()

    def __getattr__(self, name: str) -> Any:
        """Show to debuggers where the returned coroutine stands."""
        if name.startswith("cr_"):
            return getattr(self._returned, name)
        raise AttributeError(f"a coroutine has no attribute {name!r}")

    def send(self, value: Any) -> Any:
        """Make the next step."""
        return self._live().send(value)

    def throw(self, *error: Any) -> Any:
        """Raise an error where it waits."""
        try:
            return self._live().throw(*error)
        except BaseException:
            self._returned.close()  # it has ended, so Python need not warn that it never began
            raise

    def close(self) -> None:
        """End it where it waits."""
        self._steps.close()
        self._returned.close()

    def _live(self) -> Generator[Any, Any, Any]:
        if inspect.getgeneratorstate(self._steps) == inspect.GEN_CLOSED:
            raise RuntimeError("cannot reuse already awaited coroutine")
        return self._steps


def _steps(execution: Execution, returned: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    try:
        yield  # until its first step is asked for
    except BaseException as error:
        yield from execution.asettle(_end_of(error)).__await__()
        raise
    return (yield from follow(execution, returned).__await__())


def _end_of(error: BaseException) -> BaseException:
    """What a coroutine ended by; a closed one was cut off, while closing a generator is a good end of it."""
    return CancelledError() if isinstance(error, GeneratorExit) else error
