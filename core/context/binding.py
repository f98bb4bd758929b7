"""Binding: what every event below a point in the program carries.

Values live in structlog's own context variables, so that they reach every event, whichever structlog
chain makes it. :func:`bind` adds values for the length of a block, :func:`scope` begins and ends a unit of
work, and :func:`merge_context` puts what is bound into the fields of an event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextvars import ContextVar, Token, copy_context
from typing import Any

from structlog.contextvars import (
    STRUCTLOG_KEY_PREFIX,
    bind_contextvars,
    get_contextvars,
    reset_contextvars,
    unbind_contextvars,
)

from logweir.context.blocks import block
from logweir.context.identity import identity
from logweir.context.trace import TraceParent, begin_trace, trace_flags

__all__ = ["bind", "enter_unit", "merge_context", "name_of", "scope"]

_MISSING = object()

#: What the context variables of structlog that we have met are called in an event; None for others'.
_names: dict[ContextVar[Any], str | None] = {}
_MOST_NAMES = 4096


def merge_context(fields: dict[str, Any]) -> None:
    """Add the bound values to ``fields``, which win; what structlog's ``merge_contextvars`` does, faster."""
    for variable, value in copy_context().items():
        name = _names[variable] if variable in _names else name_of(variable)
        if name is None or name in fields:
            continue
        if value is not ...:
            fields[name] = value
        elif name in (kept := identity.get()):  # cleared, but it is what the unit of work is known by
            fields[name] = kept[name]


def name_of(variable: ContextVar[Any]) -> str | None:
    """Return what a context variable of structlog is called in an event; None for others'."""
    if len(_names) >= _MOST_NAMES:
        _names.clear()
    ours = variable.name.startswith(STRUCTLOG_KEY_PREFIX)
    _names[variable] = name = variable.name.removeprefix(STRUCTLOG_KEY_PREFIX) if ours else None
    return name


@block
def bind(**values: Any) -> Iterator[None]:
    """Let every event inside the block carry these values; afterwards the previous ones are back.

    Works as a decorator of functions and coroutine functions too. Values that are bound inside the block
    under other names stay.
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


@block
def scope(**values: Any) -> Iterator[None]:
    """Bind values as :func:`bind` does, and at the end forget all that was bound inside the block.

    For the borders of a unit of work, such as a request or a message, so that nothing of it leaks into
    the next one.
    """
    before, flags, known_by = get_contextvars(), trace_flags.get(), identity.get()
    bind_contextvars(**values)
    try:
        yield
    finally:
        trace_flags.set(flags)
        identity.set(known_by)
        after = get_contextvars()
        unbind_contextvars(*(after.keys() - before.keys()))
        bind_contextvars(**{name: value for name, value in before.items() if after.get(name) is not value})


def enter_unit(trace: TraceParent, values: Mapping[str, Any]) -> None:
    """Begin a unit of work, whose trace and values stay even if the context is cleared inside.

    It ends with the surrounding :func:`scope`, or with the copy of the context that it was begun in.
    """
    bind_contextvars(**values)
    begin_trace(trace)
    bound = get_contextvars()
    identity.set({name: bound[name] for name in {*values, "trace_id", "span_id"} & bound.keys()})
