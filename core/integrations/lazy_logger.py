"""The logger that ``get_logger`` returns: unbound, and made anew whenever structlog is configured anew.

Until its first call it holds its values. After that it goes the way of the bound logger that it made, as long
as structlog's configuration is the one that this was made by; each call asks, which costs some nanoseconds.
structlog's own caches the first one for good, if it is configured to cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from structlog._config import _CONFIG  # what structlog.get_config() copies at each call

from logweir.capture.ordinary import Bound
from logweir.diagnostics import report
from logweir.event import LEVELS
from logweir.integrations.bound_logger import NOT_GIVEN, BoundLogger, Silent, bound_logger_class
from logweir.integrations.processors import METHOD_LEVELS, ROUTING
from logweir.runtime.current import current

__all__ = ["LazyLogger", "configure"]

_NOT_CONFIGURED = (
    "structlog is not configured: it prints what the loggers of logweir.get_logger() log, and nothing of "
    "it is routed; call logweir.configure_structlog() first"
)

#: A logger that was made: the processors, the wrapper class and the factory of the configuration by which it
#: was; the logger, what it carries if it is one of ours, and its lowest level. A plain tuple is taken apart
#: fastest.
_Made = tuple[Any, Any, Any, Any, Bound | None, int]
_NOTHING_MADE: _Made = (None, None, None, None, None, 0)


class LazyLogger:
    """A logger that is made at its first call, when structlog is configured.

    Like structlog's own, but every name may be bound, and a process that it is sent to by pickling, where
    nobody has configured structlog, is configured as the one that it comes from.

    Args:
        arguments: Of structlog's ``get_logger``: the name, if there is one.
        values: What is bound.
    """

    __slots__ = ("_arguments", "_made", "_values")

    def __init__(self, arguments: tuple[str, ...], values: dict[str, Any]) -> None:
        self._arguments = arguments
        self._values = values
        self._made: _Made = _NOTHING_MADE

    @property
    def _context(self) -> dict[str, Any]:
        return self._values

    def bind(self, /, **new_values: Any) -> Any:
        """Return a logger that carries these values too."""
        processors, wrapper, factory, logger, *_ = self._made
        if (
            processors is not _CONFIG.default_processors
            or wrapper is not _CONFIG.default_wrapper_class
            or factory is not _CONFIG.logger_factory
        ):
            logger = self._make()
        return logger.bind(**new_values) if new_values else logger

    def _make(self) -> Any:
        if current() is not None and not structlog.is_configured():
            report("structlog", _NOT_CONFIGURED)
        configured = _CONFIG.default_processors, _CONFIG.default_wrapper_class, _CONFIG.logger_factory
        logger = structlog.get_logger(*self._arguments).bind().bind(**self._values)
        if _CONFIG.cache_logger_on_first_use:
            ours = isinstance(logger, BoundLogger)
            of_ours = (logger.bound, logger.min_level) if ours else (None, 0)
            self._made = (*configured, logger, *of_ours)
        return logger

    def new(self, /, **new_values: Any) -> Any:
        """Return a logger that carries these values alone."""
        return self.bind().bind().new(**new_values)  # of a copy, for it forgets what it has

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copy, inspect and their like ask for what no logger has
            raise AttributeError(name)
        return getattr(self.bind(), name)

    def __repr__(self) -> str:
        return f"<logweir logger {self._arguments} {self._values!r}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> LazyLogger:
        return LazyLogger(self._arguments, dict(self._values))

    def __copy__(self) -> LazyLogger:
        return self.__deepcopy__({})

    def __reduce__(self) -> tuple[Any, ...]:
        wrapper = structlog.get_config()["wrapper_class"]
        ours = structlog.is_configured() and isinstance(wrapper, type) and issubclass(wrapper, BoundLogger)
        return _unpickled, (self._arguments, self._values, wrapper.min_level if ours else None)


def _unpickled(arguments: tuple[str, ...], values: dict[str, Any], min_level: int | None) -> LazyLogger:
    if min_level is not None and not structlog.is_configured():
        configure(min_level)
    return LazyLogger(arguments, values)


def configure(min_level: int) -> None:
    """Configure structlog with the recommended chain, for levels from ``min_level`` on."""
    structlog.configure(
        processors=[ROUTING],
        wrapper_class=bound_logger_class(min_level),
        context_class=dict,
        logger_factory=Silent,
        cache_logger_on_first_use=True,
    )


def _method(name: str) -> Callable[..., Any]:
    """Make the method of a level."""
    level = METHOD_LEVELS[name]
    number = LEVELS[level]

    def log(self: LazyLogger, event: Any = NOT_GIVEN, /, *args: Any, **fields: Any) -> Any:
        processors: Any
        processors, wrapper, factory, _, bound, min_level = self._made
        running = current()
        # As in the method of a bound logger; and the configuration may be another one by now.
        if (
            bound is None
            or running is None
            or args
            or type(event) is not str
            or len(processors) != 1
            or processors[0] is not ROUTING
            or processors is not _CONFIG.default_processors
            or wrapper is not _CONFIG.default_wrapper_class
            or factory is not _CONFIG.logger_factory
        ):
            given = () if event is NOT_GIVEN else (event,)
            return getattr(self.bind(), name)(*given, *args, **fields)
        if number >= min_level:
            running.log(event, fields, level, bound)
        return None

    log.__name__ = log.__qualname__ = name
    return log


for _name in (*LEVELS, "warn", "fatal", "msg"):
    setattr(LazyLogger, _name, _method(_name))
