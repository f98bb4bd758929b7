"""Matching: conditions on events, compiled once and evaluated in part ahead of time.

An event has a *head* (kind, level, name, logger), which is the same at each call of one call site, and
fields, which differ. A predicate is first *reduced* by a head: what depends on the head alone becomes
True or False, and what is left, if anything, looks at fields. Classification and routing keep the
reduced form of each head they have met, so that most events cost one dictionary look-up.

Values are compared as they are stored (see :mod:`logweir.encoding.values`), so that a condition means the
same to classification, which sees what the caller passed, and to routing, which sees the event. No value
makes a condition raise: one that refuses to be asked is not what was asked for.

Everything here is pure, but for functions named by ``call``, which are the user's.
"""

from __future__ import annotations

import fnmatch
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType, NoneType
from typing import Any, ClassVar

from logweir.config.levels import levels_meant
from logweir.config.models import FieldMatch, MatchConfig
from logweir.config.user_modules import find_function
from logweir.diagnostics import report
from logweir.encoding.fields import MISSING, equal, index_of, look_up
from logweir.encoding.parts import Entries, Excerpt, Hidden, Labelled
from logweir.encoding.values import encode_value, unprintable
from logweir.event import LEVELS, severity
from logweir.redaction.scan import MASK
from logweir.routing.heads import Head

__all__ = ["Conceals", "Fields", "Predicate", "compile_match", "conceals_nothing", "glob_matcher"]

Fields = Mapping[str, Any]
#: Whether what a condition compares a field with is not to be said in words.
Conceals = Callable[[FieldMatch], bool]

#: The types whose values are stored as they are; numbers have bounds.
_PLAIN = frozenset({str, bool, NoneType, list, dict})
#: Texts of a step of encoding.
_TEXTS = frozenset({Excerpt, Hidden})
#: Of encoding one value, such as an Enum whose value is an Enum.
_STEPS = 8
#: Whether this thread is inside a function of the user's.
_asking = threading.local()


class Predicate(ABC):
    """A condition on an event."""

    #: The parts of the head that the condition looks at.
    uses: frozenset[str] = frozenset()
    #: The names of the fields that it may look at, at the top of an event; None if it may be any.
    asks: frozenset[str] | None = frozenset()

    @abstractmethod
    def reduce(self, head: Head) -> Predicate | bool:
        """Decide by the head alone, or return the condition on fields that is left."""

    @abstractmethod
    def holds(self, fields: Fields) -> bool:
        """Decide a reduced condition by the fields."""

    @abstractmethod
    def failure(self, head: Head, fields: Fields) -> str | None:
        """In words, why the condition does not hold; None if it does."""

    @abstractmethod
    def describe(self) -> str:
        """The condition in words."""


@dataclass(frozen=True, slots=True)
class _HeadIs(Predicate):
    """A condition on one part of the head."""

    part: str
    test: Callable[[str], bool]
    words: str

    @property
    def uses(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.part})

    def reduce(self, head: Head) -> bool:
        value = getattr(head, self.part)
        return value is not None and self.test(value)

    def holds(self, fields: Fields) -> bool:
        raise TypeError(f"a condition on {self.part} was not reduced")

    def failure(self, head: Head, fields: Fields) -> str | None:
        if self.reduce(head):
            return None
        return f"{_WORDS[self.part]} {getattr(head, self.part)!s} is not {self.words}"

    def describe(self) -> str:
        return f"{_WORDS[self.part]} is {self.words}"


_WORDS = {"kind": "kind", "level": "level", "name": "event", "logger": "logger"}


class _Dynamic(Predicate):
    """A condition that the head says nothing about."""

    def reduce(self, head: Head) -> Predicate:
        return self


@dataclass(frozen=True, slots=True)
class _FieldHolds(_Dynamic):
    """A condition on one field."""

    name: str
    test: Callable[[Any], bool]
    words: str

    @property
    def asks(self) -> frozenset[str]:  # type: ignore[override]
        parts = self.name.split(".")
        return frozenset(".".join(parts[:end]) for end in range(1, len(parts) + 1))

    def holds(self, fields: Fields) -> bool:
        try:
            return self.test(_find(fields, self.name))
        except Exception:  # noqa: BLE001 - classification sees what callers pass, which may refuse to be compared
            return False

    def failure(self, head: Head, fields: Fields) -> str | None:
        if self.holds(fields):
            return None
        return f"field {self.name} is {_shown(fields, self.name)}, not {self.words}"

    def describe(self) -> str:
        return f"field {self.name} is {self.words}"


@dataclass(frozen=True, slots=True)
class _Call(_Dynamic):
    """A condition that a function of the user's decides; one that raises does not hold.

    The function cannot change the fields, and is not asked about events that it logs itself.
    """

    path: str
    function: Callable[[Fields], Any]
    asks = None

    def holds(self, fields: Fields) -> bool:
        if getattr(_asking, "now", False):  # the function logs: asking it again would never end
            return False
        _asking.now = True
        try:
            return bool(self.function(MappingProxyType(fields)))
        except Exception as error:  # noqa: BLE001 - the user's code must not break a log call
            # Not what it says: it was given fields that are not redacted yet.
            error_type = type(error).__qualname__
            report(f"call.{self.path}", "%s raised %s and counts as no match", self.path, error_type)
            return False
        finally:
            _asking.now = False

    def failure(self, head: Head, fields: Fields) -> str | None:
        return None if self.holds(fields) else f"{self.path} did not answer true"

    def describe(self) -> str:
        return f"{self.path} answers true"


@dataclass(frozen=True, slots=True)
class _Several(Predicate):
    """Several conditions, of which one that is :attr:`decisive` decides the whole."""

    parts: tuple[Predicate, ...]
    decisive: ClassVar[bool]

    @property
    def uses(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset().union(*(part.uses for part in self.parts))

    @property
    def asks(self) -> frozenset[str] | None:  # type: ignore[override]
        asked = [part.asks for part in self.parts]
        return None if None in asked else frozenset().union(*(names for names in asked if names))

    def reduce(self, head: Head) -> Predicate | bool:
        left: list[Predicate] = []
        for part in self.parts:
            reduced = part.reduce(head)
            # What is left keeps its order: a cheap condition in front of a call spares the call.
            if not isinstance(reduced, bool):
                left.append(reduced)
            elif reduced is self.decisive:
                return reduced
        if not left:
            return not self.decisive
        return left[0] if len(left) == 1 else type(self)(tuple(left))


@dataclass(frozen=True, slots=True)
class _All(_Several):
    """All of several conditions."""

    decisive = False

    def holds(self, fields: Fields) -> bool:
        return all(part.holds(fields) for part in self.parts)

    def failure(self, head: Head, fields: Fields) -> str | None:
        return next((why for part in self.parts if (why := part.failure(head, fields))), None)

    def describe(self) -> str:
        return " and ".join(_enclosed(part) for part in self.parts) or "anything"


@dataclass(frozen=True, slots=True)
class _Any(_Several):
    """At least one of several conditions."""

    decisive = True

    def holds(self, fields: Fields) -> bool:
        return any(part.holds(fields) for part in self.parts)

    def failure(self, head: Head, fields: Fields) -> str | None:
        failures = [part.failure(head, fields) for part in self.parts]
        return None if None in failures else "none of: " + "; ".join(why for why in failures if why)

    def describe(self) -> str:
        return " or ".join(_enclosed(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class _Not(Predicate):
    """The opposite of a condition."""

    part: Predicate

    @property
    def uses(self) -> frozenset[str]:  # type: ignore[override]
        return self.part.uses

    @property
    def asks(self) -> frozenset[str] | None:  # type: ignore[override]
        return self.part.asks

    def reduce(self, head: Head) -> Predicate | bool:
        reduced = self.part.reduce(head)
        return not reduced if isinstance(reduced, bool) else _Not(reduced)

    def holds(self, fields: Fields) -> bool:
        return not self.part.holds(fields)

    def failure(self, head: Head, fields: Fields) -> str | None:
        if self.part.failure(head, fields):
            return None
        return f"{self.part.describe()}, which `not` refuses"

    def describe(self) -> str:
        return f"not ({self.part.describe()})"


def _enclosed(part: Predicate) -> str:
    """A part of a longer description, in brackets where it joins parts of its own."""
    words = part.describe()
    return f"({words})" if isinstance(part, _Several) and len(part.parts) > 1 else words


def conceals_nothing(_condition: FieldMatch) -> bool:
    """For predicates that nobody shows."""
    return False


def compile_match(config: MatchConfig, conceals: Conceals = conceals_nothing) -> Predicate:
    """Compile a ``match`` of routing.yaml.

    Args:
        config: The conditions.
        conceals: Of which of them the words have ``***`` for what the field is compared with.

    Raises:
        ValueError: ``call`` names no function.
    """
    parts: list[Predicate] = []
    if config.kind is not None:
        parts.append(_HeadIs("kind", config.kind.value.__eq__, config.kind.value))
    if config.level is not None:
        parts.append(_level(config.level))
    if config.event is not None:
        parts.append(_HeadIs("name", glob_matcher(config.event), " or ".join(config.event)))
    if config.logger is not None:
        parts.append(_HeadIs("logger", glob_matcher(config.logger), " or ".join(config.logger)))
    if config.field is not None:
        parts.extend(condition for field in config.field for condition in _field(field, conceals(field)))
    if config.call is not None:
        parts.append(_Call(config.call, find_function(config.call)))
    if config.any is not None:
        parts.append(_Any(tuple(compile_match(part, conceals) for part in config.any)))
    if config.all is not None:
        parts.extend(compile_match(part, conceals) for part in config.all)
    if config.not_ is not None:
        parts.append(_Not(compile_match(config.not_, conceals)))
    return _All(tuple(parts))


def glob_matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return a test for any of several globs, case-sensitive."""
    compiled = re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns))
    return lambda text: compiled.match(text) is not None


def _level(wanted: list[str]) -> Predicate:
    words = " or ".join(wanted)
    passing = {LEVELS[name] for item in wanted for name in levels_meant(item)}
    return _HeadIs("level", lambda level: severity(level) in passing, words)


def _field(config: FieldMatch, is_secret: bool) -> list[Predicate]:
    given = config.model_fields_set
    words = config.model_copy(update=dict.fromkeys(given - {"name"}, MASK)) if is_secret else config
    name = config.name
    parts: list[Predicate] = []
    if "exists" in given and config.exists is not None:
        wanted = config.exists
        parts.append(
            _FieldHolds(
                name, lambda value: (value is not MISSING) == wanted, "present" if wanted else "absent"
            )
        )
    if "equals" in given:
        expected = _stored(config.equals)
        parts.append(
            _FieldHolds(name, _of_stored_or_item(lambda value: _same(value, expected)), repr(words.equals))
        )
    if config.in_ is not None:
        parts.append(_FieldHolds(name, _of_stored_or_item(_one_of(config.in_)), f"in {words.in_!r}"))
    if config.glob is not None:
        matches = glob_matcher([config.glob])
        parts.append(_FieldHolds(name, _of_stored(lambda value: matches(str(value))), words.glob or ""))
    if config.regex is not None:
        search = re.compile(config.regex).search
        parts.append(
            _FieldHolds(
                name,
                _of_stored(lambda value: search(str(value)) is not None),
                f"a match of /{words.regex}/",
            )
        )
    return parts


def _of_stored(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return a test of a field that must be there, and is seen as it is stored."""
    return lambda value: value is not MISSING and test(value if type(value) is str else _stored(value))


def _of_stored_or_item(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return such a test that a list also passes by one of its items."""

    def of_another(value: Any) -> bool:
        stored = _stored(value)
        return test(stored) or (type(stored) is list and any(test(_stored(item)) for item in stored))

    return lambda value: value is not MISSING and (test(value) if type(value) is str else of_another(value))


def _one_of(choices: Sequence[Any]) -> Callable[[Any], bool]:
    stored = [_stored(choice) for choice in choices]
    if all(type(choice) is str for choice in stored):  # the usual case, in one look-up
        texts = frozenset(stored)
        return lambda value: type(value) is str and value in texts
    return lambda value: any(_same(value, choice) for choice in stored)


def _same(value: Any, expected: Any) -> bool:
    """Equality as of :func:`logweir.encoding.fields.equal`, at any depth of what ``expected`` holds."""
    kind = type(expected)
    if kind not in {list, dict}:
        return equal(value, expected)
    if type(value) is not kind or len(value) != len(expected):
        return False
    if kind is list:
        return all(map(_same_member, value, expected))
    return all(key in value and _same_member(value[key], member) for key, member in expected.items())


def _same_member(value: Any, expected: Any) -> bool:
    return _same(_stored(value), _stored(expected))


def _stored(value: Any) -> Any:
    """The value as an event stores it; the members of a list or an object are left as they are."""
    for _ in range(_STEPS):
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is int and -(2**63) <= value < 2**63:
            return value
        if kind is float and value - value == 0.0:
            return value
        if kind is tuple:
            return list(value)
        if kind is Entries:
            return {name: item.value if type(item) is Labelled else item for name, item in value}
        value = str(value) if kind in _TEXTS else encode_value(value)
    return unprintable(value)


def _find(fields: Fields, name: str) -> Any:
    """Find a field; dots reach also into what is stored as an object or a list, such as a pydantic model."""
    value = look_up(fields, name)
    if value is not MISSING or "." not in name:
        return value
    inner: Any = fields
    for part in name.split("."):
        inner = _stored(inner)
        place = index_of(part) if type(inner) is list else None
        if place is not None and place < len(inner):
            inner = inner[place]
        elif type(inner) is dict and part in inner:
            inner = inner[part]
        else:
            return MISSING
    return inner


def _shown(fields: Fields, name: str) -> str:
    """The value of a field as an explanation shows it."""
    value: Any = None
    try:
        value = _find(fields, name)
        return "absent" if value is MISSING else repr(_stored(value))
    except Exception:  # noqa: BLE001 - such as a list whose members have no text
        return unprintable(value)
