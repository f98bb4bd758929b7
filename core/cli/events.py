"""Events as people read them on a terminal, one to a line, and as programs do, in JSON.

What was logged is data: control characters are shown, never obeyed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec
from rich.text import Text

from logweir.cli.printable import json_printable
from logweir.encoding.events import event_to_dict
from logweir.encoding.one_line import on_one_line
from logweir.encoding.times import format_time
from logweir.event import Event

__all__ = ["as_json", "as_line"]

_STYLES = {"debug": "dim", "info": "green", "warning": "yellow", "error": "red", "critical": "bold red"}
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/@+")


def as_json(event: Event, sinks: Sequence[str]) -> str:
    """Return the event as one JSON object, with the sinks that have it."""
    return json_printable(msgspec.json.encode({**event_to_dict(event), "sinks": list(sinks)}).decode())


def as_line(event: Event, sinks: Sequence[str]) -> Text:
    """Return the event as one line."""
    line = Text(f"{format_time(event.time)} ", style="dim", end="")
    line.append(f"{on_one_line(event.level):<8} ", style=_STYLES.get(event.level, ""))
    line.append(f"{on_one_line(event.name)} ", style="bold")
    line.append(f"[{on_one_line(', '.join(sinks))}] ", style="cyan")
    for name, value in event.fields.items():
        line.append(f"{on_one_line(name)}=", style="dim").append(f"{_value(value)} ")
    if event.trace_id:
        line.append(f"trace_id={_value(event.trace_id)}", style="dim")
    line.rstrip()
    return line


def _value(value: object) -> str:
    if isinstance(value, str):
        return (
            value if value and _WORD.issuperset(value) else json.dumps(on_one_line(value), ensure_ascii=False)
        )
    return on_one_line(msgspec.json.encode(value).decode())
