"""One execution of an audited function: what is noted when it begins, and the event when it has ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from structlog.contextvars import get_contextvars

from logweir import runtime
from logweir.auditing.calls import on_event_loop, require_runtime
from logweir.auditing.record import AuditRecord, make_record, record_for
from logweir.auditing.subject import Finder, find
from logweir.config.models import AuditConfig
from logweir.context import bind
from logweir.delivery.acknowledgement import AckLevel, Receipt
from logweir.diagnostics import tell
from logweir.errors import AuditError, LogweirError

__all__ = ["Execution", "OnFailure", "Options"]

OnFailure = Literal["raise", "continue"]

_NANOS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Options:
    """What was said at the decoration; see :func:`logweir.audit_log`."""

    action: str
    user: Finder | None = None
    resource: Finder | None = None
    record_args: bool = True
    exclude: frozenset[str] = frozenset()
    acknowledge: AckLevel | None = None
    on_failure: OnFailure | None = None
    clock: Callable[[], int] = time.perf_counter_ns


@dataclass(frozen=True, slots=True)
class Execution:
    """An execution that has begun.

    Attributes:
        options: Of the decoration.
        started: By the options' clock.
        user_id: Who calls, as far as the arguments tell.
        resource: What it is done to.
        arguments: A redacted copy of the arguments that are recorded.
        acknowledge: What to wait for at the end.
        timeout: How long.
        on_failure: What happens when the event is not acknowledged.
    """

    options: Options
    started: int
    user_id: Any
    resource: Any
    arguments: dict[str, Any]
    acknowledge: AckLevel
    timeout: float
    on_failure: OnFailure

    @classmethod
    def begin(cls, options: Options, arguments: dict[str, Any], *, blocking: bool) -> Execution:
        """Note what is known before the function runs.

        Args:
            options: Of the decoration.
            arguments: By name; the function may change them afterwards.
            blocking: Whether the end of it is waited for in this thread, rather than awaited.

        Raises:
            NotRunning: No runtime is running, and ``on_failure`` is ``raise``.
            AuditError: It would have to block an event loop, and ``on_failure`` is ``raise``.
        """
        current = require_runtime() if options.on_failure == "raise" else runtime.current()
        config = current.config.audit if current else AuditConfig()
        on_failure = options.on_failure or config.on_failure
        acknowledge = options.acknowledge or config.acknowledge
        if blocking and acknowledge == "stored" and on_event_loop():
            _refuse_to_block(options.action, on_failure)
            acknowledge = "accepted"
        return cls(
            options,
            options.clock(),
            find(options.user, arguments, "user"),
            find(options.resource, arguments, "resource"),
            current.snapshot(_recorded(options, arguments)) if current else {},
            acknowledge,
            config.timeout,
            on_failure,
        )

    def bound(self) -> AbstractContextManager[None]:
        """The context while the function runs."""
        return bind(audit_action=self.options.action)

    def settle(self, error: BaseException | None = None) -> None:
        """Record the end, and wait for the acknowledgement in this thread.

        Args:
            error: What the function raised, if it did; it is for the caller to raise it again.

        Raises:
            LogweirError: The event was not acknowledged, ``on_failure`` is ``raise``, and the function
                itself succeeded.
        """
        with self._tolerance(error):
            self._emit(error).acknowledged_sync(self._level_to_await(error), self.timeout)

    async def asettle(self, error: BaseException | None = None) -> None:
        """Do what :meth:`settle` does, on an event loop."""
        with self._tolerance(error):
            await self._emit(error).acknowledged(self._level_to_await(error), self.timeout)

    @contextmanager
    def _tolerance(self, error: BaseException | None) -> Iterator[None]:
        try:
            yield
        except LogweirError as trouble:
            if error is None and self.on_failure == "raise":
                raise
            tell(f"audit {self.options.action}", "an audited call was not recorded as it should: %s", trouble)

    def _level_to_await(self, error: BaseException | None) -> AckLevel:
        """Whoever cancels, interrupts or exits is not made to wait."""
        return self.acknowledge if error is None or isinstance(error, Exception) else "accepted"

    def _emit(self, error: BaseException | None) -> Receipt:
        duration_ns = self.options.clock() - self.started
        failed = error is not None and not isinstance(error, GeneratorExit)
        values = {
            "user_id": get_contextvars().get("user_id") if self.user_id is None else self.user_id,
            "status": "failed" if failed else "success",
            "resource": self.resource,
            "duration_ms": round(duration_ns / _NANOS_PER_MS, 3),
            **(_describe(error) if failed else {}),
            **self._argument_fields(),
        }
        return _emit(self.options.action, values, level="error" if failed else "info")

    def _argument_fields(self) -> dict[str, Any]:
        typed = _typed_fields(self.options.action)
        columns = {name: value for name, value in self.arguments.items() if name in typed}
        others = {name: value for name, value in self.arguments.items() if name not in typed}
        return {**columns, "arguments": others} if others else columns


def _emit(action: str, values: dict[str, Any], *, level: str) -> Receipt:
    """Emit the event; one that its record refuses is emitted too, with the reason, and then told.

    Raises:
        AuditError: The record refuses it.
    """
    current = require_runtime()
    try:
        fields = make_record(action, values).to_fields()
    except AuditError as error:
        present = {name: value for name, value in values.items() if value is not None}
        current.emit_audit(action, {**present, "record_error": str(error)}, level=level)
        raise
    return current.emit_audit(action, fields, level=level)


def _refuse_to_block(action: str, on_failure: OnFailure) -> None:
    message = (
        f"the audited function of {action!r} is synchronous and was called on an event loop, which may not "
        "wait until the event is stored; make it `async def`, call it by asyncio.to_thread, or say "
        "acknowledge='accepted'"
    )
    if on_failure == "raise":
        raise AuditError(message)
    tell(f"audit loop {action}", "%s; this event is acknowledged when it is accepted", message)


def _recorded(options: Options, arguments: dict[str, Any]) -> dict[str, Any]:
    typed = _typed_fields(options.action)
    return {
        name: value
        for name, value in arguments.items()
        if name not in options.exclude and (options.record_args or name in typed)
    }


def _typed_fields(action: str) -> set[str]:
    """The fields that the action's record declares beyond those of every record."""
    return record_for(action).model_fields.keys() - AuditRecord.model_fields.keys()


def _describe(error: BaseException | None) -> dict[str, Any]:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a hostile __str__ must not lose the event
        text = ""
    return {"error_type": type(error).__qualname__, "error": text or None}
