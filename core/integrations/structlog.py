"""structlog: the chain that logweir recommends, its loggers, and the processors for a chain of your own."""

from __future__ import annotations

from typing import Any

import structlog

from logweir.event import LEVELS, known_level
from logweir.integrations.bound_logger import BoundLogger, bound_logger_class
from logweir.integrations.processors import ROUTING, ClassificationProcessor, RoutingProcessor

__all__ = ["ClassificationProcessor", "RoutingProcessor", "configure_structlog", "get_logger"]


class _Silent:
    """The logger at the end of the chain: it has a name, and everything else was done by the processor."""

    __slots__ = ("name",)

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def _do_nothing(self) -> None:
        return None

    debug = info = warning = warn = error = exception = critical = fatal = msg = log = failure = err = (
        _do_nothing
    )


def configure_structlog(*, min_level: int | str = "debug") -> None:
    """Configure structlog so that its loggers feed logweir.

    Args:
        min_level: The lowest level that is captured: its name, in either case (``warn`` too), or its number.
            Calls below it cost nearly nothing.

    Raises:
        ValueError: ``min_level`` is no level.
    """
    structlog.configure(
        processors=[ROUTING],
        wrapper_class=bound_logger_class(_number(min_level)),
        context_class=dict,
        logger_factory=_Silent,
        cache_logger_on_first_use=True,
    )


def _number(level: int | str) -> int:
    text = level.strip().lower() if isinstance(level, str) else level
    if text == "notset":
        return 0
    known = known_level(text)
    if known is not None:
        return LEVELS[known]
    try:
        return int(text)  # such as 25, or "25" from an environment variable
    except (TypeError, ValueError, OverflowError):
        raise ValueError(
            f"min_level={level!r} is no level; write {', '.join(LEVELS)}, notset or a number"
        ) from None


class _LazyLogger:
    """A logger that is made at its first call, when structlog is configured; until then it holds its values.

    Like structlog's own, but every name may be bound, and a process that it is sent to by pickling, where
    nobody has configured structlog, is configured as the one that it comes from.
    """

    def __init__(self, arguments: tuple[str, ...], values: dict[str, Any]) -> None:
        self._arguments = arguments
        self._values = values
        self._made: Any = None

    @property
    def _context(self) -> dict[str, Any]:
        return self._values

    def bind(self, /, **new_values: Any) -> Any:
        """Return a logger that carries these values too."""
        logger = self._made
        if logger is None:
            logger = structlog.get_logger(*self._arguments).bind().bind(**self._values)
        if structlog.get_config()["cache_logger_on_first_use"]:
            self._made = logger
        return logger.bind(**new_values) if new_values else logger

    def new(self, /, **new_values: Any) -> Any:
        """Return a logger that carries these values alone."""
        return self.bind().new(**new_values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copy, inspect and their like ask for what no logger has
            raise AttributeError(name)
        found = getattr(self.bind(), name)
        if self._made is not None:
            setattr(self, name, found)  # the next call finds it at once
        return found

    def __deepcopy__(self, memo: dict[int, Any]) -> _LazyLogger:
        return _LazyLogger(self._arguments, dict(self._values))

    def __copy__(self) -> _LazyLogger:
        return self.__deepcopy__({})

    def __reduce__(self) -> tuple[Any, ...]:
        wrapper = structlog.get_config()["wrapper_class"]
        ours = structlog.is_configured() and isinstance(wrapper, type) and issubclass(wrapper, BoundLogger)
        return _lazy_logger, (self._arguments, self._values, wrapper.min_level if ours else None)


def _lazy_logger(arguments: tuple[str, ...], values: dict[str, Any], min_level: int | None) -> _LazyLogger:
    """Make the logger that was pickled."""
    if min_level is not None and not structlog.is_configured():
        configure_structlog(min_level=min_level)
    return _LazyLogger(arguments, values)


def get_logger(name: str | None = None, **initial_values: Any) -> Any:
    """Return a structlog logger; ``name`` becomes the field ``logger``, which routes can match."""
    return _LazyLogger(() if name is None else (name,), initial_values)
