"""Auditing by a call: ``await audit(...)`` and ``audit_sync(...)`` return once the event is acknowledged.

Both raise when it is not: whoever audits by a call wants to know.
"""

from __future__ import annotations

from typing import Any, get_args

from structlog.contextvars import get_contextvars

from logweir.auditing.record import make_record, record_for
from logweir.config.models import AuditConfig
from logweir.delivery.receipts import Ack, AckLevel, Receipt
from logweir.delivery.spool.leading import leading
from logweir.errors import AuditError, NotRunning
from logweir.event import known_level
from logweir.process.patience import waitable
from logweir.process.threads import on_event_loop
from logweir.runtime import current as runtime

__all__ = ["audit", "audit_sync", "require_runtime"]

_ACK_LEVELS: tuple[str, ...] = get_args(AckLevel)


async def audit(
    action: str,
    *,
    user_id: Any = None,
    status: str = "success",
    resource: Any = None,
    level: str = "info",
    acknowledge: AckLevel | None = None,
    timeout: float | None = None,
    **fields: Any,
) -> Ack:
    """Audit an action, and wait until the event is acknowledged.

    Args:
        action: What was done, such as ``fund.transfer``.
        user_id: Who did it; by default the context's ``user_id``.
        status: How it ended.
        resource: What it was done to.
        level: The event's level, by its name or number; anything else is a field of that name.
        acknowledge: ``accepted``, ``durable`` or ``stored``; by default as ``audit.acknowledge`` in
            routing.yaml says.
        timeout: Seconds; by default as ``audit.timeout`` in routing.yaml says.
        **fields: What the action's :class:`AuditRecord` asks for, and anything else.

    Raises:
        AuditError: The values do not fit the action's record, or the event was not acknowledged.
        NotRunning: No runtime is running.
    """
    current = require_runtime()
    values = {"user_id": user_id, "status": status, "resource": resource, **fields}
    wanted, seconds = _terms(current.config.audit, acknowledge, timeout)
    return await _emit(current, action, values, level, wanted).acknowledged(wanted, seconds)


def audit_sync(
    action: str,
    *,
    user_id: Any = None,
    status: str = "success",
    resource: Any = None,
    level: str = "info",
    acknowledge: AckLevel | None = None,
    timeout: float | None = None,
    **fields: Any,
) -> Ack:
    """Audit an action from synchronous code; arguments and errors are those of :func:`audit`.

    Raises:
        AuditError: As for :func:`audit`; and when it would have to wait on an event loop, which only
            ``accepted`` does not.
        NotRunning: No runtime is running.
    """
    current = require_runtime()
    values = {"user_id": user_id, "status": status, "resource": resource, **fields}
    wanted, seconds = _terms(current.config.audit, acknowledge, timeout)
    if wanted != "accepted" and on_event_loop():
        raise AuditError(
            f"audit_sync({action!r}) would block the event loop until the event is {wanted}; "
            "write `await logweir.audit(...)`, or acknowledge='accepted'"
        )
    with leading(waits=wanted != "accepted"):
        return _emit(current, action, values, level, wanted).acknowledged_sync(wanted, seconds)


def require_runtime() -> runtime.Runtime:
    """The running runtime; a process that was given a configuration starts it.

    Raises:
        NotRunning: There is none.
    """
    if runtime.current() is None:
        runtime.stand_in()
    current = runtime.current()
    if current is None:
        raise NotRunning("an audit event needs a runtime and none is running; call logweir.start(...) first")
    return current


def _terms(
    config: AuditConfig, acknowledge: AckLevel | None, timeout: float | None
) -> tuple[AckLevel, float]:
    """What to wait for, and how long.

    Raises:
        AuditError: What was said means nothing.
    """
    if acknowledge is not None and acknowledge not in _ACK_LEVELS:
        raise AuditError(f"{acknowledge=} is none of {', '.join(_ACK_LEVELS)}")
    if not isinstance(timeout, int | float | None):
        raise AuditError(f"{timeout=} is no number of seconds")
    return acknowledge or config.acknowledge, waitable(config.timeout if timeout is None else timeout)


def _emit(
    current: runtime.Runtime, action: str, values: dict[str, Any], level: object, acknowledge: AckLevel
) -> Receipt:
    if values["user_id"] is None:
        values["user_id"] = get_contextvars().get("user_id")
    known = known_level(level)
    if known is None or "level" in record_for(action).model_fields:
        values["level"] = level
    fields = make_record(action, values).to_fields()
    return current.emit_audit(action, fields, level=known or "info", acknowledge=acknowledge)
