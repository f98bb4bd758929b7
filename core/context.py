"""Context: what every event below a point in the program carries, across tasks and threads.

Values live in structlog's own context variables, so that they reach every event, whichever structlog
chain makes it. Tasks inherit them from asyncio; threads and executors do not, and get them from
:func:`propagate`, :class:`ContextExecutor`, :func:`submit_with_context` and :func:`context_thread`.

Trace ids follow W3C Trace Context (levels 1 and 2): :class:`TraceParent` reads and writes the header.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context, ContextVar, Token, copy_context
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast

from structlog.contextvars import (
    STRUCTLOG_KEY_PREFIX,
    bind_contextvars,
    bound_contextvars,
    get_contextvars,
    reset_contextvars,
    unbind_contextvars,
)

__all__ = [
    "ContextExecutor",
    "TraceParent",
    "begin_trace",
    "bind",
    "context_thread",
    "current_trace_id",
    "current_traceparent",
    "merge_context",
    "new_span_id",
    "new_trace_id",
    "parse_traceparent",
    "propagate",
    "scope",
    "submit_with_context",
]

P = ParamSpec("P")
T = TypeVar("T")

_MISSING = object()
_TRACEPARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<rest>-.*)?",
    re.ASCII,
)
_SAMPLED = 0x01
_RANDOM = 0x02
_trace_flags: ContextVar[int] = ContextVar("logweir_trace_flags", default=_SAMPLED)


#: What the context variables of structlog that we have met are called in an event; None for others'.
_names: dict[ContextVar[Any], str | None] = {}
_MOST_NAMES = 4096


def merge_context(fields: dict[str, Any]) -> None:
    """Add the bound values to ``fields``, which win; what structlog's ``merge_contextvars`` does, faster."""
    for variable, value in copy_context().items():
        name = _names[variable] if variable in _names else _name_of(variable)
        if name is not None and name not in fields and value is not ...:
            fields[name] = value


def _name_of(variable: ContextVar[Any]) -> str | None:
    if len(_names) >= _MOST_NAMES:
        _names.clear()
    ours = variable.name.startswith(STRUCTLOG_KEY_PREFIX)
    _names[variable] = name = variable.name.removeprefix(STRUCTLOG_KEY_PREFIX) if ours else None
    return name


# -- values ---------------------------------------------------------------------------------------------


@contextmanager
def bind(**values: Any) -> Iterator[None]:
    """Let every event inside the block carry these values; afterwards the previous ones are back.

    Works as a decorator too. Values that are bound inside the block under other names stay.
    """
    tokens = bind_contextvars(**values)
    try:
        yield
    finally:
        _restore(tokens, values)


def _restore(tokens: Mapping[str, Token[Any]], values: Mapping[str, Any]) -> None:
    """Undo a bind, also in a context that is a copy of the one it was made in.

    A generator that a framework advances in another thread ends in another context, whose variables
    a token cannot reset.
    """
    try:
        reset_contextvars(**tokens)
    except ValueError:
        now = get_contextvars()
        for name, token in tokens.items():
            if now.get(name, _MISSING) is not values[name]:
                continue
            if token.old_value in (Token.MISSING, Ellipsis):
                unbind_contextvars(name)
            else:
                bind_contextvars(**{name: token.old_value})


@contextmanager
def scope(**values: Any) -> Iterator[None]:
    """Bind values as :func:`bind` does, and at the end forget all that was bound inside the block.

    For the borders of a unit of work, such as a request or a message, so that nothing of it leaks into
    the next one.
    """
    before, flags = get_contextvars(), _trace_flags.get()
    bind_contextvars(**values)
    try:
        yield
    finally:
        _trace_flags.set(flags)
        after = get_contextvars()
        unbind_contextvars(*(after.keys() - before.keys()))
        bind_contextvars(**{name: value for name, value in before.items() if after.get(name) is not value})


# -- traces ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TraceParent:
    """The place of a unit of work in a trace: the content of a ``traceparent`` header.

    Attributes:
        trace_id: 32 lower-case hex digits, not all zero.
        span_id: 16 lower-case hex digits, not all zero.
        flags: The flags that are defined today: 1 sampled, 2 random trace id.
    """

    trace_id: str
    span_id: str
    flags: int = _SAMPLED

    def __str__(self) -> str:
        """The header's text, in version 00."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"

    @classmethod
    def new(cls) -> TraceParent:
        """Begin a trace."""
        return cls(new_trace_id(), new_span_id(), _SAMPLED | _RANDOM)

    def child(self) -> TraceParent:
        """The next span of the same trace."""
        return TraceParent(self.trace_id, new_span_id(), self.flags)


def parse_traceparent(header: str) -> TraceParent | None:
    """Read a ``traceparent`` header; None if it is invalid, which means that a new trace begins.

    Version ``ff``, upper-case digits and ids of zeros are invalid. Of a version later than ours the parts
    that we know are read, as the standard asks.
    """
    match = _TRACEPARENT.fullmatch(header.strip(" \t"))
    if match is None or match["version"] == "ff":
        return None
    if match["version"] == "00" and match["rest"]:
        return None
    if not match["trace"].strip("0") or not match["span"].strip("0"):
        return None
    return TraceParent(match["trace"], match["span"], int(match["flags"], 16) & (_SAMPLED | _RANDOM))


def new_trace_id() -> str:
    """Return a random trace id: 32 hex digits, never all zero."""
    return f"{secrets.randbelow(2**128 - 1) + 1:032x}"


def new_span_id() -> str:
    """Return a random span id: 16 hex digits, never all zero."""
    return f"{secrets.randbelow(2**64 - 1) + 1:016x}"


def current_trace_id() -> str | None:
    """The trace id that events carry here, if one is bound."""
    trace_id = get_contextvars().get("trace_id")
    return None if trace_id is None else str(trace_id)


def current_traceparent() -> str | None:
    """The ``traceparent`` header to send with requests to other services; None outside of a trace."""
    bound = get_contextvars()
    if "trace_id" not in bound:
        return None
    return str(
        TraceParent(str(bound["trace_id"]), str(bound.get("span_id") or new_span_id()), _trace_flags.get())
    )


def begin_trace(trace: TraceParent) -> None:
    """Bind a trace and its span, until the surrounding :func:`scope` ends."""
    bind_contextvars(trace_id=trace.trace_id, span_id=trace.span_id)
    _trace_flags.set(trace.flags)


# -- threads and executors ------------------------------------------------------------------------------


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
    if isinstance(executor, ProcessPoolExecutor):
        return executor.submit(_run_bound, get_contextvars(), function, *args, **kwargs)
    return executor.submit(_run_in, copy_context(), function, *args, **kwargs)


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
