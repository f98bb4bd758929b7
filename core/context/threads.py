"""Context in threads and executors, which do not inherit it as tasks do.

:func:`propagate`, :class:`ContextExecutor`, :func:`submit_with_context` and :func:`context_thread` bring
along what is bound at the moment of the call. Each call works in a copy, so that nothing bound inside it
comes back.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextvars import Context, copy_context
from typing import Any, ParamSpec, TypeVar, cast

from structlog.contextvars import bound_contextvars

from logweir.context.identity import bound_values

__all__ = ["ContextExecutor", "context_thread", "propagate", "submit_with_context"]

P = ParamSpec("P")
T = TypeVar("T")


def propagate(function: Callable[P, T]) -> Callable[P, T]:
    """Wrap a callable so that every call of it sees the context of this moment, in whichever thread.

    Coroutine functions are run in a task which has that context. The wrapped callable may be called many
    times, also at once: each call gets a copy of its own.
    """
    context = copy_context()
    if inspect.iscoroutinefunction(function):
        return cast(Callable[P, T], _propagate_async(function, context))

    @functools.wraps(function)
    def in_context(*args: P.args, **kwargs: P.kwargs) -> T:
        return context.copy().run(function, *args, **kwargs)

    return in_context


def _propagate_async(function: Callable[..., Any], context: Context) -> Callable[..., Any]:
    @functools.wraps(function)
    async def in_context(*args: Any, **kwargs: Any) -> Any:
        return await asyncio.create_task(function(*args, **kwargs), context=context.copy())

    return in_context


def submit_with_context(
    executor: Executor, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
) -> Future[T]:
    """Submit work to any executor, such that it sees the caller's context.

    Into another process only the values that events carry can follow, and they must be picklable.
    """
    if _is_a_pool_of_processes(executor):
        return executor.submit(_run_bound, bound_values(), function, *args, **kwargs)
    return executor.submit(_run_in, copy_context(), function, *args, **kwargs)


def _is_a_pool_of_processes(executor: Executor) -> bool:
    # Whoever has such a pool has imported its module, which is a tenth of what logweir imports at a start.
    module = sys.modules.get("concurrent.futures.process")
    return module is not None and isinstance(executor, module.ProcessPoolExecutor)


def _run_in(context: Context, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    return context.run(function, *args, **kwargs)


def _run_bound(values: dict[str, Any], function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    with bound_contextvars(**values):
        return function(*args, **kwargs)


class ContextExecutor(ThreadPoolExecutor):
    """A thread pool whose work sees the context of the moment it was submitted in.

    Fits ``loop.set_default_executor`` and ``loop.run_in_executor`` as well.
    """

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Schedule ``fn`` with a copy of the caller's context."""
        return super().submit(_run_in, copy_context(), fn, *args, **kwargs)


def context_thread(
    target: Callable[..., object],
    *,
    args: Iterable[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    name: str | None = None,
    daemon: bool | None = None,
) -> threading.Thread:
    """Make a thread, not started yet, whose target sees the context of this moment.

    The arguments are those of :class:`threading.Thread`.
    """
    return threading.Thread(
        target=propagate(target), args=tuple(args), kwargs=dict(kwargs or {}), name=name, daemon=daemon
    )
