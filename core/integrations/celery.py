"""Celery: tasks carry the trace of whoever sent them, and what they and the worker log is routed.

It hears Celery's signals, in the sender and in the worker, so that tasks need no base class: retries,
chains and chords, eager tasks, and pools of processes, threads and greenlets all go the same way. A task is a
unit of work: what is bound inside it ends with it.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakSet, WeakValueDictionary

from logweir.auditing.outcomes import name_outcome
from logweir.context.binding import enter_unit, scope
from logweir.context.carrying import inject
from logweir.context.identity import bound_values
from logweir.context.incoming import REQUEST_ID_HEADER, read_incoming
from logweir.errors import MissingDependency
from logweir.event import Kind
from logweir.integrations.stdlib import bring_to_root, install_stdlib
from logweir.runtime import current as runtime

try:
    from celery import exceptions, signals
except ModuleNotFoundError:  # pragma: no cover - reported to whoever imports this
    raise MissingDependency("logweir.integrations.celery", "celery") from None

__all__ = ["install"]

#: The header of a message under which all of ours is.
HEADER = "logweir"
_NANOS_PER_MS = 1_000_000
_LEVELS = {"FAILURE": "error", "RETRY": "warning", "REJECTED": "warning"}
_PLAIN = (str, int, float, bool)


def install(*, carry: Collection[str] = ("user_id",), stdlib: bool = True, task_log: bool = True) -> None:
    """Connect to Celery's signals; idempotent. Call it where the Celery application is made.

    In the worker each event of a task has ``trace_id``, ``request_id``, ``task_id`` and ``task_name``. A
    ``Retry`` that leaves a function under ``@audit_log`` is recorded with the status ``retry``, an ``Ignore``
    or ``Reject`` as ``ignored`` or ``rejected``.

    Args:
        carry: The names of bound values that go along with a task; values other than text, numbers and
            booleans go as text.
        stdlib: Whether to take the logging of the worker too: its root logger, which Celery sets up anew, and
            ``celery.task``, which keeps its records to itself. What Celery prints stays as it is.
        task_log: Whether to log ``celery.task`` at the end of each execution, with its state and duration.
    """
    tasks = _Tasks(frozenset(carry), task_log)
    connections: dict[Any, Any] = {
        signals.before_task_publish: tasks.publish,
        signals.task_received: tasks.receive,
        signals.task_prerun: tasks.begin,
        signals.task_failure: tasks.fail,
        signals.task_postrun: tasks.end,
        signals.worker_process_shutdown: _stop,
    }
    if stdlib:
        connections[signals.after_setup_logger] = _take_root
        connections[signals.after_setup_task_logger] = _take_task_logger
    for signal, receiver in connections.items():
        uid = f"logweir.{signal.name}"
        signal.disconnect(dispatch_uid=uid)
        signal.connect(receiver, weak=False, dispatch_uid=uid)
    name_outcome(exceptions.Retry, "retry")
    name_outcome(exceptions.Ignore, "ignored")
    name_outcome(exceptions.Reject, "rejected")


@dataclass(slots=True)
class _Execution:
    """A task that runs, or did in another process, which does not say when it began."""

    task_id: str
    started: int | None
    context: AbstractContextManager[None]
    error: BaseException | None = None


#: Those that run here, one inside the other where they are eager.
_running: ContextVar[tuple[_Execution, ...]] = ContextVar("logweir_celery_tasks", default=())


class _Tasks:
    """What is done at each signal of a task."""

    def __init__(self, carry: frozenset[str], task_log: bool) -> None:
        self._carry = carry
        self._task_log = task_log
        # What the main process of a worker has given to a pool; Celery drops each at its end.
        self._received: WeakValueDictionary[str, Any] = WeakValueDictionary()
        self._failed: WeakSet[Any] = WeakSet()

    def publish(self, headers: Any = None, **_others: Any) -> None:
        """Write the sender's trace and values into a message; a retry is sent by the task itself."""
        if not isinstance(headers, dict):  # of Celery's first protocol, which has no headers
            return
        bound = bound_values()
        values = {name: _portable(bound[name]) for name in self._carry if bound.get(name) is not None}
        headers[HEADER] = {**inject(), **({"values": values} if values else {})}

    def receive(self, request: Any = None, **_others: Any) -> None:
        """Know the message of a task whose process may be killed."""
        if request is not None:
            self._received[request.id] = request

    def begin(self, task: Any, task_id: str, **_others: Any) -> None:
        """Enter the unit of work, with what the message says."""
        request = task.request
        if not request.is_eager:
            while _running.get():  # a task that was torn out of its thread has not come to its end
                _leave()
        execution = _Execution(task_id, time.perf_counter_ns(), scope())
        execution.context.__enter__()
        _running.set((*_running.get(), execution))
        _enter(task, task_id, inject() if request.is_eager else getattr(request, HEADER, None))

    def fail(
        self, sender: Any = None, task_id: str | None = None, exception: Any = None, **_others: Any
    ) -> None:
        """Keep the error for the end; log it where the end will not come, for the process was killed."""
        running = _running.get()
        if sender is None or task_id is None or not isinstance(exception, BaseException):
            return
        if running and running[-1].task_id == task_id:
            running[-1].error = exception
        elif self._task_log:
            received = self._received.get(task_id)
            if received is not None:
                if received in self._failed:  # of a task that took too long Celery hears from two sides
                    return
                self._failed.add(received)
            message: dict[str, Any] = received.request_dict if received is not None else {}
            with scope():
                _enter(sender, task_id, message.get(HEADER))
                _log(_Execution(task_id, None, scope(), exception), "FAILURE", message.get("retries"))

    def end(self, task: Any, task_id: str, state: str | None = None, **_others: Any) -> None:
        """Log how it went, and leave the unit of work."""
        running = _running.get()
        if not running or running[-1].task_id != task_id:
            return
        try:
            if self._task_log:
                _log(running[-1], state, task.request.retries)
        finally:
            _leave()


def _enter(task: Any, task_id: str, sent: Any) -> None:
    """Begin the unit of work of a task, with what its message says."""
    if not isinstance(sent, Mapping):
        sent = {}
    headers = ([str(sent[name])] if name in sent else [] for name in ("traceparent", REQUEST_ID_HEADER))
    incoming = read_incoming(*headers, trust=True)
    values = sent.get("values")
    values = dict(values) if isinstance(values, Mapping) else {}
    known_by = {"request_id": incoming.request_id, "task_id": task_id, "task_name": task.name}
    enter_unit(incoming.trace, {**values, **known_by})


def _log(execution: _Execution, state: str | None, retries: int | None) -> None:
    fields: dict[str, Any] = {"task_state": state, "task_retries": retries or 0}
    if execution.started is not None:
        fields["duration_ms"] = round((time.perf_counter_ns() - execution.started) / _NANOS_PER_MS, 3)
    if execution.error is not None:
        fields["exc_info"] = execution.error
    emit = partial((runtime.current() or runtime.stand_in()).emit, "celery.task", fields, kind=Kind.TRACING)
    emit(level="error" if state is None else _LEVELS.get(state, "info"))


def _leave() -> None:
    *before, execution = _running.get()
    execution.context.__exit__(None, None, None)
    _running.set(tuple(before))


def _portable(value: Any) -> Any:
    return value if type(value) in _PLAIN else str(value)


def _take_root(loglevel: Any = None, **_others: Any) -> None:
    install_stdlib(loglevel or "INFO")


def _take_task_logger(logger: Any = None, **_others: Any) -> None:
    if logger is not None:
        bring_to_root(logger)


def _stop(**_others: Any) -> None:
    # Celery's processes end without Python's own exit, at which the runtime would drain.
    if runtime.current() is not None:
        runtime.stop()
