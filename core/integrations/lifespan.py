"""The lifespan of an ASGI application: logweir starts with it, and drains before it ends.

Nothing here blocks the event loop: routing.yaml is read and the queues are drained in threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any

from logweir.config.loading import ConfigSource
from logweir.runtime import current as runtime

__all__ = ["lifespan"]


def lifespan(
    config: ConfigSource = "routing.yaml",
    inner: Callable[[Any], AbstractAsyncContextManager[Any]] | None = None,
) -> Callable[[Any], AbstractAsyncContextManager[Any]]:
    """Make the ``lifespan=`` of FastAPI or Starlette.

    The runtime is at ``app.state.logweir`` while the application runs. One that was running before the
    application started goes on after it: it is flushed instead of stopped.

    Args:
        config: A path to routing.yaml, a mapping or a ``RoutingConfig``.
        inner: The application's own lifespan; it runs inside, so that it may log from its first line to
            its last. What it yields is the application's state, as without logweir.
    """

    @asynccontextmanager
    async def around(app: Any) -> AsyncIterator[Any]:
        async with _runtime_for(config) as running:
            state = getattr(app, "state", None)
            if state is not None:
                state.logweir = running
            if inner is None:
                yield None
                return
            async with inner(app) as theirs:
                yield theirs

    return around


def _runtime_for(config: ConfigSource) -> AbstractAsyncContextManager[runtime.Runtime]:
    return runtime.running(config) if runtime.current() is None else _RunningOn(config)


class _RunningOn(AbstractAsyncContextManager[runtime.Runtime]):
    """The runtime that was running before, flushed at the end."""

    def __init__(self, config: ConfigSource) -> None:
        self._config = config

    async def __aenter__(self) -> runtime.Runtime:
        self._runtime = await asyncio.to_thread(runtime.start, self._config, handle_signals=False)
        return self._runtime

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runtime.aflush(self._runtime.config.drain_timeout)
