"""One execution of an audited function: what is noted when it begins, and the event when it has ended.

With ``intent``, there is an event before the function is called too: ``started``, with the same
``call_id`` as the one at the end. One that stays alone says that the process died in between.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, get_args

from structlog.contextvars import get_contextvars

from logweir.auditing.arguments import Finder, ask, find
from logweir.auditing.audit import require_runtime
from logweir.auditing.outcomes import outcome_of
from logweir.auditing.record import AuditRecord, as_declared, make_record, record_for
from logweir.auditing.users import Likely, likely_user
from logweir.capture.message import add_field
from logweir.config.models import AuditConfig
from logweir.context.binding import bind
from logweir.delivery.receipts import AckLevel, Receipt
from logweir.delivery.spool.leading import leading
from logweir.diagnostics import report
from logweir.errors import AuditError, LogweirError, NotRunning
from logweir.event import Kind, new_event_id
from logweir.process.threads import on_event_loop
from logweir.runtime import current as runtime

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
    intent: bool = False
    clock: Callable[[], int] = time.perf_counter_ns

    def __post_init__(self) -> None:
        """Refuse what means nothing: it would show at the first call alone, or never.

        Raises:
            TypeError: An option is of the wrong type.
            ValueError: An option is a word that means nothing.
        """
        for name, words in (("acknowledge", get_args(AckLevel)), ("on_failure", get_args(OnFailure))):
            word = getattr(self, name)
            if word is not None and word not in words:
                raise ValueError(f"{name}={word!r} is none of {', '.join(words)}")
        for name in ("record_args", "intent"):
            if type(getattr(self, name)) is not bool:
                raise TypeError(f"{name}={getattr(self, name)!r} is neither True nor False")
        for name in ("user", "resource"):
            finder = getattr(self, name)
            if not (finder is None or isinstance(finder, str) or callable(finder)):
                raise TypeError(
                    f"{name}={finder!r} is neither the name of an argument nor a function of the arguments"
                )
        if not callable(self.clock):
            raise TypeError(f"clock={self.clock!r} is no function")


@dataclass(frozen=True, slots=True)
class Execution:
    """An execution that has begun.

    Attributes:
        options: Of the decoration.
        started: By the options' clock.
        user: Who calls, as far as the call shows it.
        resource: What it is done to.
        arguments: A redacted copy of the arguments that are recorded.
        acknowledge: What to wait for at the end.
        timeout: How long.
        on_failure: What happens when the event is not acknowledged.
        call_id: What links the events of this execution, if it has two.
    """

    options: Options
    started: int
    user: Likely
    resource: Any
    arguments: dict[str, Any]
    acknowledge: AckLevel
    timeout: float
    on_failure: OnFailure
    call_id: str | None

    @classmethod
    def begin(
        cls, options: Options, arguments: dict[str, Any], receiver: Any, *, blocking: bool
    ) -> Execution:
        """Note what is known before the function runs.

        Args:
            options: Of the decoration.
            arguments: By name; the function may change them afterwards.
            receiver: ``self``, if it is a method.
            blocking: Whether the end of it is waited for in this thread, rather than awaited.

        Raises:
            NotRunning: No runtime is running, and ``on_failure`` is ``raise``.
            AuditError: It would have to block an event loop, and ``on_failure`` is ``raise``.
        """
        current = require_runtime() if options.on_failure == "raise" else runtime.current()
        config = current.config.audit if current else AuditConfig()
        on_failure = options.on_failure or config.on_failure
        acknowledge = options.acknowledge or config.acknowledge
        # Checked before the function runs, because afterwards what it did cannot be taken back.
        if blocking and acknowledge != "accepted" and on_event_loop():
            _refuse_to_block(options.action, acknowledge, on_failure)
            acknowledge = "accepted"
        return cls(
            options,
            options.clock(),
            _user(options, arguments, receiver),
            _kept(options, "resource", find(options.resource, arguments, "resource")),
            (current or runtime.stand_in()).snapshot(_recorded(options, arguments)),
            acknowledge,
            config.timeout,
            on_failure,
            new_event_id() if options.intent else None,
        )

    def bound(self) -> AbstractContextManager[None]:
        """The context while the function runs."""
        return bind(audit_action=self.options.action)

    def announce(self) -> None:
        """Record, if ``intent`` asks for it, that the function is about to be called; waits in this thread.

        Raises:
            LogweirError: The event was not acknowledged and ``on_failure`` is ``raise``: do not call it.
        """
        if self.call_id is not None:
            with self._tolerance(None), self._refusal(), leading(waits=self.acknowledge != "accepted"):
                self._emit("started", self.acknowledge).acknowledged_sync(self.acknowledge, self.timeout)

    async def aannounce(self) -> None:
        """Do what :meth:`announce` does, on an event loop."""
        if self.call_id is not None:
            with self._tolerance(None), self._refusal():
                await self._emit("started", self.acknowledge).acknowledged(self.acknowledge, self.timeout)

    def settle(self, error: BaseException | None = None) -> None:
        """Record the end, and wait for the acknowledgement in this thread.

        Args:
            error: What the function raised, if it did; it is for the caller to raise it again.

        Raises:
            LogweirError: The event was not acknowledged, ``on_failure`` is ``raise``, and the function
                itself succeeded.
        """
        level = self._level_to_await(error)
        with self._tolerance(error), leading(waits=level != "accepted"):
            self._emit_end(error, level).acknowledged_sync(level, self.timeout)

    async def asettle(self, error: BaseException | None = None) -> None:
        """Do what :meth:`settle` does, on an event loop."""
        level = self._level_to_await(error)
        with self._tolerance(error):
            await self._emit_end(error, level).acknowledged(level, self.timeout)

    @contextmanager
    def _tolerance(self, error: BaseException | None) -> Iterator[None]:
        try:
            yield
        except LogweirError as trouble:
            if self.on_failure == "raise":
                if error is None:
                    raise
                # The function's own error is what its caller has to handle; ours must not take its place.
                with suppress(Exception):  # one that lets nobody change it; the report says it too
                    error.add_note(f"and this call was not recorded as it should: {trouble}")
            report(
                f"audit {self.options.action}", "an audited call was not recorded as it should: %s", trouble
            )

    @contextmanager
    def _refusal(self) -> Iterator[None]:
        """Record, as far as that goes, a call that is not made: its intent would look like one cut off.

        It is refused because that was not acknowledged, or who waited for it was cancelled or interrupted.
        """
        try:
            yield
        except BaseException as trouble:
            if self.on_failure == "raise" or not isinstance(trouble, LogweirError):
                with suppress(LogweirError):
                    self._emit_end(trouble, "accepted")
            raise

    def _level_to_await(self, error: BaseException | None) -> AckLevel:
        """Whoever cancels, interrupts or exits is not made to wait."""
        return self.acknowledge if error is None or isinstance(error, Exception) else "accepted"

    def _emit_end(self, error: BaseException | None, acknowledge: AckLevel) -> Receipt:
        duration_ns = self.options.clock() - self.started
        status = outcome_of(error)
        return self._emit(
            status,
            acknowledge,
            level={"success": "info", "failed": "error"}.get(status, "warning"),
            duration_ms=round(duration_ns / _NANOS_PER_MS, 3),
            **(_describe(error) if status != "success" else {}),
        )

    def _emit(self, status: str, acknowledge: AckLevel, *, level: str = "info", **outcome: Any) -> Receipt:
        values = {
            "user_id": self._user_id(),
            "status": status,
            "resource": self.resource,
            "call_id": self.call_id,
            **outcome,
            **self._argument_fields(outcome.keys()),
        }
        # With `continue` the caller learns of no failure, so the event must not be lost: it is kept as a line
        # like any other where no runtime takes it, also where the stop comes behind that question.
        keeps = self.on_failure == "continue"
        if keeps and not runtime.serves_audit():
            _keep(self.options.action, values, level)
        try:
            return _emit(self.options.action, values, level=level, acknowledge=acknowledge, save_late=keeps)
        except NotRunning:
            if keeps:
                _keep(self.options.action, values, level)
            raise

    def _user_id(self) -> Any:
        acting, named = self.user
        if acting is not None:
            return acting
        bound = _kept(self.options, "user_id", get_contextvars().get("user_id"))
        return named if bound is None else bound

    def _argument_fields(self, outcome: Collection[str]) -> dict[str, Any]:
        """What the record declares as fields of their own, and the others; how the call ended comes first."""
        typed = _typed_fields(self.options.action).difference(outcome)
        columns = {name: value for name, value in self.arguments.items() if name in typed}
        others = {name: value for name, value in self.arguments.items() if name not in typed}
        if others:
            add_field(columns, "arguments", others)
        return columns


def _user(options: Options, arguments: dict[str, Any], receiver: Any) -> Likely:
    if options.user is None:
        user = likely_user(arguments, receiver, options.exclude)
    else:
        user = Likely(find(options.user, arguments, "user"), None)
    return Likely(*(_kept(options, "user_id", value) for value in user))


def _kept(options: Options, name: str, value: Any) -> Any:
    """What the record keeps of a user or a resource, made now: later it may be another, or have no text."""
    if value is None:
        return None
    return ask(name.removesuffix("_id"), lambda: as_declared(options.action, name, value))


def _emit(
    action: str, values: dict[str, Any], *, level: str, acknowledge: AckLevel, save_late: bool
) -> Receipt:
    """Emit the event; one that its record refuses is emitted too, with the reason, and then reported.

    Raises:
        AuditError: The record refuses it.
    """
    current = require_runtime()
    fields, refused = _fields_of(action, values)
    if refused is not None:
        current.emit_audit(action, fields, level=level, acknowledge="accepted", save_late=save_late)
        raise refused
    return current.emit_audit(action, fields, level=level, acknowledge=acknowledge, save_late=save_late)


def _fields_of(action: str, values: dict[str, Any]) -> tuple[dict[str, Any], AuditError | None]:
    """The fields of an event, and why its record refuses them, if it does."""
    try:
        return make_record(action, values).to_fields(), None
    except AuditError as error:
        # What happened has happened, whether or not its record is complete: it must not be lost for that.
        present = {name: value for name, value in values.items() if value is not None}
        return {**present, "record_error": str(error)}, error


def _keep(action: str, values: dict[str, Any], level: str) -> NoReturn:
    """Have the event kept or saved, as lines are without a runtime that runs.

    Raises:
        NotRunning: Always, for nothing is acknowledged.
    """
    fields, refused = _fields_of(action, values)
    runtime.stand_in().emit(action, fields, level=level, kind=Kind.AUDIT)
    raise refused or NotRunning(
        "no runtime is running; the event waits for one, at most until the process ends: call "
        "logweir.start(...) before the first audited call"
    )


def _refuse_to_block(action: str, acknowledge: AckLevel, on_failure: OnFailure) -> None:
    message = (
        f"the audited function of {action!r} is synchronous and was called on an event loop, which may not "
        f"wait until the event is {acknowledge}; make it `async def`, call it by asyncio.to_thread, or say "
        "acknowledge='accepted'"
    )
    if on_failure == "raise":
        raise AuditError(message)
    report(f"audit loop {action}", "%s; this event is acknowledged when it is accepted", message)


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
    return {"error_type": type(error).__qualname__, **({"error": text} if text else {})}
