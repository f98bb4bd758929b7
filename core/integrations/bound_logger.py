"""The logger of the recommended chain: structlog's interface, and calls that never raise.

Every name may be a field (``event``, ``level``, ``self``, ...), arguments that do not fit their message are
kept beside it, and a chain that has our processor alone is not walked: the call goes straight to it. Bound
loggers can be pickled and copied; what a copy logs goes the same way.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from contextvars import Context, copy_context
from functools import lru_cache, partial
from typing import Any, Self

import structlog

from logweir.capture.message import add_field, formatted, text_of
from logweir.capture.ordinary import Bound
from logweir.event import LEVELS, known_level, nearest_level
from logweir.integrations.processors import METHOD_LEVELS, ROUTING
from logweir.runtime.current import current

__all__ = ["NOT_GIVEN", "BoundLogger", "Silent", "bound_logger_class"]

#: Stands for an event that is not given.
NOT_GIVEN: Any = object()
#: Where structlog's processors that name the place of a call look for it, if this structlog has them.
_CALLING_STACK, _CALLING_THREAD = (
    getattr(structlog.contextvars, name, None) for name in ("_ASYNC_CALLING_STACK", "_ASYNC_CALLING_THREAD")
)


class Silent:
    """The logger at the end of the chain: it has a name, and everything else was done by the processor."""

    __slots__ = ("name",)

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def _do_nothing(self, /, *_args: Any, **_keywords: Any) -> None:
        return None

    debug = info = warning = warn = error = exception = critical = fatal = msg = log = failure = err = (
        _do_nothing
    )


class BoundLogger(structlog.BoundLoggerBase):
    """Carries context, and logs at the levels from :attr:`min_level` on.

    The methods are those of structlog's filtering loggers: one for each level, ``log``, ``exception``, and
    the same with an ``a`` in front for coroutines.

    Attributes:
        bound: What it carries.
    """

    min_level = 0

    def __init__(self, logger: Any, processors: Any, context: Any) -> None:
        self._logger = logger
        self._processors = processors
        self.bound = Bound(context, getattr(logger, "name", None))

    @property
    def _context(self) -> Any:  # type: ignore[override]
        return self.bound.opened()  # get_context() hands it out, to be changed perhaps

    def bind(self, /, **new_values: Any) -> Self:
        """Return a logger that carries these values too."""
        values = self.bound.values
        return self.__class__(self._logger, self._processors, _copy(values, new_values))

    def new(self, /, **new_values: Any) -> Self:
        """Forget what is bound, and bind these values."""
        self._context.clear()
        return self.bind(**new_values)

    def unbind(self, /, *keys: str) -> Self:
        """Return a logger that does not carry these values.

        Raises:
            KeyError: One of them is not bound.
        """
        return self._without(keys, ())

    def try_unbind(self, /, *keys: str) -> Self:
        """Return a logger that does not carry these values, if it does now."""
        return self._without((), keys)

    def _without(self, keys: Iterable[str], keys_if_bound: Iterable[str]) -> Self:
        left = _copy(self.bound.values, {})
        for key in keys:
            del left[key]
        for key in keys_if_bound:
            left.pop(key, None)
        return self.__class__(self._logger, self._processors, left)

    def log(self, level: Any = NOT_GIVEN, event: Any = NOT_GIVEN, /, *args: Any, **fields: Any) -> Any:
        """Log at a level given by its number or name; what is no level is logged at info, as a field."""
        if type(level) is int:
            name, number = nearest_level(level), level
        else:
            name = known_level(level) or "info"
            number = LEVELS[name]
            if known_level(level) is None and level is not NOT_GIVEN:
                if event is NOT_GIVEN:
                    event = level
                else:
                    add_field(fields, "level", level)
        return self._log(name, event, args, fields) if number >= self.min_level else None

    async def alog(self, level: Any = NOT_GIVEN, event: Any = NOT_GIVEN, /, *args: Any, **fields: Any) -> Any:
        """Do what :meth:`log` does, in a thread."""
        event = self._filled(event, args, fields)
        return await _in_thread(partial(self.log, level, event), fields)

    def is_enabled_for(self, level: int) -> bool:
        """Whether calls at this level are captured."""
        return level >= self.min_level

    def get_effective_level(self) -> int:
        """The lowest level that is captured."""
        return self.min_level

    def _log(self, method_name: str, event: Any, args: tuple[Any, ...], fields: dict[str, Any]) -> Any:
        """Log by any chain; ``fields`` are those of the call."""
        event = self._filled(event, args, fields)
        processors: Any = self._processors
        if len(processors) != 1 or processors[0] is not ROUTING:
            return self._proxy_to_logger(method_name, None if event is NOT_GIVEN else event, **fields)
        bound = self.bound
        if event is NOT_GIVEN:
            event, bound = _name_elsewhere(fields, bound)
        ROUTING.take(METHOD_LEVELS.get(method_name, "info"), text_of(event), fields, bound)
        return None

    def _filled(self, event: Any, args: tuple[Any, ...], fields: dict[str, Any]) -> Any:
        """Fill the arguments of a call into its message."""
        # Without arguments the event stays what it is, an object too, for processors of another chain.
        return formatted(event, args, fields, self.bound.values) if args else event

    def _proxy_to_logger(  # type: ignore[override]
        self, method_name: str, event: Any = None, /, **fields: Any
    ) -> Any:
        """Walk the chain as structlog does, whose parameters have names that a field may have too."""
        if event is not None:
            for taken in (fields, self.bound.values):
                if "event" in taken:
                    other = fields.pop("event") if taken is fields else taken["event"]
                    add_field(fields, "event#2", other)
                    break
        try:
            args, kw = self._process_event(method_name, event, fields)
            return getattr(self._logger, method_name)(*args, **kw)
        except structlog.DropEvent:
            return None

    def __copy__(self) -> Self:
        return self.bind()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # What is bound is shared, as by bind(): it may be what cannot be copied, such as a request.
        return self.bind()

    def __reduce__(self) -> tuple[Any, ...]:
        return _assembled, (self.min_level, self._logger, self._processors, self.bound.values)


def _copy(values: Any, new_values: dict[str, Any]) -> Any:
    """Return what is bound, in the class of it that structlog was configured with, and what is new."""
    return values.__class__(values, **new_values)


def _name_elsewhere(fields: dict[str, Any], bound: Bound) -> tuple[Any, Bound]:
    """Return an event's name, given by keyword, bound, or in the context, and what is bound beside it."""
    if "event" in fields:
        return fields.pop("event"), bound
    if "event" in bound.values:
        left = dict(bound.values)
        return left.pop("event"), Bound(left, bound.logger)
    return structlog.contextvars.get_contextvars().get("event", ""), bound


def _method(name: str, *, with_exception: bool = False) -> Callable[..., Any]:
    """Make the method of a level."""
    level = METHOD_LEVELS[name]

    def log(self: Any, event: Any = NOT_GIVEN, /, *args: Any, **fields: Any) -> Any:
        if with_exception:
            fields.setdefault("exc_info", True)
        processors = self._processors
        # Asked at each call: structlog's capture_logs replaces the processors while a program runs. What
        # else is rare goes the long way too.
        if args or type(event) is not str or len(processors) != 1 or processors[0] is not ROUTING:
            return self._log(level, event, args, fields)
        running = current()
        if running is None:
            return self._log(level, event, args, fields)
        running.log(event, fields, level, self.bound)
        return None

    log.__name__ = log.__qualname__ = name
    return log


def _async_method(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    async def log(self: Any, event: Any = NOT_GIVEN, /, *args: Any, **fields: Any) -> Any:
        if name == "exception":
            fields.setdefault("exc_info", True)
        event = self._filled(event, args, fields)  # here, where its place and its arguments are the caller's
        return await _in_thread(partial(method, self, event), fields)

    log.__name__ = log.__qualname__ = f"a{name}"
    return log


async def _in_thread(log: Callable[..., Any], fields: dict[str, Any]) -> Any:
    """Log in a thread, which may wait for a full queue as an event loop may not."""
    # Only here are the exception and the stack those of the caller.
    if fields.get("exc_info") is True:
        fields["exc_info"] = sys.exc_info()
    frame = sys._getframe(2)  # noqa: SLF001 - the documented way to see the caller without raising
    if fields.get("stack_info") is True:
        fields["stack_info"] = "".join(traceback.format_stack(frame)).rstrip("\n")
    context = copy_context()
    _bring(context, _CALLING_STACK, frame)
    _bring(context, _CALLING_THREAD, (threading.get_ident(), threading.current_thread().name))
    call = partial(context.run, log, **fields)
    try:
        waiting = asyncio.get_running_loop().run_in_executor(None, call)
    except RuntimeError:  # the loop's executor was shut down: there is no thread to be had
        return call()
    return await waiting


def _bring(context: Context, variable: Any, value: Any) -> None:
    if variable is not None:
        context.run(variable.set, value)


def _nothing(self: Any, /, *args: Any, **fields: Any) -> None:
    """What a level below the lowest does."""


async def _nothing_async(self: Any, /, *args: Any, **fields: Any) -> None:
    """What a level below the lowest does for coroutines."""


@lru_cache(maxsize=256)
def bound_logger_class(min_level: int) -> type[BoundLogger]:
    """Return the class of loggers that log from a level on; calls below it cost nearly nothing."""
    methods: dict[str, Any] = {"min_level": min_level, "__module__": __name__}
    for name in (*LEVELS, "warn", "fatal", "msg", "exception"):
        if LEVELS[METHOD_LEVELS[name]] >= min_level:
            methods[name] = _method(name, with_exception=name == "exception")
            methods[f"a{name}"] = _async_method(name, methods[name])
        else:
            methods[name], methods[f"a{name}"] = _nothing, _nothing_async
    return type("BoundLogger", (BoundLogger,), methods)


def _assembled(min_level: int, logger: Any, processors: Any, context: Any) -> BoundLogger:
    """Make the logger that was pickled."""
    # The list itself, if it is this process's chain: capture_logs and its like change it in place.
    configured = structlog.get_config()["processors"]
    return bound_logger_class(min_level)(
        logger, configured if processors == configured else processors, context
    )
