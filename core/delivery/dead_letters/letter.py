"""One dead letter, and which letters somebody asks for. No IO."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from logweir.encoding.events import decode_event, encode_event
from logweir.encoding.values import clean_text
from logweir.event import Event, new_event_id
from logweir.redaction.reasons import masked

__all__ = ["DeadLetter", "LetterBox", "Selection"]

#: How a letter is written that leaves its host; raised when an older release could misread it.
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One event, or one unreadable line, that no sink will take as it is.

    Attributes:
        sink: The sink that refused it; empty for input that never became an event.
        reason: Why.
        body: The event as JSON, or the line as it was read.
        place: ``file:line`` for unreadable input.
        id: The event's id and the sink, or a new one.
        time: When it became a dead letter, nanoseconds since 1970-01-01 UTC.
        attempts: How often a sink has refused it.
    """

    sink: str
    reason: str
    body: bytes
    place: str
    id: str
    time: int
    attempts: int = 1

    @classmethod
    def of_event(cls, sink: str, reason: str, event: Event) -> DeadLetter:
        """A letter for an event that ``sink`` refused."""
        return cls(
            sink, masked(clean_text(reason)), encode_event(event), "", f"{event.id}:{sink}", time.time_ns()
        )

    @classmethod
    def of_line(cls, place: str, reason: str, line: bytes, letter_id: str | None = None) -> DeadLetter:
        """A letter for input that could not be read; with an id, it is one however often it comes."""
        return cls(
            "",
            masked(clean_text(reason)),
            line,
            clean_text(place),
            letter_id or new_event_id(),
            time.time_ns(),
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> DeadLetter:
        """What :meth:`to_bytes` wrote.

        Raises:
            ValueError: It did not, or a newer release did.
        """
        try:
            found = json.loads(data)
            if found["format"] > _FORMAT:
                raise ValueError(f"it has format {found['format']}, and this release reads up to {_FORMAT}")
            text = found.get("text")
            body = base64.b64decode(found["base64"]) if text is None else text.encode()
            return cls(
                str(found["sink"]),
                str(found["reason"]),
                body,
                str(found["place"]),
                str(found["id"]),
                int(found["time"]),
                int(found["attempts"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it is no dead letter: {error!r}") from None

    def to_bytes(self) -> bytes:
        """The letter as it is kept where other hosts read it."""
        try:
            body = {"text": self.body.decode()}
        except UnicodeDecodeError:
            body = {"base64": base64.b64encode(self.body).decode()}
        found = {
            "format": _FORMAT,
            "id": self.id,
            "sink": self.sink,
            "time": self.time,
            "attempts": self.attempts,
            "reason": self.reason,
            "place": self.place,
            **body,
        }
        return json.dumps(found, ensure_ascii=True).encode()

    @property
    def is_line(self) -> bool:
        """Whether it is input that never became an event."""
        return not self.sink

    def event(self) -> Event:
        """The event in it.

        Raises:
            ValueError: There is none that can be read; the message says why.
        """
        if self.is_line:
            raise ValueError("this line never became an event; fix it and give it to `logweir run`")
        try:
            return decode_event(self.body)
        except Exception as error:  # noqa: BLE001 - whatever is in a body, other letters go on
            raise ValueError(f"the event cannot be read: {error}") from None


class LetterBox(Protocol):
    """Where a worker puts dead letters."""

    def add(self, letters: Sequence[DeadLetter]) -> None:
        """Keep letters for good; blocks.

        Raises:
            OSError: They are not kept.
        """


@dataclass(frozen=True, slots=True)
class Selection:
    """Which letters are meant; conditions are joined by *and*, and none takes all.

    Attributes:
        ids: Ids of letters, or of events, which stand for all their letters.
        sink: The sink; empty for unreadable lines.
        reason: A part of the reason or, with ``*`` or ``?``, a glob on all of it; case does not matter.
        since: Dead letters from this time on (nanoseconds).
        until: Dead letters before this time.
        events_only: Leave out unreadable lines.
    """

    ids: Sequence[str] = ()
    sink: str | None = None
    reason: str | None = None
    since: int | None = None
    until: int | None = None
    events_only: bool = False

    def condition(self) -> tuple[str, list[Any]]:
        """The condition in SQL, and its parameters."""
        parts: list[tuple[str, list[Any]]] = [("1", [])]
        if self.ids:
            parts.append(_any_of(self.ids))
        if self.sink is not None:
            parts.append(("sink = ?", [self.sink]))
        if self.reason is not None:
            parts.append(_matches(self.reason))
        if self.since is not None:
            parts.append(("time >= ?", [self.since]))
        if self.until is not None:
            parts.append(("time < ?", [self.until]))
        if self.events_only:
            parts.append(("sink <> ''", []))
        return " AND ".join(sql for sql, _ in parts), [value for _, values in parts for value in values]


def _any_of(ids: Sequence[str]) -> tuple[str, list[Any]]:
    """The ids go as one list, for they may be many; an event's id is a letter's without its sink."""
    known = "(SELECT value FROM json_each(?))"
    event_id = "substr(id, 1, length(id) - length(sink) - 1)"
    listed = json.dumps([clean_text(one) for one in ids])
    return f"(id IN {known} OR sink <> '' AND {event_id} IN {known})", [listed, listed]


def _matches(reason: str) -> tuple[str, list[Any]]:
    if "*" in reason or "?" in reason:
        return "lower(reason) GLOB lower(?)", [reason.replace("[", "[[]")]
    return "instr(lower(reason), lower(?)) > 0", [reason]
