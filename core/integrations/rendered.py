"""What the renderers of structlog have left of an event: read for a processor or a handler behind one."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import msgspec

from logweir.capture.message import add_field, formatted
from logweir.diagnostics import report

__all__ = ["read_rendered", "read_text"]

#: structlog's own bookkeeping beside an event dict, and what says nothing about the event.
_BOOKKEEPING = frozenset({"_logger", "_name"})
_NOT_FIELDS = frozenset({"stacklevel", "stackLevel"})
#: A longer text is not read: Python's parser needs some hundred bytes for each of its characters.
_LONGEST = 65_536


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


def read_text(text: Any) -> dict[str, Any] | None:
    """Return the event dict that was made a text by JSON, or by ``str`` as a ``QueueHandler`` does it.

    None if it is no such text, or holds values that Python has no literals for. Only for texts whose origin
    is known: what a client sends may look like an event too.
    """
    if type(text) is not str or not text.startswith("{") or len(text) > _LONGEST:
        return None
    for parse in (msgspec.json.decode, ast.literal_eval):
        try:
            found = parse(text)
        except Exception:  # noqa: BLE001, S112 - a parser's own errors are many, and the text is kept
            continue
        if type(found) is dict and "event" in found and all(type(name) is str for name in found):
            return found
    return None
