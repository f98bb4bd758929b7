"""The audit event of a change: made as every audit event is, and written on the connection of the change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import Mapper, Session

from logweir.auditing.audit import require_runtime
from logweir.auditing.record import make_record
from logweir.context.identity import bound_values
from logweir.diagnostics import report
from logweir.event import Kind
from logweir.integrations.sqlalchemy.tracked import Tracked, key_names
from logweir.integrations.sqlalchemy.values import as_written, resource_of
from logweir.runtime.runtime import Runtime

__all__ = ["RowChange", "write_change", "write_statement"]


@dataclass(frozen=True, slots=True)
class RowChange:
    """What happened to one row.

    Attributes:
        mapper: Of the row's class.
        operation: ``insert``, ``update`` or ``delete``.
        key: The row's primary key, after the change.
        before: The values that were replaced or deleted, as far as they are known.
        after: The values that are there now.
        collections: The keys of the members that were added to relationships and removed.
        key_before: The key that it had before, if it was changed.
    """

    mapper: Mapper[Any]
    operation: str
    key: Sequence[Any]
    before: dict[str, Any]
    after: dict[str, Any]
    collections: dict[str, Any] = field(default_factory=dict)
    key_before: Sequence[Any] | None = None


def write_change(
    tracked: Tracked, connection: Connection, session: Session | None, change: RowChange
) -> None:
    """Write the event of a row.

    Raises:
        LogweirError: It cannot be written, and ``on_error`` is ``raise``; or whatever the database raises.
    """

    def values(runtime: Runtime) -> dict[str, Any]:
        names = key_names(change.mapper)
        fields: dict[str, Any] = {
            "resource": resource_of(runtime, change.mapper, change.key),
            "model": change.mapper.class_.__name__,
            "operation": change.operation,
            "key": as_written(dict(zip(names, change.key, strict=True))),
            "before": as_written(change.before),
            "after": as_written(change.after),
        }
        if change.collections:
            fields["collections"] = change.collections
        if change.key_before is not None:
            fields["key_before"] = as_written(dict(zip(names, change.key_before, strict=True)))
            fields["resource_before"] = resource_of(runtime, change.mapper, change.key_before)
        return fields

    _write(tracked, connection, session, change.operation, values)


def write_statement(
    tracked: Tracked,
    connection: Connection,
    session: Session | None,
    statement: str,
    rows: int | None,
    why: str,
) -> None:
    """Write the event of a statement whose rows are not known one by one.

    Raises:
        LogweirError: As for :func:`write_change`.
    """
    fields = {
        "model": tracked.mapper.class_.__name__,
        "operation": "statement",
        "executed": statement,  # under a name that does not make what is beside it a secret
        "rows": rows,
        "reason": why,
    }
    _write(tracked, connection, session, "statement", lambda _runtime: fields)


def _write(
    tracked: Tracked, connection: Connection, session: Session | None, operation: str, values: Any
) -> None:
    if tracked.on_error == "raise":
        _record(tracked, connection, session, operation, values)
        return
    try:
        # Without it, the error of a statement would end the transaction in some databases.
        with connection.begin_nested():
            _record(tracked, connection, session, operation, values)
    except Exception as error:  # noqa: BLE001 - as asked for
        name = tracked.mapper.class_.__name__
        report(f"changes {name}", "a change of %s was not audited: %s", name, error)


def _record(
    tracked: Tracked, connection: Connection, session: Session | None, operation: str, values: Any
) -> None:
    runtime = require_runtime()
    user = tracked.actor(session) if tracked.actor is not None else bound_values().get("user_id")
    action = f"{tracked.action}.{operation}"
    fields = make_record(action, {"user_id": user, **values(runtime)}).to_fields()
    made = runtime.capture(action, fields, level="info", kind=Kind.AUDIT)
    runtime.transactional_sink(made, tracked.sink).record_in(connection, made)
