"""structlog: the processors for a chain of your own, and the chain that logweir recommends.

``RoutingProcessor`` ends a chain: what reaches it becomes an event and goes to its sinks. It merges
context variables, classifies and redacts by itself, so that it is all that a chain needs.
``ClassificationProcessor`` goes before it where a chain of your own wants to see the kind.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

import structlog
from structlog.typing import BindableLogger, WrappedLogger

from logweir.event import LEVELS
from logweir.runtime import current as runtime

__all__ = ["ClassificationProcessor", "RoutingProcessor", "configure_structlog", "get_logger"]

_METHOD_LEVELS = {
    **{level: level for level in LEVELS},
    "warn": "warning",
    "exception": "error",
    "err": "error",
    "fatal": "critical",
    "msg": "info",
    "log": "info",
    "failure": "error",
}
_NOTHING: tuple[tuple[()], dict[str, Any]] = ((), {})


class ClassificationProcessor:
    """Tag each event with ``kind``: ``audit`` or ``tracing``, by the rules of routing.yaml."""

    def __call__(
        self, logger: WrappedLogger, method_name: str, event_dict: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Set ``event_dict["kind"]``; an explicit ``persist_db`` or ``kind`` wins over the rules."""
        current = runtime.current()
        if current is not None:
            name = event_dict.get("event", "")
            level = _METHOD_LEVELS.get(method_name, "info")
            kind = current.classify(level, name if isinstance(name, str) else _text(name), dict(event_dict))
            event_dict.pop("persist_db", None)
            event_dict["kind"] = kind.value
        return event_dict


class RoutingProcessor:
    """Send each event to the sinks of its routes.

    Args:
        final: Whether the chain ends here. With False the event dict goes on unchanged to the next
            processor, for example to a console renderer.
    """

    def __init__(self, *, final: bool = True) -> None:
        self.final = final

    def __call__(self, logger: WrappedLogger, method_name: str, event_dict: MutableMapping[str, Any]) -> Any:
        """Enqueue the event; costs microseconds, does no IO and never raises."""
        fields = event_dict if self.final and type(event_dict) is dict else dict(event_dict)
        self.route(logger, method_name, fields.pop("event", ""), fields)
        return _NOTHING if self.final else event_dict

    def route(self, logger: WrappedLogger, method_name: str, name: Any, fields: dict[str, Any]) -> None:
        """Enqueue one event; takes ownership of ``fields``."""
        level = fields.pop("level", None)
        if level not in LEVELS:
            level = _METHOD_LEVELS.get(method_name, "info")
        current = runtime.current() or runtime.start_from_environment()
        if current is not None:
            logger_name = getattr(logger, "name", None)
            if logger_name is not None and "logger" not in fields:
                fields["logger"] = logger_name
            current.emit(name if type(name) is str else _text(name), fields, level=level)


def _text(name: Any) -> str:
    try:
        return str(name)
    except Exception:  # noqa: BLE001 - a hostile __str__ must not break the log call
        return f"<{type(name).__qualname__}>"


_ROUTING = RoutingProcessor()


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


def _bound_logger(min_level: int) -> type[BindableLogger]:
    """Return structlog's filtering logger, with a short way for chains that have our processor alone."""
    filtering: Any = structlog.make_filtering_bound_logger(min_level)
    methods = {
        name: _short_way(name, getattr(filtering, name))
        for name, level in _METHOD_LEVELS.items()
        if name in LEVELS and LEVELS[level] >= min_level
    }
    return type("BoundLogger", (filtering,), methods)


def _short_way(method_name: str, long_way: Callable[..., Any]) -> Callable[..., Any]:
    """Make a log method that does not walk a chain of one; other chains are walked as ever."""

    def log(self: Any, event: Any = None, *args: Any, **fields: Any) -> Any:
        processors = self._processors
        # Asked at each call: structlog's capture_logs replaces the processors while a program runs.
        if args or len(processors) != 1 or processors[0] is not _ROUTING:
            return long_way(self, event, *args, **fields)
        if self._context:
            fields = {**self._context, **fields}
        return _ROUTING.route(self._logger, method_name, event, fields)

    log.__name__ = method_name
    return log


def configure_structlog(*, min_level: str = "debug") -> None:
    """Configure structlog so that its loggers feed logweir.

    Args:
        min_level: The lowest level that is captured; calls below it cost nearly nothing.
    """
    structlog.configure(
        processors=[_ROUTING],
        wrapper_class=_bound_logger(LEVELS[min_level]),
        context_class=dict,
        logger_factory=_Silent,
        cache_logger_on_first_use=True,
    )


def get_logger(name: str | None = None, **initial_values: Any) -> Any:
    """Return a structlog logger; ``name`` becomes the field ``logger``, which routes can match."""
    return structlog.get_logger(*([] if name is None else [name]), **initial_values)
