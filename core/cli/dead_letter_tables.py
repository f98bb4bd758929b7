"""How dead letters are shown on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from logweir.cli.dead_letter_options import LINES
from logweir.cli.printable import json_printable, printable, sized, utc
from logweir.delivery.dead_letters import DeadLetter, Totals
from logweir.encoding.events import event_to_dict
from logweir.encoding.one_line import on_one_line
from logweir.encoding.times import format_time
from logweir.settings.operations import DeadLettersConfig

__all__ = ["as_json", "described", "kept", "listed"]

_NAMELESS = "(unreadable line)"


def listed(letters: Iterable[DeadLetter]) -> Group:
    """Two lines for each letter, so that the reason is seen on narrow terminals too."""
    lines: list[RenderableType] = []
    for letter in letters:
        tries = f"  {letter.attempts} tries" if letter.attempts != 1 else ""
        head = Text(on_one_line(letter.id.removesuffix(f":{letter.sink}")), style="bold")
        head.append(f"  {on_one_line(letter.sink or LINES)}  {utc(letter.time)}{tries}", style="not bold")
        what = Text(on_one_line(_title(letter)), style="cyan").append(
            f": {on_one_line(letter.reason)}", style="default"
        )
        lines += [head, Padding(what, (0, 0, 0, 4))]
    return Group(*lines)


def _title(letter: DeadLetter) -> str:
    if letter.is_line:
        return letter.place or _NAMELESS
    try:
        return letter.event().name
    except ValueError:
        return "(unreadable)"


def described(letter: DeadLetter) -> Group:
    """A letter with all that is in it."""
    facts = Table.grid(padding=(0, 2))
    rows = {
        "id": letter.id,
        "sink": letter.sink or f"none: {_NAMELESS}",
        "rejected": utc(letter.time),
        "tries": str(letter.attempts),
        "place": letter.place,
        "reason": letter.reason,
    }
    try:
        body = json.dumps(event_to_dict(letter.event()), indent=2, ensure_ascii=False)
        body = json_printable(body)
    except ValueError as error:
        body = printable(letter.body.decode("utf-8", "backslashreplace"))
        rows["no replay"] = str(error)
    for name, value in rows.items():
        if value:
            facts.add_row(Text(name, style="bold"), Text(printable(value)))
    return Group(facts, Text(""), Text(body))


def as_json(letter: DeadLetter) -> str:
    """A letter as one line of JSON."""
    found: dict[str, Any] = {
        "id": letter.id,
        "sink": letter.sink or None,
        "time": format_time(letter.time),
        "attempts": letter.attempts,
        "reason": letter.reason,
    }
    if letter.place:
        found["place"] = letter.place
    try:
        found["event"] = event_to_dict(letter.event())
    except ValueError as error:
        found["not_replayable"] = str(error)
        found["body"] = letter.body.decode("utf-8", "backslashreplace")
    return json_printable(json.dumps(found, ensure_ascii=False))


def kept(totals: Totals, bounds: DeadLettersConfig) -> str:
    """How many wait and how long they are kept, in a sentence."""
    limits = []
    if bounds.keep is not None:
        limits.append(f"for {_lasting(bounds.keep)}")
    if bounds.max_bytes is not None:
        limits.append(f"up to {sized(bounds.max_bytes)} in all")
    rule = f"kept {' and '.join(limits)}" if limits else "kept until they are replayed or dropped"
    if not totals.count or totals.oldest is None:
        return f"dead letters: none ({rule})"
    waiting = f"{totals.count:,} ({sized(totals.size)}), the oldest since {utc(totals.oldest)}"
    return f"dead letters: {waiting} ({rule})"


def _lasting(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"
