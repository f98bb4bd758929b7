"""Context: what every event below a point in the program carries, across tasks and threads.

``binding`` sets and forgets values, ``trace`` has the ids that hold a request together, ``threads`` brings
both to work in other threads, which do not inherit them as tasks do, and ``carrying`` to other processes.
"""

from logweir.context.binding import bind, merge_context, scope
from logweir.context.carrying import extract, inject
from logweir.context.threads import ContextExecutor, context_thread, propagate, submit_with_context
from logweir.context.trace import (
    TraceParent,
    begin_trace,
    current_trace_id,
    current_traceparent,
    new_span_id,
    new_trace_id,
    parse_traceparent,
)

__all__ = [
    "ContextExecutor",
    "TraceParent",
    "begin_trace",
    "bind",
    "context_thread",
    "current_trace_id",
    "current_traceparent",
    "extract",
    "inject",
    "merge_context",
    "new_span_id",
    "new_trace_id",
    "parse_traceparent",
    "propagate",
    "scope",
    "submit_with_context",
]
