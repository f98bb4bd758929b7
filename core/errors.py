"""Every error that logweir raises, as one small tree.

::

    LogweirError
    ├── ConfigError        routing.yaml (or a mapping) is wrong: fix it, nothing was started
    ├── MissingDependency  a driver is not installed: the message holds the command to type
    ├── NotRunning         a call needs a runtime and none was started
    ├── AuditError         an audit event could not be acknowledged at the level asked for
    ├── ArchiveError       an archive cannot be written, read or verified; nothing unverified was deleted
    └── SinkError          a sink could not store a batch; raised by sinks, handled by workers
        ├── SinkUnavailable   transient: nothing was stored, try the same batch again
        └── SinkRejected      permanent: this batch will never be stored as it is

Messages give the fact, the place and the next step. Secrets never appear in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "ArchiveError",
    "AuditError",
    "ConfigError",
    "ConfigProblem",
    "LogweirError",
    "MissingDependency",
    "NotRunning",
    "SinkError",
    "SinkRejected",
    "SinkUnavailable",
]


class LogweirError(Exception):
    """The base of all errors raised by logweir.

    Raised itself where a call is out of place: twice, after the stop, from inside a sink, or for a sink that
    cannot do it. The message says which call to make instead.
    """


#: The file of a configuration that came from no file, or whose file is not known where it is found wrong.
UNKNOWN_FILE = "<mapping>"


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One thing that is wrong in a configuration.

    Attributes:
        message: The fact and the next step, without the place.
        path: The key, dotted, such as ``sinks.audit_db.batch.linger``; empty for the whole file.
        file: The file's name, or ``<mapping>``.
        line: 1-based; 0 when the configuration did not come from text.
        column: 1-based; 0 when the configuration did not come from text.
    """

    message: str
    path: str = ""
    file: str = UNKNOWN_FILE
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class ConfigError(LogweirError):
    """The configuration is wrong; every problem found is listed, one to a line.

    Nothing was started or changed: after a wrong reload the runtime goes on with what it had. Correct each
    place, and ask ``logweir check`` before you start or reload again.

    Attributes:
        problems: What is wrong, each with its file, line, column and key.
    """

    def __init__(self, problems: Sequence[ConfigProblem]) -> None:
        self.problems: tuple[ConfigProblem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[Any, ...]]:
        """Errors come back from other processes, whose copies are made by what ``__init__`` takes."""
        return type(self), (self.problems,)


class MissingDependency(LogweirError):
    """A driver or framework is not installed.

    The message holds the command to type, such as ``pip install 'logweir[mysql]'``.

    Attributes:
        feature: What needs it.
        extra: The extra of logweir that brings it.
    """

    def __init__(self, feature: str, extra: str) -> None:
        self.feature = feature
        self.extra = extra
        super().__init__(
            f"{feature} needs a driver that is not installed; type: pip install 'logweir[{extra}]'"
        )

    def __reduce__(self) -> tuple[type[MissingDependency], tuple[Any, ...]]:
        """As for :class:`ConfigError`."""
        return type(self), (self.feature, self.extra)


class NotRunning(LogweirError):
    """A call needs a runtime, and none is running in this process.

    Call ``logweir.start(...)`` first, or open ``logweir.running(...)`` or the lifespan around it. What is
    merely logged raises nothing.
    """


class AuditError(LogweirError):
    """An audit event was not acknowledged at the level asked for, or its arguments are wrong.

    Let the business action fail with it, or undo it. The message says how far the event came: where it was
    accepted it may still be stored, under the same id. Of an event that was not acknowledged, ``@audit_log``
    raises it only with ``audit.on_failure: raise``.
    """


class ArchiveError(LogweirError):
    """An archive cannot be written, read or verified; nothing that is not verified was deleted.

    The message names the file. Repeat the command once its cause is gone: what is archived already is left
    alone.
    """


class SinkError(LogweirError):
    """A sink could not store a batch.

    Sinks raise it, and workers handle it: callers who log never meet it. A sink of your own raises one of
    the two classes below.
    """


class SinkUnavailable(SinkError):
    """Nothing was stored and the same batch may succeed later.

    The worker sends it again, with back-off. Operators see the sink's state and ``last_error``: they see to
    the backend.

    Args:
        message: What the backend said, without secrets.
        retry_after: Seconds the backend asked to wait, if it did.
    """

    #: For classes of a sink's own whose ``__init__`` calls no other.
    retry_after: float | None = None

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class SinkRejected(SinkError):
    """The batch as a whole will never be stored as it is; the worker splits it to find the culprit.

    The culprit becomes a dead letter with the reason; ``logweir dlq`` shows it, and sends it again once the
    cause is gone.
    """
