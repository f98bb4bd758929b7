"""Blocks: context managers through which an exception of the application passes untouched.

Those of :mod:`contextlib` write the traceback of an exception that leaves them back into it, which one that
lets nobody change it refuses, as that of a frozen dataclass: its refusal would take its place.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar, cast

__all__ = ["Block", "block"]

P = ParamSpec("P")
T = TypeVar("T")
Function = TypeVar("Function", bound=Callable[..., Any])


class Block(AbstractContextManager[T], Generic[T]):
    """What a generator does around its one ``yield``; decorates functions too.

    The generator never sees the exception: for it, the block is closed.

    Args:
        make: Makes the generator.
    """

    def __init__(self, make: Callable[[], Iterator[T]]) -> None:
        self._make = make

    def __enter__(self) -> T:
        self._steps = cast(Generator[T, None, None], self._make())
        return next(self._steps)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            next(self._steps, None)
        else:
            self._steps.close()

    def __call__(self, function: Function) -> Function:
        """Let every call of a function be such a block, that of a coroutine function until it has run."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def inside_coroutine(*args: Any, **kwargs: Any) -> Any:
                with Block(self._make):
                    return await function(*args, **kwargs)

            return cast(Function, inside_coroutine)

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with Block(self._make):
                return function(*args, **kwargs)

        return cast(Function, inside)


def block(generator: Callable[P, Iterator[T]]) -> Callable[P, Block[T]]:
    """Make a block of a generator function, as :func:`contextlib.contextmanager` makes a context manager."""

    @functools.wraps(generator)
    def begin(*args: P.args, **kwargs: P.kwargs) -> Block[T]:
        return Block(functools.partial(generator, *args, **kwargs))

    return begin
