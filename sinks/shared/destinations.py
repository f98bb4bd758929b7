"""Destinations that an event's own values name, within a bound: ``logs/{service}/{fields.tenant}.jsonl``.

A value is used as it is or not at all. Were the signs of a value replaced, `a/b` and `a_b` would meet in one
place, and where tenants are kept apart that is a leak. An event without the value, with one that is no plain
name, or of one destination too many goes to the overflow destination: the template with one fixed name in
place of each value. Nothing here does IO.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from logweir.encoding.fields import look_up
from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.sinks.contract import SinkConfig

__all__ = [
    "DestinationCounts",
    "Destinations",
    "Template",
    "TemplatedConfig",
    "check_readers",
    "check_template",
    "is_template",
    "listed",
    "template_of",
]

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
#: A name that is one part of a path, of a header and of a collection's name; no dot at either end, nor two.
_VALUE = r"[A-Za-z0-9](?:(?:[A-Za-z0-9_-]|\.(?!\.)){0,62}[A-Za-z0-9_-])?"
_is_plain = re.compile(_VALUE, re.ASCII).fullmatch
_ATTRIBUTES = ("service", "kind", "level", "env")
_FIELD = "fields."

Render = Callable[[Event], Any]


def is_template(text: str) -> bool:
    """Whether a text has a placeholder, or means to have one."""
    return "{" in text or "}" in text


def check_template(text: str, key: str) -> None:
    """Check a template whose destinations stand among those of others in one store.

    Raises:
        ValueError: It is none, or has no fixed beginning, without which a value could be any name there.
    """
    Template(text)
    if text.startswith("{"):
        raise ValueError(
            f"{text!r} begins with a placeholder, whose values could be any {key} of the store; begin with a "
            f"fixed name, such as logs_{text}"
        )


def check_readers(read: Collection[str], template: Template | None, key: str) -> None:
    """Check the destinations that are to be read, of a store that does not name those it has.

    Raises:
        ValueError: They cannot be those of the template.
    """
    if read and template is None:
        raise ValueError(f"read_tenants is for a {key} with placeholders; remove it, or write some")
    for text in read:
        if template is not None and not template.matches(text):
            raise ValueError(f"the {key} {template.text!r} can never lead to {text!r}; see read_tenants")


def listed(read: Collection[str], overflow: str, name: str) -> list[str]:
    """The destinations to read of a store that does not name those it has.

    Raises:
        SinkUnavailable: None is listed.
    """
    if not read:
        raise SinkUnavailable(
            f"sink {name!r} writes to tenants that events name, and the store does not say which there "
            "are; list those to read as read_tenants"
        )
    return [*read, overflow]


class Template:
    """A text with placeholders, such as ``logs/{fields.tenant}.jsonl``.

    Args:
        text: The text.

    Raises:
        ValueError: It has none, or one that is unknown.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._fixed = _PLACEHOLDER.split(text)[::2]
        self._values = [_reader(name) for name in _PLACEHOLDER.findall(text)]
        if not self._values or any(map(is_template, self._fixed)):
            raise ValueError(
                f"{text!r} is no template; write placeholders such as {{service}}, braces in pairs"
            )

    def render(self, event: Event) -> str | None:
        """The destination of an event; None if a value is missing, or is no plain name."""
        parts = [self._fixed[0]]
        for read, fixed in zip(self._values, self._fixed[1:], strict=True):
            value = read(event)
            if type(value) is int:
                value = str(value)
            if not isinstance(value, str) or not _is_plain(value):
                return None
            parts += (value, fixed)
        return "".join(parts)

    def filled(self, name: str) -> str:
        """The template with this name in place of each value."""
        return name.join(self._fixed)

    def pattern(self, escape: Callable[[str], str]) -> str:
        """What a search by `*` finds destinations by, and what stands behind their names; see `matches`."""
        return "*".join(map(escape, self._fixed))

    def matches(self, text: str) -> bool:
        """Whether a destination may be one of this template."""
        return re.fullmatch(_VALUE.join(map(re.escape, self._fixed)), text, re.ASCII) is not None


def _reader(name: str) -> Render:
    if name in _ATTRIBUTES:
        return attrgetter(name)
    if name.startswith(_FIELD) and name != _FIELD:
        field = name.removeprefix(_FIELD)
        return lambda event: look_up(event.fields, field)
    known = ", ".join(f"{{{one}}}" for one in _ATTRIBUTES)
    raise ValueError(f"there is no placeholder {{{name}}}; there are {known} and {{fields.NAME}}")


class TemplatedConfig(SinkConfig):
    """Options of a sink one key of which may be a template."""

    #: The key.
    template_key: ClassVar[str]

    max_destinations: int = Field(default=100, ge=1, le=10_000)
    """How many destinations placeholders may lead to in one process; further events go to `overflow`."""
    overflow: str = "overflow"
    """What stands in place of the values for events that have none, or none that can be a name, and for those
    of one destination too many."""

    @field_validator("overflow")
    @classmethod
    def _overflow_is_plain(cls, value: str) -> str:
        if not _is_plain(value):
            raise ValueError(f"{value!r} cannot be a name; use letters, digits, '.', '_' and '-', at most 64")
        return value

    @model_validator(mode="after")
    def _overflow_is_a_destination(self) -> Self:
        template = template_of(self)
        if template is not None and self.at_destination(template.filled(self.overflow)) is None:
            raise ValueError(
                f"{template.filled(self.overflow)!r} cannot be a destination; write another word as overflow"
            )
        return self

    def at_destination(self, text: str) -> Self | None:
        """The options for one destination; None if the store can have none of this name."""
        return self.model_copy(update={self.template_key: text})


def template_of(config: object) -> Template | None:
    """The template of a sink's options, if they have one."""
    if not isinstance(config, TemplatedConfig):
        return None
    text = str(getattr(config, config.template_key) or "")
    return Template(text) if is_template(text) else None


@dataclass(slots=True)
class DestinationCounts:
    """What metrics show of a sink with destinations.

    Attributes:
        overflowed: Of the events stored, those whose values lead nowhere else than to the overflow.
        used: Destinations beside the overflow.
    """

    overflowed: int = 0
    used: int = 0


class Destinations:
    """Which destination each event has: those that are known, never more than so many, and the overflow.

    Args:
        template: The template.
        most: How many there may be beside the overflow.
        overflow: The overflow destination.
        is_possible: Whether the store can have a destination of this name.

    Attributes:
        unnamed: How many events went to the overflow because their values name no destination.
        beyond: How many because there are so many already.
    """

    def __init__(
        self, template: Template, most: int, overflow: str, is_possible: Callable[[str], bool]
    ) -> None:
        self._template = template
        self._most = most
        self.overflow = overflow
        self._is_possible = is_possible
        self._known: set[str] = set()
        self.unnamed = self.beyond = 0

    @property
    def strays(self) -> int:
        """How many events went to the overflow for either reason."""
        return self.unnamed + self.beyond

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._known))

    def of(self, event: Event) -> str:
        """The destination of an event. It stays the same as long as the process runs."""
        found = self._template.render(event)
        if found is not None and (found in self._known or found == self.overflow):
            return found
        if found is None or not self._is_possible(found):
            self.unnamed += 1
            return self.overflow
        if len(self._known) >= self._most:
            self.beyond += 1
            return self.overflow
        self._known.add(found)
        return found
