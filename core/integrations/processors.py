"""The processors for a structlog chain of your own.

``RoutingProcessor`` ends a chain: what reaches it becomes an event and goes to its sinks. It merges
context variables, classifies and redacts by itself, so that it is all that a chain needs.
``ClassificationProcessor`` goes before it where a chain of your own wants to see the kind.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from structlog.typing import WrappedLogger

from logweir.capture.message import add_field, text_of
from logweir.capture.ordinary import NOTHING_BOUND, Bound, named
from logweir.diagnostics import report
from logweir.event import LEVELS, known_level
from logweir.runtime import current as runtime

__all__ = ["METHOD_LEVELS", "ROUTING", "ClassificationProcessor", "RoutingProcessor"]

#: The level that a method of a logger logs at.
METHOD_LEVELS = {
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
        """Set ``event_dict["kind"]``; an explicit ``persist_db`` or ``kind`` wins over the rules.

        A field of the caller's own that has this name is kept as ``kind#2``.
        """
        current = runtime.current()
        if current is not None:
            fields = dict(event_dict)
            level = METHOD_LEVELS.get(method_name, "info")
            kind = current.classify(level, text_of(event_dict.get("event", "")), fields)
            event_dict.pop("persist_db", None)
            event_dict["kind"] = kind.value
            if "kind" in fields:  # classifying took out what said the kind; this did not
                add_field(event_dict, "kind", fields["kind"])
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
        level = METHOD_LEVELS.get(method_name, "info")
        if "level" in fields:
            # Processors such as structlog's add_log_level say it here; what is no level is a field.
            said = known_level(fields["level"])
            if said is not None:
                level = said
                del fields["level"]
        self.route(logger, level, fields.pop("event", ""), fields)
        return _NOTHING if self.final else event_dict

    def route(self, logger: WrappedLogger, level: str, name: Any, fields: dict[str, Any]) -> None:
        """Enqueue one event; takes ownership of ``fields``. Never raises."""
        try:
            current = runtime.current() or runtime.stand_in()
            bound = NOTHING_BOUND
            logger_name = getattr(logger, "name", None)
            if type(logger_name) is str:
                bound = named(logger_name)
            elif logger_name is not None and "logger" not in fields:
                fields["logger"] = logger_name
            current.emit(name if type(name) is str else text_of(name), fields, level=level, bound=bound)
        except Exception as error:  # noqa: BLE001 - a log call must never break its caller
            report("route", "an event could not be routed: %s", type(error).__qualname__)

    def take(self, level: str, name: str, fields: dict[str, Any], bound: Bound) -> None:
        """Enqueue what a logger of ours was called with; takes ownership of ``fields``. Never raises."""
        try:
            current = runtime.current()
            if current is not None:
                current.log(name, fields, level, bound)
            else:
                runtime.stand_in().emit(name, fields, level=level, bound=bound)
        except Exception as error:  # noqa: BLE001 - a log call must never break its caller
            report("route", "an event could not be routed: %s", type(error).__qualname__)


class _Recommended(RoutingProcessor):
    """The one processor of the recommended chain: copies of it, in other processes too, are it again."""

    def __reduce__(self) -> str:
        return "ROUTING"


#: The processor of the recommended chain.
ROUTING = _Recommended()
