"""A FastAPI dependency that gives an endpoint its :class:`LogService`.

::

    @app.post("/transfers")
    async def transfer(logs: Annotated[LogService, Depends(log_service(get_session))]) -> None: ...

``get_session`` is the application's own dependency. FastAPI calls it once in a request, so that the
service writes in the very session that the endpoint's other parameters use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from logweir.auditing.log_service import LogService
from logweir.errors import MissingDependency

try:
    from fastapi import Depends
except ModuleNotFoundError:  # pragma: no cover - reported to whoever imports this
    raise MissingDependency("logweir.integrations.fastapi", "fastapi") from None

__all__ = ["log_service"]


def log_service(
    get_session: Callable[..., Any] | None = None, *, sink: str | None = None
) -> Callable[..., LogService]:
    """Make the dependency.

    Args:
        get_session: The dependency that yields the request's ``AsyncSession`` or ``Session``; without one
            the service writes in transactions of its own.
        sink: The name of the relational sink to write to; by default as :class:`LogService` finds it.
    """
    if get_session is None:
        return lambda: LogService(sink=sink)

    def in_session(session: Any = Depends(get_session)) -> LogService:  # noqa: B008 - as FastAPI has it
        return LogService(session, sink=sink)

    return in_session
