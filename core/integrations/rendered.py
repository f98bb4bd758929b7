"""What the renderers of structlog have left of an event: read for a processor that stands behind one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from logweir.capture.message import add_field, formatted
from logweir.diagnostics import report

__all__ = ["read_rendered"]

#: structlog's own bookkeeping beside an event dict, and what says nothing about the event.
_BOOKKEEPING = frozenset({"_logger", "_name"})
_NOT_FIELDS = frozenset({"stacklevel", "stackLevel"})


def read_rendered(rendered: Any) -> dict[str, Any]:
    """Return the event dict that a processor is given, or what a renderer made of it; the result is a copy.

    The arguments for a logger of the standard library are taken apart. Of a text the fields cannot be known:
    it is the event's name, and that our processor is in the wrong place is reported.
    """
    if isinstance(rendered, Mapping):
        if "event" not in rendered and "msg" in rendered and isinstance(rendered.get("extra"), Mapping):
            return _of_arguments((rendered["msg"],), rendered)
        return dict(rendered)
    if isinstance(rendered, tuple) and len(rendered) == len(("args", "kwargs")):
        args, keywords = rendered
        if isinstance(args, tuple) and args and isinstance(keywords, Mapping):
            return _of_arguments(args, keywords)
    report(
        "behind a renderer",
        "RoutingProcessor stands behind a renderer: its events are texts without fields; "
        "put it before the renderer",
    )
    if isinstance(rendered, bytes | bytearray):
        rendered = rendered.decode(errors="backslashreplace")
    return {"event": rendered}


def _of_arguments(args: tuple[Any, ...], keywords: Mapping[str, Any]) -> dict[str, Any]:
    message, *rest = args
    fields = dict(message) if isinstance(message, Mapping) else {"event": message}
    extra = keywords.get("extra")
    further = {
        **{name: value for name, value in keywords.items() if name not in {"msg", "extra"} | _NOT_FIELDS},
        **(extra if isinstance(extra, Mapping) else {}),
    }
    for name, value in further.items():
        if name not in _BOOKKEEPING:
            add_field(fields, name, value)
    if rest:
        fields["event"] = formatted(fields["event"], tuple(rest), fields)
    return fields
