"""The standard library's logging: a handler that turns its records into events.

It takes the records of libraries (uvicorn, SQLAlchemy, …) and those of structlog chains that end in
``ProcessorFormatter.wrap_for_formatter``, whose event dict becomes the event with its fields, and those of
loguru. No lock is held while a record is handled, so neither a full queue nor a fork can make threads wait
for each other here.
"""

from __future__ import annotations

import logging
import math
import os
import sys
import threading
from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from logweir.capture.message import add_field, formatted, text_of
from logweir.context.trace import FLAGS
from logweir.diagnostics import LOGGER_NAME, report
from logweir.event import LEVELS, known_level, nearest_level
from logweir.integrations.chain_end import routed_by_its_chain
from logweir.integrations.rendered import read_text
from logweir.integrations.taken import is_taken, note_taken
from logweir.process.delivering import is_delivery_thread
from logweir.runtime import current as runtime

__all__ = ["Handler", "install_stdlib"]

#: Loggers whose own configuration keeps their records from the root logger.
ISOLATED_LOGGERS = ("uvicorn", "uvicorn.error", "uvicorn.access", "gunicorn.error", "gunicorn.access")

#: aiosqlite logs every statement at debug from threads that do not show whether a sink is behind them.
IGNORED_LOGGERS = ("aiosqlite",)

#: What every record has, and what formatters add; the rest came by ``extra=``.
_RECORD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
#: structlog's own bookkeeping beside an event dict, and in it.
_BESIDE_EVENT_DICT = frozenset({"_logger", "_name"})
_IN_EVENT_DICT = frozenset({"_record", "_from_structlog"})
#: uvicorn's message again, in colours.
_UVICORN_NOISE = "color_message"

#: How many records this thread is capturing: of the module, so that handlers can be copied.
_capturing = threading.local()
#: How many may be captured one inside the other: a finaliser's inside another's, but no object for ever whose
#: text logs it.
_DEEPEST = 4


class Handler(logging.Handler):
    """Send log records to the sinks of their routes.

    The event's name is the formatted message; ``logger``, what came by ``extra=``, the exception and
    the stack become fields. ``extra={"persist_db": True}`` makes an audit event. Records of logweir itself
    are left out; those that sinks and their clients log about their own writes too, unless they are audit,
    and are counted: they would feed themselves. A record that several handlers meet becomes one event.

    Args:
        level: The lowest level that is handled: a number, or a name in either case.
        ignore: Further loggers to leave out, with all below them.
    """

    def __init__(
        self, level: int | str = logging.NOTSET, *, ignore: Collection[str] = IGNORED_LOGGERS
    ) -> None:
        super().__init__(_level_wanted(level))
        self._ignored = tuple({LOGGER_NAME, *ignore})
        self._ignored_prefixes = tuple(f"{name}." for name in self._ignored)

    def setLevel(self, level: int | str) -> None:  # noqa: N802 - the name in logging
        """Set the lowest level that is handled: a number, or a name in either case."""
        super().setLevel(_level_wanted(level))

    def createLock(self) -> None:  # noqa: N802 - the name in logging
        """Make no lock: emitting is safe from many threads at once."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> Any:
        """Filter and emit the record, without a lock; a filter that raises keeps nothing back."""
        try:
            verdict: Any = self.filter(record)
        except Exception as error:  # noqa: BLE001 - it would break the caller, and lose the record
            report("stdlib filter", "a filter raised %s; its records are taken", type(error).__qualname__)
            verdict = True
        if verdict and not is_taken(record):
            wanted = verdict if isinstance(verdict, logging.LogRecord) else record
            self.emit(wanted)
            # A filter may replace the record, and the handlers behind this one still get the first.
            if wanted is not record and is_taken(wanted):
                note_taken(record)
        return verdict

    def emit(self, record: logging.LogRecord) -> None:
        """Make an event of the record and enqueue it."""
        self.take(record, {})

    def take(self, record: logging.LogRecord, beside: Mapping[str, Any]) -> None:
        """Do what :meth:`emit` does with a record of which structlog has made an event dict.

        Args:
            record: The record.
            beside: Its ``event``, and fields that give way to those of the record.
        """
        if is_taken(record) or self._comes_from_logweir(record):
            return
        note_taken(record)
        if routed_by_its_chain():
            return
        # Capturing may be interrupted by what logs, and may log by itself, through the caller's own __str__
        # or a user's function: that is captured too, but not for ever.
        depth = getattr(_capturing, "depth", 0)
        if depth >= _DEEPEST:
            _leave_out(record)
            report(
                "stdlib", "records of logger %r log one inside the other; the next is left out", record.name
            )
            return
        _capturing.depth = depth + 1
        try:
            _emit(record, beside)
        except Exception as error:  # noqa: BLE001 - a log call must never break its caller
            report("stdlib emit", "a record could not be taken: %s", type(error).__qualname__)
        finally:
            _capturing.depth = depth

    def _comes_from_logweir(self, record: logging.LogRecord) -> bool:
        name = text_of(record.name)
        if name in self._ignored or name.startswith(self._ignored_prefixes):
            return True
        # The runtime leaves out what the delivery's threads log here; this came by a queue from one of them.
        thread, process = getattr(record, "thread", None), getattr(record, "process", None)
        if type(thread) is not int or type(process) is not int or process != os.getpid():
            return False
        if thread == threading.get_ident() or not is_delivery_thread(thread):
            return False
        _leave_out(record)
        return True


def install_stdlib(
    level: int | str = logging.INFO,
    *,
    loggers: Collection[str] = ISOLATED_LOGGERS,
    ignore: Collection[str] = IGNORED_LOGGERS,
) -> Handler:
    """Take all of the standard library's logging: a :class:`Handler` on the root logger; idempotent.

    Handlers that are there already stay and go on, and each line is printed by those that printed it before.

    Args:
        level: The lowest level that is taken; a number or a name in either case.
        loggers: Loggers that may keep their records from the root logger, whose records are taken too.
        ignore: Loggers to leave out, with all below them.

    Returns:
        The handler; ``logging.getLogger().removeHandler(...)`` undoes it.
    """
    wanted = _level_wanted(level)
    root = logging.getLogger()
    for earlier in [handler for handler in root.handlers if isinstance(handler, Handler)]:
        root.removeHandler(earlier)
    handler = Handler(wanted, ignore=ignore)
    root.addHandler(handler)
    root.setLevel(wanted)
    for name in loggers:
        bring_to_root(logging.getLogger(name))
    return handler


class _ToRoot(logging.Handler):
    """Gives the records of a logger that keeps them from the root logger to the handler that is there.

    Passing them on to the root logger itself would have its other handlers print them a second time.
    """

    def createLock(self) -> None:  # noqa: N802 - the name in logging
        """Make no lock, as the handler at the root has none."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Hand the record over."""
        for handler in logging.getLogger().handlers:
            if isinstance(handler, Handler) and record.levelno >= handler.level:
                handler.handle(record)
        return True


def bring_to_root(logger: logging.Logger) -> None:
    """Take the records of a logger that keeps them from the root logger; idempotent."""
    # Also where it passes them on now: a server that configures its logging later may keep the handlers.
    if not any(isinstance(handler, _ToRoot) for handler in logger.handlers):
        logger.addHandler(_ToRoot())


def _leave_out(record: logging.LogRecord) -> None:
    current = runtime.current()
    if current is not None:
        current.leave_out(text_of(record.name))


def _emit(record: logging.LogRecord, beside: Mapping[str, Any]) -> None:
    current = runtime.current()
    # Before a start nothing is delivered that could feed itself.
    emit = runtime.stand_in().emit if current is None else partial(current.emit, from_library=True)
    name, fields = _read(record)
    if beside:
        fields = {**beside, **fields}
        name = text_of(fields.pop("event"))
    emit(name, fields, level=_level(record.levelno), time_ns=_time_ns(record.created))


def _read(record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
    """Return the event's name and fields."""
    given = {name: value for name, value in vars(record).items() if name not in _RECORD_ATTRIBUTES}
    message: Any = record.msg
    if issubclass(type(message), dict) and dict.__contains__(message, "event"):
        name, fields = _read_event_dict(dict(dict.items(message)), given)
    elif given.keys() >= _BESIDE_EVENT_DICT and (event_dict := read_text(message)) is not None:
        name, fields = _read_event_dict(event_dict, given)  # a QueueHandler has made a text of it
    else:
        fields = _bound_by_loguru(record, given)
        if text_of(record.name).startswith("uvicorn"):
            fields.pop(_UVICORN_NOISE, None)
        name = _message(record, fields)
    fields.setdefault("logger", record.name)
    _take_span(fields)
    if record.exc_info is not None:
        fields.setdefault("exc_info", record.exc_info)
    elif record.exc_text:
        add_field(fields, "exception", record.exc_text)
    if record.stack_info is not None:
        fields.setdefault("stack_info", record.stack_info)
    return name, fields


def _read_event_dict(fields: dict[str, Any], given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Take structlog's event dict as the event, and the extras of its record as further fields."""
    name = text_of(fields.pop("event"))
    if known_level(fields.get("level")) is not None:
        del fields["level"]  # the record has it as a number
    for noise in _IN_EVENT_DICT:
        fields.pop(noise, None)
    for key, value in given.items():
        if key not in _BESIDE_EVENT_DICT and fields.get(key, _MISSING) is not value:
            add_field(fields, key, value)
    return name, fields


_MISSING = object()


def _take_span(fields: dict[str, Any]) -> None:
    """Take the ids that OpenTelemetry has put on the record: it may have come from another thread."""
    trace_id, span_id = fields.get("otelTraceID"), fields.get("otelSpanID")
    if trace_id and span_id and trace_id != "0" and "trace_id" not in fields and "span_id" not in fields:
        fields["trace_id"], fields["span_id"] = fields.pop("otelTraceID"), fields.pop("otelSpanID")
        if type(fields.get("otelTraceSampled")) is bool:
            fields.setdefault(FLAGS, int(fields.pop("otelTraceSampled")))


def _bound_by_loguru(record: logging.LogRecord, given: dict[str, Any]) -> dict[str, Any]:
    """Return what was bound to a logger of loguru, which passes it in one attribute; or what was given."""
    bound = given.get("extra")
    if len(given) != 1 or type(bound) is not dict or record.args != () or "loguru" not in sys.modules:
        return given
    return dict(bound)


def _message(record: logging.LogRecord, fields: dict[str, Any]) -> str:
    """Format the message; what cannot be formatted is kept apart, so that nothing is lost."""
    # Classes of other records format as they will, such as by braces; what fails is kept as for ours.
    if type(record).getMessage is not logging.LogRecord.getMessage:
        with suppress(Exception):
            return str(record.getMessage())
    return formatted(record.msg, record.args, fields)


def _level_wanted(level: int | str) -> int | str:
    """The level in a spelling that logging knows, which has those of an application too."""
    known = known_level(level)
    if known is not None:
        return LEVELS[known]
    return level.upper() if isinstance(level, str) else level


def _level(number: Any) -> str:
    return nearest_level(number) if isinstance(number, int | float) else "info"


def _time_ns(created: Any) -> int | None:
    """Nanoseconds; a float of seconds is good for microseconds, so that the digits below are zero."""
    if not isinstance(created, int | float) or not math.isfinite(created):
        return None
    return round(created * 1e6) * 1000
