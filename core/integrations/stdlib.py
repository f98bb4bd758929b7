"""The standard library's logging: a handler that turns its records into events.

It takes the records of libraries (uvicorn, SQLAlchemy, …) and those of structlog chains that end in
``ProcessorFormatter.wrap_for_formatter``, whose event dict becomes the event with its fields. No
lock is held while a record is handled, so neither a full queue nor a fork can make threads wait for
each other here.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Collection
from typing import Any

from logweir.diagnostics import LOGGER_NAME, report
from logweir.event import LEVELS
from logweir.runtime import current as runtime

__all__ = ["Handler", "install_stdlib"]

#: Loggers whose own configuration keeps their records from the root logger.
ISOLATED_LOGGERS = ("uvicorn", "uvicorn.error", "uvicorn.access", "gunicorn.error", "gunicorn.access")

#: aiosqlite logs every statement at debug from threads that do not show whether a sink is behind them.
IGNORED_LOGGERS = ("aiosqlite",)

#: What every record has; the rest came by ``extra=``.
_RECORD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
#: Put there by uvicorn (its message again, in colours) and by structlog (its own bookkeeping).
_NOISE = frozenset({"color_message", "_logger", "_name", "_record", "_from_structlog"})
_NOT_EXTRA = _RECORD_ATTRIBUTES | _NOISE

_LEVEL_NAMES = {number: name for name, number in LEVELS.items()}


class Handler(logging.Handler):
    """Send log records to the sinks of their routes.

    The event's name is the formatted message; ``logger``, what came by ``extra=``, the exception and
    the stack become fields. ``extra={"persist_db": True}`` makes an audit event. Records of logweir
    itself, and those that its own threads cause, are left out, because they would feed themselves.

    Args:
        level: The lowest level that is handled.
        ignore: Further loggers to leave out, with all below them.
    """

    def __init__(
        self, level: int | str = logging.NOTSET, *, ignore: Collection[str] = IGNORED_LOGGERS
    ) -> None:
        super().__init__(level)
        self._ignored = tuple({LOGGER_NAME, *ignore})
        self._ignored_prefixes = tuple(f"{name}." for name in self._ignored)
        self._busy = threading.local()

    def createLock(self) -> None:  # noqa: N802 - the name in logging
        """Make no lock: emitting is safe from many threads at once."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> Any:
        """Filter and emit the record, without a lock."""
        verdict: Any = self.filter(record)
        if verdict:
            self.emit(verdict if isinstance(verdict, logging.LogRecord) else record)
        return verdict

    def emit(self, record: logging.LogRecord) -> None:
        """Make an event of the record and enqueue it."""
        if self._comes_from_logweir(record):
            return
        # Capturing may log, through the caller's own __str__ or a user's function: once, not for ever.
        if getattr(self._busy, "now", False):
            report(
                "stdlib",
                "a record of logger %r was made while another was captured; it is left out",
                record.name,
            )
            return
        self._busy.now = True
        try:
            _emit(record)
        except Exception:  # noqa: BLE001 - as every handler of logging: report, never raise
            self.handleError(record)
        finally:
            self._busy.now = False

    def _comes_from_logweir(self, record: logging.LogRecord) -> bool:
        name = record.name
        return (
            name in self._ignored
            or name.startswith(self._ignored_prefixes)
            # Drivers log in our threads about writing our events; each such record would cause the next.
            or (record.threadName or "").startswith(LOGGER_NAME)
        )


def install_stdlib(
    level: int | str = logging.INFO,
    *,
    loggers: Collection[str] = ISOLATED_LOGGERS,
    ignore: Collection[str] = IGNORED_LOGGERS,
) -> Handler:
    """Take all of the standard library's logging: a :class:`Handler` on the root logger; idempotent.

    Handlers that are there already stay and go on.

    Args:
        level: The lowest level that is taken; a number or a name in either case.
        loggers: Loggers that would keep their records to themselves, made to pass them on.
        ignore: Loggers to leave out, with all below them.

    Returns:
        The handler; ``logging.getLogger().removeHandler(...)`` undoes it.
    """
    wanted = level.upper() if isinstance(level, str) else level
    root = logging.getLogger()
    for earlier in [handler for handler in root.handlers if isinstance(handler, Handler)]:
        root.removeHandler(earlier)
    handler = Handler(wanted, ignore=ignore)
    root.addHandler(handler)
    root.setLevel(wanted)
    for name in loggers:
        logging.getLogger(name).propagate = True
    return handler


def _emit(record: logging.LogRecord) -> None:
    current = runtime.current() or runtime.start_from_environment()
    if current is None:
        return
    name, fields = _read(record)
    current.emit(name, fields, level=_level(record.levelno), time_ns=_time_ns(record.created))


def _read(record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
    """Return the event's name and fields."""
    fields = {name: value for name, value in vars(record).items() if name not in _NOT_EXTRA}
    if isinstance(record.msg, dict) and "event" in record.msg:
        fields.update((name, value) for name, value in record.msg.items() if name not in _NOISE)
        fields.pop("level", None)  # the record has it as a number
        name = _text(fields.pop("event"))
    else:
        name = _message(record, fields)
    fields.setdefault("logger", record.name)
    if record.exc_info:
        fields.setdefault("exc_info", record.exc_info)
    elif record.exc_text:
        fields.setdefault("exception", record.exc_text)
    if record.stack_info:
        fields.setdefault("stack_info", record.stack_info)
    return name, fields


def _message(record: logging.LogRecord, fields: dict[str, Any]) -> str:
    """Format the message; what cannot be formatted is kept apart, so that nothing is lost."""
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 - arguments that do not fit, or whose __str__ raises
        fields["message_args"] = record.args
        fields["message_error"] = type(error).__qualname__
        return _text(record.msg)


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a hostile __str__ must not lose the record
        return f"<{type(value).__qualname__}>"


def _level(number: int) -> str:
    """The nearest level; half-way between two, such as NOTICE at 25, it is the lower one."""
    known = _LEVEL_NAMES.get(number)
    return known or min(LEVELS, key=lambda name: (abs(LEVELS[name] - number), LEVELS[name]))


def _time_ns(created: float) -> int | None:
    """Nanoseconds; a float of seconds is good for microseconds, so that the digits below are zero."""
    return round(created * 1e6) * 1000 if math.isfinite(created) else None
