"""The processors for a structlog chain of your own.

What reaches ``RoutingProcessor`` becomes an event and goes to its sinks; what stands behind it in the chain
gets the event dict unchanged. It merges context variables, classifies and redacts by itself, so that it is
all that a chain needs.
``ClassificationProcessor`` goes before it where a chain of your own wants to see the kind.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from structlog import DropEvent
from structlog.typing import WrappedLogger

from logweir.capture.message import add_field, formatted, text_of
from logweir.capture.ordinary import NOTHING_BOUND, Bound, named
from logweir.diagnostics import report
from logweir.event import LEVELS, known_level
from logweir.integrations.chain_end import Routing, is_last, takes
from logweir.integrations.rendered import read_rendered
from logweir.integrations.stdlib import Handler
from logweir.integrations.taken import was_just_taken
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

#: Takes the records of libraries that structlog's formatter shows to a processor.
_HANDLER = Handler()


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


class RoutingProcessor(Routing):
    """Send each event to the sinks of its routes.

    Put it before the renderer: the event dict goes on to it unchanged, so that the chain writes what it
    wrote. As the last processor it ends the chain quietly, unless the logger behind it takes event dicts.

    Args:
        final: Whether the chain ends here: True always ends it, False never does. By default it ends where
            this is the last processor of a bound logger, and the logger could not take what it would get.
    """

    def __init__(self, *, final: bool | None = None) -> None:
        self.final = final

    def __call__(self, logger: WrappedLogger, method_name: str, event_dict: Any) -> Any:
        """Enqueue the event; costs microseconds and does no IO.

        Raises:
            structlog.DropEvent: The chain ends here, as structlog's loggers understand it.
        """
        ends = self.final
        if ends is None:
            # What is rendered, any logger takes; and where one takes the event dict itself, it gets it.
            unfit = isinstance(event_dict, dict) and not takes(logger, method_name, event_dict)
            ends = unfit and is_last(self)
        try:
            self._route(logger, method_name, event_dict, takes_over=ends)
        except Exception as error:  # noqa: BLE001 - a log call must never break its caller
            report("route", "an event could not be routed: %s", type(error).__qualname__)
        if ends:
            raise DropEvent
        return event_dict

    def _route(self, logger: WrappedLogger, method_name: str, event_dict: Any, *, takes_over: bool) -> None:
        if type(event_dict) is dict and "event" in event_dict:
            fields = event_dict if takes_over else dict(event_dict)
        else:
            fields = read_rendered(event_dict)
        if "_record" in fields and not self._is_from_structlog(fields):
            return
        level = METHOD_LEVELS.get(method_name, "info")
        if "level" in fields:
            # Processors such as structlog's add_log_level say it here; what is no level is a field.
            said = known_level(fields["level"])
            if said is not None:
                level = said
                del fields["level"]
        name = fields.pop("event", "")
        # structlog's formatter of arguments stands behind us, or nowhere.
        if "positional_args" in fields and type(fields["positional_args"]) is tuple:
            name = formatted(name, fields.pop("positional_args"), fields)
        self.route(logger, level, name, fields)

    @staticmethod
    def _is_from_structlog(fields: dict[str, Any]) -> bool:
        """Whether structlog's ProcessorFormatter shows an event of its own; a library's record is taken."""
        record = fields.pop("_record")
        if fields.pop("_from_structlog", True):
            return True
        if not was_just_taken(record):
            _HANDLER.take(record, fields)
        return False

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
