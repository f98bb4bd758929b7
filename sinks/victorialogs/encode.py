"""Between events and VictoriaLogs' lines of JSON. Pure; an event read back is the identical one.

A line is an object of the event's attributes and its fields, which the store takes apart into columns (see
:mod:`logweir.sinks.victorialogs.columns`): ``fields.order_id`` is asked for by that name. The message,
``_msg``, is the event's name. What the columns would not give back as it was (an empty name, the time 0,
which VictoriaLogs takes for "now") stands in one more column, ``attributes``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from logweir.encoding.times import format_time, parse_time
from logweir.event import Event, Kind
from logweir.sinks.shared.shorten import shorten
from logweir.sinks.shared.wording import encoding_fault
from logweir.sinks.victorialogs.columns import ColumnGuard, Shaper, column_of, fields_of
from logweir.sinks.victorialogs.config import COLUMNS
from logweir.sinks.victorialogs.limits import Limits

__all__ = ["Encoder", "Line", "event_of"]

#: From here on VictoriaLogs takes a number for nanoseconds; smaller ones for a larger unit.
_SURELY_NANOSECONDS = 10**17
#: Columns that are no fields, and the time.
_OTHER_COLUMNS = len(COLUMNS) + 1
#: The bytes by which a line is cut further each time that it is still too long.
_STEP = 256
#: An event is cut no further than to this; what is still too long is refused.
_SHORTEST_LINE = 1024


class _Line(msgspec.Struct, omit_defaults=True, gc=False):
    """The line; the order of the attributes is the order of the keys."""

    _time: int | str
    event: str
    id: str
    kind: str
    level: str
    service: str
    env: str
    trace_id: str | None = None
    span_id: str | None = None
    shape: str = ""
    fields: dict[str, Any] | str = {}
    attributes: str = ""


_encode_json = msgspec.json.Encoder().encode
_decode_attributes = msgspec.json.Decoder(dict[str, str]).decode


class Line(msgspec.Struct, frozen=True, gc=False):
    """One event as VictoriaLogs takes it.

    Attributes:
        index: The event's place in the batch.
        text: The line, in UTF-8, without a line break.
    """

    index: int
    text: bytes


class Encoder:
    """Makes lines of events.

    Args:
        static: Columns with one fixed value.
        guard: Says which names of fields may be columns.
    """

    def __init__(self, static: Mapping[str, str], guard: ColumnGuard) -> None:
        self._shaper = Shaper(guard)
        self._static = len(static)
        #: What every line begins with: the fixed columns.
        self._head = _encode_json(dict(static))[:-1] + b","

    def lines(
        self, batch: Sequence[Event], first: int, limits: Limits, refused: dict[int, str]
    ) -> Iterator[Line]:
        """Yield the lines of a part of a batch.

        Args:
            batch: The part.
            first: The index of its first event.
            limits: What the server takes.
            refused: Gets the events that cannot be written, by index, each with the reason.
        """
        self._shaper.bound(limits.most_columns - _OTHER_COLUMNS - self._static)
        oldest, newest = limits.oldest, limits.newest
        longest = limits.longest_line
        for index, event in enumerate(batch, first):
            if not oldest <= event.time <= newest:
                refused[index] = limits.refusal_of(event.time)
                continue
            try:
                text = self._text(event)
                if len(text) > longest:
                    text = self._shortened(event, longest)
                    if len(text) > longest:
                        refused[index] = (
                            f"it is longer than the {longest} bytes that VictoriaLogs takes of a line"
                        )
                        continue
            except (TypeError, ValueError) as error:
                refused[index] = f"it cannot be written as JSON: {encoding_fault(error)}"
                continue
            yield Line(index, text)

    def _text(self, event: Event) -> bytes:
        fields, shape = self._shaper.written(event.fields)
        time = event.time if event.time >= _SURELY_NANOSECONDS else _stamp(event.time)
        line = _Line(
            time, event.name, event.id, event.kind, event.level, event.service, event.env,
            event.trace_id, event.span_id, shape, fields,
        )  # fmt: skip
        if not event.name or event.time == 0 or event.trace_id == "" or event.span_id == "":
            line.attributes = _attributes(event)
        return self._head + _encode_json(line)[1:]

    def _shortened(self, event: Event, longest: int) -> bytes:
        """The line of an event that is cut until it fits, if it can be; the cut is marked in it."""
        room = longest - _STEP
        while True:
            text = self._text(shorten(event, room))
            room -= max(len(text) - longest, _STEP)
            if len(text) <= longest or room < _SHORTEST_LINE:
                return text


def _stamp(time: int) -> str:
    return format_time(time or 1)


def _attributes(event: Event) -> str:
    """What the columns lose."""
    lost = {name: "" for name in ("trace_id", "span_id") if getattr(event, name) == ""}
    if not event.name:
        lost["event"] = ""
    if event.time == 0:
        lost["time"] = format_time(0)
    return _encode_json(lost).decode()


# -- back -----------------------------------------------------------------------------------------------


def event_of(row: Mapping[str, str], message_field: str | None = None) -> Event | None:
    """The event of a row; None for one that is not ours.

    Args:
        row: The columns, as VictoriaLogs gives them back.
        message_field: The field whose text may be the message.
    """
    try:
        lost = _decode_attributes(row["attributes"]) if "attributes" in row else {}
        name = lost.get("event", row.get("event"))
        # The name stands for itself where a field is the message.
        message_column = None if name is None or message_field is None else column_of(message_field)
        return Event(
            row["id"],
            parse_time(lost.get("time", row["_time"])),
            Kind(row["kind"]),
            row.get("level", ""),
            row["_msg"] if name is None else name,
            row.get("service", ""),
            row.get("env", ""),
            lost.get("trace_id", row.get("trace_id")),
            lost.get("span_id", row.get("span_id")),
            fields_of(row, message_column),
            sum(map(len, row.values())),
        )
    except (KeyError, ValueError):
        return None
