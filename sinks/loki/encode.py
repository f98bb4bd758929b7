"""Between events and Loki's entries. Pure; an entry read back gives the identical event.

An entry is a time, a line, and structured metadata, in a stream of labels. The line is a JSON object of the
event's name, id and fields, and of whatever the labels and the metadata cannot give back as it was. Loki
takes two entries of one stream for one if time, line and metadata are equal: the id in the line keeps
different events apart, and the same event, encoded again, is absorbed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from logweir.encoding.fields import MISSING, look_up
from logweir.encoding.times import format_time, parse_time
from logweir.event import Event, Kind
from logweir.sinks.loki.labels import LabelGuard
from logweir.sinks.shared.shorten import shorten

__all__ = ["Encoder", "Entry", "Form", "Stream", "quoted", "to_event"]

#: What an event has beside its fields, by the names it is written with.
_ATTRIBUTES = {
    "id": "id",
    "kind": "kind",
    "level": "level",
    "event": "name",
    "service": "service",
    "env": "env",
    "trace_id": "trace_id",
    "span_id": "span_id",
}
#: Those of them that are in the line only where neither a label nor the metadata holds them.
_MOVABLE = ("kind", "level", "service", "env", "trace_id", "span_id")
#: The longest value of a label or of structured metadata: half of what Loki allows to a label by default.
_LONGEST = 1024
#: Streams remembered at once; more are no loss but time.
_MOST_STREAMS = 10_000

Pairs = tuple[tuple[str, str], ...]


class _Line(msgspec.Struct, omit_defaults=True, gc=False):
    """The line; the order of the attributes is the order of the keys."""

    event: str
    id: str
    time: str | None = None
    kind: str | None = None
    level: str | None = None
    service: str | None = None
    env: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    fields: dict[str, Any] = {}


class _UsualLine(msgspec.Struct, omit_defaults=True, gc=False):
    """The same of an event of which all else is labels and metadata."""

    event: str
    id: str
    fields: dict[str, Any] = {}


_encode_json = msgspec.json.Encoder().encode
_decode_line = msgspec.json.Decoder(_Line).decode


class Stream(msgspec.Struct, frozen=True, gc=False):
    """A combination of label values, and where the values went that are no labels.

    Attributes:
        labels: The labels, static ones too.
        text: The labels as Loki writes them.
        metadata: Values that were demoted to structured metadata.
        in_line: Attributes that only the line can hold.
        demoted: The labels that were demoted.
        unusual: Whether any of these three is there.
    """

    labels: Pairs
    text: str
    metadata: Pairs = ()
    in_line: tuple[str, ...] = ()
    demoted: tuple[str, ...] = ()
    unusual: bool = False


class Form(msgspec.Struct, frozen=True, gc=False):
    """How an event is written, where it is not written as usual because Loki refused that.

    Attributes:
        longest: The most bytes of its line.
        stamp: The time it is stored at instead of its own.
        stamps: How often that was tried.
        bare: Whether it has the static labels alone.
        borrowed: A stream that Loki has, in which it is put because Loki takes no new one.
        plain: Whether it has no structured metadata.
    """

    longest: int | None = None
    stamp: int | None = None
    stamps: int = 0
    bare: bool = False
    plain: bool = False
    borrowed: Stream | None = None


_USUAL = Form()


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One event as Loki takes it.

    Attributes:
        index: The event's place in the batch.
        event: The event.
        stream: The labels.
        stamp: The time it is stored at.
        line: The line, in UTF-8.
        names: Of the structured metadata.
        values: Of the structured metadata, in the same order.
        form: What was changed about it.
    """

    index: int
    event: Event
    stream: Stream
    stamp: int
    line: bytes
    names: tuple[str, ...]
    values: tuple[str, ...]
    form: Form = _USUAL

    @property
    def metadata(self) -> Pairs:
        """The structured metadata."""
        return tuple(zip(self.names, self.values, strict=True))


class Encoder:
    """Makes entries of events.

    Args:
        static: Labels with one fixed value.
        labels: Names of the other labels.
        metadata: Names of what is sent as structured metadata.
        guard: Says which values may be labels.
    """

    def __init__(
        self, static: Mapping[str, str], labels: Sequence[str], metadata: Sequence[str], guard: LabelGuard
    ) -> None:
        self._static = tuple(static.items())
        self._labels = tuple(labels)
        self._guard = guard
        self._values = _getter_of_all(labels)
        self._metadata = tuple(metadata)
        self._metadata_values = _getter_of_all(metadata)
        self._streams: dict[tuple[Any, ...], Stream] = {}
        placed = {*labels, *metadata}
        self._in_line = tuple(name for name in _MOVABLE if name not in placed)
        self._bare = Stream(self._static, _label_text(self._static))
        self._taken: dict[str | None, Stream] = {}
        #: Whether the server takes structured metadata.
        self.takes_metadata = bool(metadata)

    def entries(self, batch: Sequence[Event], first: int = 0) -> list[Entry]:
        """The entries of a batch, in its order; of a part of it, with the index of the first of them."""
        if not self.takes_metadata:
            form = Form(plain=True)
            return [self.entry(index, event, form) for index, event in enumerate(batch, first)]
        streams, values_of, metadata_of, names = (
            self._streams,
            self._values,
            self._metadata_values,
            self._metadata,
        )
        entries = []
        # Most events are usual: this is the hot path.
        for index, event in enumerate(batch, first):
            stream, texts, present = streams.get(values_of(event)), metadata_of(event), names
            if None in texts:  # as everywhere outside of a request
                present = tuple([name for name, text in zip(names, texts, strict=True) if text is not None])
                texts = tuple([text for text in texts if text is not None])
            if stream is None or stream.unusual or not _all_texts(texts):
                entries.append(self.entry(index, event))
                continue
            line = _encode_json(_UsualLine(event.name, event.id, event.fields))
            entries.append(Entry(index, event, stream, event.time, line, present, texts))
        return entries

    def entry(self, index: int, event: Event, form: Form = _USUAL) -> Entry:
        """The entry of one event."""
        if form.longest is not None:
            return self._shortened(index, event, form)
        values = self._values(event)
        stream = self._streams.get(values) or self._stream(values)
        if form.borrowed is not None:
            stream = self._borrowed(form.borrowed)
        elif form.bare:
            stream = self._bare_stream(values)
        if stream.demoted:
            self._guard.count(stream.demoted)
        names, texts, left = self._metadata_of(event, stream, form)
        stamp = event.time if form.stamp is None else form.stamp
        line = _Line(event.name, event.id, fields=event.fields)
        for name in left:
            setattr(line, name, getattr(event, name))
        if stamp != event.time:
            line.time = format_time(event.time)
        return Entry(index, event, stream, stamp, _encode_json(line), names, texts, form)

    def _shortened(self, index: int, event: Event, form: Form) -> Entry:
        """The entry of an event that is cut until its line fits; the cut is marked in it."""
        longest, rest = form.longest or 0, msgspec.structs.replace(form, longest=None)
        overhead = 0
        while True:
            short = shorten(event, longest - overhead)
            entry = self.entry(index, short, rest)
            excess = len(entry.line) - longest
            if excess <= 0 or overhead > longest:
                return msgspec.structs.replace(entry, event=event, form=form)
            overhead += max(excess, 64)  # a step that is large enough to come to an end soon

    def _stream(self, values: tuple[Any, ...]) -> Stream:
        """The stream of a new combination of label values."""
        labels, metadata, in_line, demoted = list(self._static), [], list(self._in_line), []
        before = len(self._guard.demoted)
        for name, value in zip(self._labels, values, strict=True):
            text = _text(value)
            if text is None:
                if name in _MOVABLE and value is not None:
                    in_line.append(name)
            elif self._guard.admits(name, text):
                labels.append((name, text))
            else:
                metadata.append((name, text))
                demoted.append(name)
        # Streams that are remembered still have a label that was demoted just now.
        if len(self._guard.demoted) > before or len(self._streams) >= _MOST_STREAMS:
            self._streams.clear()
        stream = Stream(
            tuple(labels),
            _label_text(labels),
            tuple(metadata),
            tuple(in_line),
            tuple(demoted),
            unusual=bool(metadata or in_line or demoted),
        )
        self._streams[values] = stream
        return stream

    def _bare_stream(self, values: tuple[Any, ...]) -> Stream:
        """The static labels alone; what would be labels is metadata."""
        given = [(name, value, _text(value)) for name, value in zip(self._labels, values, strict=True)]
        in_line = [name for name, value, text in given if text is None and value is not None]
        return Stream(
            self._bare.labels,
            self._bare.text,
            tuple((name, text) for name, _, text in given if text is not None),
            (*self._in_line, *(name for name in in_line if name in _MOVABLE)),
        )

    def note_taken(self, stream: Stream) -> None:
        """Note a stream that Loki took just now."""
        self._taken[dict(stream.labels).get("kind")] = stream

    def to_borrow(self, event: Event) -> Stream | None:
        """The stream that Loki took last, if an event may be put into it, though its labels are another's."""
        # What is read by a label and a filter on it (see `query`) must have the event's own value there.
        if "trace_id" in self._labels or "span_id" in self._labels:
            return None
        return self._taken.get(event.kind.value if "kind" in self._labels else dict(self._static).get("kind"))

    def _borrowed(self, stream: Stream) -> Stream:
        """Another's labels; what the event's own would be is in its line, where it wins."""
        own = (name for name in self._labels if name in _MOVABLE)
        return Stream(stream.labels, stream.text, in_line=(*self._in_line, *own))

    def _metadata_of(
        self, event: Event, stream: Stream, form: Form
    ) -> tuple[tuple[str, ...], tuple[str, ...], Iterable[str]]:
        """Names and values of the structured metadata, and the attributes that go into the line."""
        if form.plain:
            names = (*(name for name, _ in stream.metadata), *self._metadata)
            return (), (), (*stream.in_line, *(name for name in names if name in _MOVABLE))
        values = self._metadata_values(event)
        if not stream.metadata and _all_texts(values):
            return self._metadata, values, stream.in_line
        pairs, left = list(stream.metadata), list(stream.in_line)
        for name, value in zip(self._metadata, values, strict=True):
            text = _text(value)
            if text is not None:
                pairs.append((name, text))
            elif value is not None and name in _MOVABLE:
                left.append(name)
        return tuple([name for name, _ in pairs]), tuple([text for _, text in pairs]), left


def _all_texts(values: tuple[Any, ...]) -> bool:
    """Whether all values are metadata as they are: the usual case, decided at once."""
    try:
        joined = "".join(values)
    except TypeError:
        return False
    # Joined, for the hot path; an empty text, which Loki would drop, is all that does not show there.
    return joined.isprintable() and len(joined) <= _LONGEST and "" not in values


def _getter(name: str) -> Callable[[Event], Any]:
    attribute = _ATTRIBUTES.get(name)
    if attribute is not None:
        return attrgetter(attribute)

    def field_of(event: Event) -> Any:
        value = look_up(event.fields, name)
        return None if value is MISSING else _text(value)

    return field_of


def _getter_of_all(names: Sequence[str]) -> Callable[[Event], tuple[Any, ...]]:
    """What the labels of an event would be; one call where all of them are attributes."""
    attributes = [_ATTRIBUTES.get(name) for name in names]
    if len(names) > 1 and None not in attributes:
        return attrgetter(*(str(attribute) for attribute in attributes))
    getters = [_getter(name) for name in names]
    return lambda event: tuple([get(event) for get in getters])


def _text(value: Any) -> str | None:
    """The value as a label or as metadata, or None if it would not come back as it is."""
    if isinstance(value, str):
        return str.__str__(value) if value and len(value) <= _LONGEST and value.isprintable() else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None


def _label_text(labels: Iterable[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{name}={quoted(value)}" for name, value in labels) + "}"


def quoted(text: str) -> str:
    """Text as LogQL and label sets write it: in double quotes, with Go's escapes."""
    return _encode_json(text).decode()


# -- back -----------------------------------------------------------------------------------------------


def to_event(stamp: int, line: str, labels: Mapping[str, str]) -> Event | None:
    """The event of an entry; None for a line that is not one of ours.

    Args:
        stamp: The time Loki has.
        line: The line.
        labels: The labels and the structured metadata. What the line says itself wins.
    """
    try:
        wire = _decode_line(line)
        return Event(
            wire.id,
            stamp if wire.time is None else parse_time(wire.time),
            Kind(wire.kind or labels.get("kind", "tracing")),
            _first(wire.level, labels.get("level"), "info"),
            wire.event,
            _first(wire.service, labels.get("service"), ""),
            _first(wire.env, labels.get("env"), ""),
            labels.get("trace_id") if wire.trace_id is None else wire.trace_id,
            labels.get("span_id") if wire.span_id is None else wire.span_id,
            wire.fields,
            len(line),
        )
    except ValueError:
        return None


def _first(*values: str | None) -> str:
    return next(value for value in values if value is not None)
