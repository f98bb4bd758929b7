"""The explicit service: rows that the application writes itself, in its own transaction.

::

    async with AsyncSession(engine) as session, session.begin():
        session.add(Transfer(...))
        await LogService(session).create_audit_log(user_id=7, action="fund.transfer", amount=100)

Given the caller's session, the row is committed or rolled back with the business data. Without one, the
sink writes it at once, in a transaction of its own, and the call returns when it is committed. Events are
captured like any other: context is merged, secrets are redacted, what was passed is copied.

The row goes into the table of one relational sink. With ``outbox: true`` on that sink it is relayed to the
other sinks of its route after the commit; see :mod:`logweir.delivery.outbox`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, cast

from pydantic import Field, TypeAdapter, ValidationError
from structlog.contextvars import get_contextvars

from logweir.auditing.audit import require_runtime
from logweir.auditing.record import make_record
from logweir.encoding.values import clean_text
from logweir.errors import AuditError
from logweir.event import Event, Kind, known_level
from logweir.runtime.runtime import Runtime

if TYPE_CHECKING:  # importing logweir must not cost the import of SQLAlchemy
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
    from sqlalchemy.orm import Session

__all__ = ["Level", "LogService"]

Level = Literal["debug", "info", "warning", "error", "critical"]

_name = TypeAdapter(Annotated[str, Field(min_length=1)])
_level: TypeAdapter[Level] = TypeAdapter(Level)
_kind = TypeAdapter(Kind)


class LogService:
    """Writes log rows explicitly.

    Args:
        session: The caller's ``AsyncSession`` (or ``AsyncConnection``), or a ``Session`` for the ``_sync``
            methods; None writes in a transaction of the sink's own.
        sink: The name of the relational sink whose table is written; by default the one to which the
            event's route leads, or else the first in routing.yaml.
        timeout: Seconds to wait where the sink writes by itself; by default ``audit.timeout``.
    """

    def __init__(
        self,
        session: AsyncSession | AsyncConnection | Session | Connection | None = None,
        *,
        sink: str | None = None,
        timeout: float | None = None,
    ) -> None:
        self._session = session
        self._sink = sink
        self._timeout = timeout

    async def create_log(
        self, /, event: str, *, level: Level = "info", kind: Kind = Kind.TRACING, **fields: Any
    ) -> Event:
        """Write a row for anything that happened.

        Returns:
            The event that was written.

        Raises:
            AuditError: An argument is wrong, or the row was not written.
            LogweirError: No sink can take it.
            NotRunning: No runtime is running.
        """
        return await self._write(_log_values(event, level, kind), fields)

    def create_log_sync(
        self, /, event: str, *, level: Level = "info", kind: Kind = Kind.TRACING, **fields: Any
    ) -> Event:
        """Do what :meth:`create_log` does, with a ``Session`` or in a thread without a loop."""
        return self._write_sync(_log_values(event, level, kind), fields)

    async def create_audit_log(
        self,
        /,
        *,
        user_id: Any = None,
        action: str,
        status: str = "success",
        resource: Any = None,
        extra_info: Mapping[str, Any] | None = None,
        level: Level = "info",
        **fields: Any,
    ) -> Event:
        """Write an audit row, checked by the action's :class:`logweir.AuditRecord`.

        Args:
            user_id: Who did it; by default the context's ``user_id``.
            action: What was done, such as ``fund.transfer``.
            status: How it ended.
            resource: What it was done to.
            extra_info: Anything else, as keywords or here: what the action's record declares is checked, and
                each member becomes a field of the event.
            level: The event's level.
            **fields: What the action's record asks for, and anything else.

        Returns:
            The event that was written.

        Raises:
            AuditError: The values do not fit the action's record, or the row was not written.
            LogweirError: No sink can take it.
            NotRunning: No runtime is running.
        """
        fields = _audit_fields(action, user_id, status, resource, extra_info, fields)
        return await self._write(_log_values(action, level, Kind.AUDIT), fields)

    def create_audit_log_sync(
        self,
        /,
        *,
        user_id: Any = None,
        action: str,
        status: str = "success",
        resource: Any = None,
        extra_info: Mapping[str, Any] | None = None,
        level: Level = "info",
        **fields: Any,
    ) -> Event:
        """Do what :meth:`create_audit_log` does, with a ``Session`` or in a thread without a loop."""
        fields = _audit_fields(action, user_id, status, resource, extra_info, fields)
        return self._write_sync(_log_values(action, level, Kind.AUDIT), fields)

    async def _write(self, what: _What, fields: dict[str, Any]) -> Event:
        runtime, event = _captured(what, fields)
        if self._session is None:
            await runtime.record(event, self._sink, self._timeout)
            return event
        sink = runtime.transactional_sink(event, self._sink)
        if not _is_async(self._session):
            kind = type(self._session).__name__
            raise AuditError(f"{kind} is synchronous; call the _sync method of LogService")
        # Inside run_sync, the row is written on the session's own connection and so in its transaction.
        session = cast("AsyncSession | AsyncConnection", self._session)
        await session.run_sync(lambda inner: sink.record_in(_connection_of(inner), event))
        return event

    def _write_sync(self, what: _What, fields: dict[str, Any]) -> Event:
        runtime, event = _captured(what, fields)
        if self._session is None:
            runtime.record_sync(event, self._sink, self._timeout)
            return event
        sink = runtime.transactional_sink(event, self._sink)
        if _is_async(self._session):
            kind = type(self._session).__name__
            raise AuditError(f"{kind} is asynchronous; await the method of LogService without _sync")
        sink.record_in(_connection_of(cast("Session | Connection", self._session)), event)
        return event


class _What(NamedTuple):
    """What is written, beside its fields."""

    name: str
    level: Level
    kind: Kind


def _log_values(name: str, level: str, kind: str) -> _What:
    """Check what the caller said.

    Raises:
        AuditError: It is wrong.
    """
    try:
        return _What(
            _name.validate_python(clean_text(name) if type(name) is str else name),
            _level.validate_python(known_level(level) or level),
            _kind.validate_python(kind),
        )
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise AuditError(
            f"the log row of {name!r} has a wrong name, level or kind: {problem['msg']}"
        ) from None


def _audit_fields(
    action: str,
    user_id: Any,
    status: str,
    resource: Any,
    extra_info: Mapping[str, Any] | None,
    fields: Mapping[str, Any],
) -> dict[str, Any]:
    values = {
        **fields,
        "user_id": get_contextvars().get("user_id") if user_id is None else user_id,
        "status": status,
        "resource": resource,
        "extra_info": dict(extra_info or {}),
    }
    return make_record(action, values).to_fields()


def _captured(what: _What, fields: dict[str, Any]) -> tuple[Runtime, Event]:
    runtime = require_runtime()
    return runtime, runtime.capture(what.name, fields, level=what.level, kind=what.kind)


def _is_async(session: object) -> bool:
    return hasattr(session, "run_sync")


def _connection_of(session: Session | Connection) -> Connection:
    """The connection on which the transaction runs; a session's pending objects stay pending."""
    from sqlalchemy import Connection  # noqa: PLC0415 - whoever has a session has imported it

    return session if isinstance(session, Connection) else session.connection()
