"""Auditing by decoration: ``@audit_log("fund.transfer")`` records every call of a function, and how it ended.

It promises that the function stays what it was: same signature, same results, the same errors with
their tracebacks, cancellation included. What it was called with is copied when it is called, so that
later changes of an argument do not show. Each call is recorded exactly once, also when it fails.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Collection, Coroutine, Iterable
from typing import Any, TypeVar

from logweir.auditing.arguments import Finder, Parameters
from logweir.auditing.coroutines import Followed, follow
from logweir.auditing.execution import Execution, OnFailure, Options
from logweir.auditing.generators import wrap_async_generator, wrap_generator
from logweir.delivery.receipts import AckLevel

__all__ = ["audit_log"]

#: Returned as it was given, so that type checkers see the decorated function unchanged.
Decorated = TypeVar(
    "Decorated", bound="Callable[..., Any] | classmethod[Any, Any, Any] | staticmethod[Any, Any]"
)

Begin = Callable[[tuple[Any, ...], dict[str, Any]], Execution]


def audit_log(
    action: str,
    *,
    user: Finder | None = None,
    resource: Finder | None = None,
    record_args: bool = True,
    exclude: Collection[str] = (),
    acknowledge: AckLevel | None = None,
    on_failure: OnFailure | None = None,
    intent: bool = False,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> Callable[[Decorated], Decorated]:
    """Record every call of a function as an audit event.

    It works on functions, methods, class and static methods (in either order of the decorators),
    coroutine functions, generators of both kinds (which count from their first step until they are
    exhausted or closed), ``functools.partial`` objects and other callables.

    The event has the user, the status (``success`` or ``failed``), the duration, the class and the message
    of an error, and the arguments by name. While the function runs, events below it carry ``audit_action``.
    A typed :class:`AuditRecord` of the action takes the arguments that it declares as fields of its own.

    Args:
        action: What the function does, such as ``fund.transfer``.
        user: Who calls: the name of an argument, dotted for what is inside of it (``user.id``), or a function
            of the arguments by name; where that finds nobody, the context's ``user_id``. By default the id of
            ``current_user`` (an argument, or of ``self``), else the context's ``user_id``, else an argument
            ``user_id``, or that of ``self``.
        resource: What it is done to, found in the same way.
        record_args: Whether to record the arguments. Secret ones are recorded as ``***``.
        exclude: Names of arguments to leave out.
        acknowledge: ``accepted``, ``durable`` or ``stored``; by default as ``audit.acknowledge`` in
            routing.yaml says. A cancelled or interrupted call waits for nothing, and a synchronous function
            that is called on an event loop cannot wait: its events count as acknowledged when they are
            accepted, which is reported, or with ``on_failure="raise"`` it is not called at all.
        on_failure: When the event is not acknowledged, ``raise`` fails the call, ``continue`` reports it and
            goes on; by default as ``audit.on_failure`` in routing.yaml says. An error of the function itself
            is raised in any case, with a note.
        intent: Whether to record ``started`` before the function is called, so that a crash in the middle
            shows: two events with the same ``call_id``. With ``on_failure="raise"`` the function is called
            only when that event is acknowledged.
        clock: Nanoseconds, monotonic.

    Raises:
        TypeError: What is decorated cannot be called, or is a class; or an option is of the wrong type.
        ValueError: ``user``, ``resource`` or ``exclude`` names an argument that does not exist, or
            ``acknowledge`` or ``on_failure`` is a word that means nothing.
    """
    if not isinstance(action, str):
        raise TypeError('audit_log needs the action: write @audit_log("fund.transfer")')
    if isinstance(exclude, str) or not isinstance(exclude, Iterable):
        raise TypeError(f"exclude is a list of names: write exclude=[{exclude!r}]")
    options = Options(
        action, user, resource, record_args, frozenset(exclude), acknowledge, on_failure, intent, clock
    )

    def decorate(target: Any) -> Any:
        if isinstance(target, classmethod | staticmethod):
            return type(target)(
                _audited(target.__func__, options, has_receiver=isinstance(target, classmethod))
            )
        return _audited(target, options)

    return decorate


def _audited(target: Any, options: Options, *, has_receiver: bool = False) -> Any:
    _require_function(target)
    parameters = Parameters.of(target, has_receiver=has_receiver)
    parameters.require_finder(options.user, "user")
    parameters.require_finder(options.resource, "resource")
    for name in options.exclude:
        parameters.require(name, "exclude")
    return _signed(_wrap(target, options, parameters), target)


def _require_function(target: Any) -> None:
    if inspect.isclass(target):
        raise TypeError(f"audit_log cannot decorate the class {target.__qualname__}; decorate its methods")
    if not callable(target):
        raise TypeError(
            f"audit_log decorates functions, not {type(target).__qualname__}; put it below that decorator"
        )


def _wrap(target: Any, options: Options, parameters: Parameters) -> Any:
    code = _what_is_called(target)
    is_coroutine = _is_coroutine_function(code)
    awaited = is_coroutine or inspect.isasyncgenfunction(code)

    def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Execution:
        # Of a class method no user is looked for: what its class has under such a name is no value.
        receiver = args[0] if args and parameters.receiver == "self" else None
        return Execution.begin(options, parameters.bind(args, kwargs), receiver, blocking=not awaited)

    if is_coroutine:
        return _wrap_async(target, begin)
    if inspect.isasyncgenfunction(code):
        return wrap_async_generator(target, begin)
    if inspect.isgeneratorfunction(code):
        return wrap_generator(target, begin)
    return _wrap_sync(target, begin)


def _is_coroutine_function(target: Any) -> bool:
    """Whether what it returns is awaited: also where ``types.coroutine`` made it of a generator function."""
    flags = getattr(getattr(target, "__code__", None), "co_flags", 0)
    return inspect.iscoroutinefunction(target) or bool(flags & inspect.CO_ITERABLE_COROUTINE)


def _what_is_called(target: Any) -> Any:
    """What says whether a callable is a coroutine function: under partials, and behind ``__call__``."""
    while isinstance(target, functools.partial):
        target = target.func
    return target if inspect.isroutine(target) else type(target).__call__


def _wrap_sync(target: Any, begin: Begin) -> Any:
    @functools.wraps(target)
    def audited(*args: Any, **kwargs: Any) -> Any:
        execution = begin(args, kwargs)
        execution.announce()
        try:
            with execution.bound():
                result = target(*args, **kwargs)
        # KeyboardInterrupt and SystemExit too: however it ended, the call goes into the record.
        except BaseException as error:
            execution.settle(error)
            raise
        # Such a function has ended when its coroutine has. The result itself is not asked what it is.
        if issubclass(type(result), Coroutine):
            return Followed(execution, result)
        execution.settle()
        return result

    return audited


def _wrap_async(target: Any, begin: Begin) -> Any:
    @functools.wraps(target)
    async def audited(*args: Any, **kwargs: Any) -> Any:
        execution = begin(args, kwargs)
        await execution.aannounce()
        # Calling a coroutine function runs none of its body, so this is outside of the bound context.
        try:
            coroutine = target(*args, **kwargs)
        except TypeError as error:  # arguments that do not fit
            await execution.asettle(error)
            raise
        return await follow(execution, coroutine)

    return audited


def _signed(wrapper: Any, target: Any) -> Any:
    """Give the wrapper resolved annotations, where they are text and can be resolved already.

    Frameworks that resolve them by a function's globals would look for their names in this module.
    """
    try:
        parameters = inspect.signature(target).parameters.values()
        if any(isinstance(parameter.annotation, str) for parameter in parameters):
            wrapper.__signature__ = inspect.signature(target, eval_str=True)
    except Exception:  # noqa: BLE001 - names that come into being later; __wrapped__ leads to them
        return wrapper
    return wrapper
