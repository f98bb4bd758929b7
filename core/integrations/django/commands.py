"""Management commands: each execution is a unit of work with a trace of its own."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand

from logweir.context.carrying import extract, inject
from logweir.event import Kind
from logweir.runtime import current as runtime

__all__ = ["ContextCommand"]

_NANOS_PER_MS = 1_000_000


class ContextCommand(BaseCommand):  # type: ignore[misc]
    """Derive from it instead of ``BaseCommand``.

    Every event of an execution carries ``command``, ``trace_id`` and ``request_id``; at its end
    ``command.run`` has the duration, and the error if it failed. A command that is called within a trace
    stays in it.
    """

    def execute(self, *args: Any, **options: Any) -> Any:
        """Execute the command within its trace."""
        with extract(inject(), command=type(self).__module__.rpartition(".")[2]):
            started, failure = time.perf_counter_ns(), None
            try:
                return super().execute(*args, **options)
            except BaseException as error:
                failure = error
                raise
            finally:
                fields: dict[str, Any] = {
                    "duration_ms": round((time.perf_counter_ns() - started) / _NANOS_PER_MS, 3)
                }
                if failure is not None:
                    fields["exc_info"] = failure
                (runtime.current() or runtime.stand_in()).emit(
                    "command.run", fields, level="error" if failure else "info", kind=Kind.TRACING
                )
