"""Matching: conditions on events, compiled once and evaluated in part ahead of time.

An event has a *head* (kind, level, name, logger), which is the same at each call of one call site, and
fields, which differ. A predicate is first *reduced* by a head: what depends on the head alone becomes
True or False, and what is left, if anything, looks at fields. Classification and routing keep the
reduced form of each head they have met, so that most events cost one dictionary look-up.

Everything here is pure, but for functions named by ``call``, which are the user's.
"""

from __future__ import annotations

import fnmatch
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from logweir.config.models import FieldMatch, MatchConfig, find_function
from logweir.diagnostics import tell
from logweir.event import LEVELS, severity
from logweir.fields import MISSING, equal, look_up

__all__ = ["Fields", "Head", "Predicate", "compile_match", "glob_matcher"]

Fields = Mapping[str, Any]


class Head(NamedTuple):
    """What is the same at each call of one call site; None where nobody asks for it."""

    kind: str | None
    level: str | None
    name: str | None
    logger: str | None


class Predicate(ABC):
    """A condition on an event."""

    #: The parts of the head that the condition looks at.
    uses: frozenset[str] = frozenset()

    @abstractmethod
    def reduce(self, head: Head) -> Predicate | bool:
        """Decide by the head alone, or return the condition on fields that is left."""

    @abstractmethod
    def holds(self, fields: Fields) -> bool:
        """Decide a reduced condition by the fields."""

    @abstractmethod
    def failure(self, head: Head, fields: Fields) -> str | None:
        """In words, why the condition does not hold; None if it does."""


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

    def holds(self, fields: Fields) -> bool:
        try:
            return self.test(look_up(fields, self.name))
        except Exception:  # noqa: BLE001 - classification sees what callers pass, which may refuse to be compared
            return False

    def failure(self, head: Head, fields: Fields) -> str | None:
        if self.holds(fields):
            return None
        value = look_up(fields, self.name)
        return f"field {self.name} is {'absent' if value is MISSING else repr(value)}, not {self.words}"


@dataclass(frozen=True, slots=True)
class _Call(_Dynamic):
    """A condition that a function of the user's decides; one that raises does not hold."""

    path: str
    function: Callable[[Fields], Any]

    def holds(self, fields: Fields) -> bool:
        try:
            return bool(self.function(fields))
        except Exception as error:  # noqa: BLE001 - the user's code must not break a log call
            tell(f"call.{self.path}", "%s raised and counts as no match: %r", self.path, error)
            return False

    def failure(self, head: Head, fields: Fields) -> str | None:
        return None if self.holds(fields) else f"{self.path} did not answer true"


@dataclass(frozen=True, slots=True)
class _Several(Predicate):
    """Several conditions, of which one that is :attr:`decisive` decides the whole."""

    parts: tuple[Predicate, ...]
    decisive: ClassVar[bool]

    @property
    def uses(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset().union(*(part.uses for part in self.parts))

    def reduce(self, head: Head) -> Predicate | bool:
        left: list[Predicate] = []
        for part in self.parts:
            reduced = part.reduce(head)
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


@dataclass(frozen=True, slots=True)
class _Any(_Several):
    """At least one of several conditions."""

    decisive = True

    def holds(self, fields: Fields) -> bool:
        return any(part.holds(fields) for part in self.parts)

    def failure(self, head: Head, fields: Fields) -> str | None:
        failures = [part.failure(head, fields) for part in self.parts]
        return None if None in failures else "none of: " + "; ".join(why for why in failures if why)


@dataclass(frozen=True, slots=True)
class _Not(Predicate):
    """The opposite of a condition."""

    part: Predicate

    @property
    def uses(self) -> frozenset[str]:  # type: ignore[override]
        return self.part.uses

    def reduce(self, head: Head) -> Predicate | bool:
        reduced = self.part.reduce(head)
        return not reduced if isinstance(reduced, bool) else _Not(reduced)

    def holds(self, fields: Fields) -> bool:
        return not self.part.holds(fields)

    def failure(self, head: Head, fields: Fields) -> str | None:
        return None if self.part.failure(head, fields) else "what must not match does"


def compile_match(config: MatchConfig) -> Predicate:
    """Compile a ``match`` of routing.yaml.

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
        parts.extend(condition for field in config.field for condition in _field(field))
    if config.call is not None:
        parts.append(_Call(config.call, find_function(config.call)))
    if config.any is not None:
        parts.append(_Any(tuple(compile_match(part) for part in config.any)))
    if config.all is not None:
        parts.extend(compile_match(part) for part in config.all)
    if config.not_ is not None:
        parts.append(_Not(compile_match(config.not_)))
    return _All(tuple(parts))


def glob_matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return a test for any of several globs, case-sensitive."""
    compiled = re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns))
    return lambda text: compiled.match(text) is not None


_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    ">=": int.__ge__,
    ">": int.__gt__,
    "<=": int.__le__,
    "<": int.__lt__,
    "==": int.__eq__,
    "": int.__eq__,
}


def _level(wanted: list[str]) -> Predicate:
    words = " or ".join(wanted)
    passing = frozenset().union(*(_levels_that_pass(item) for item in wanted))
    return _HeadIs("level", passing.__contains__, words)


def _levels_that_pass(wanted: str) -> frozenset[str]:
    name = wanted.lstrip("<>=").strip()
    compare = _COMPARISONS[wanted[: len(wanted) - len(wanted.lstrip("<>="))]]
    return frozenset(level for level in LEVELS if compare(severity(level), severity(name)))


def _field(config: FieldMatch) -> list[Predicate]:
    given = config.model_fields_set
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
        expected = config.equals
        parts.append(_FieldHolds(name, lambda value: equal(value, expected), repr(expected)))
    if config.in_ is not None:
        parts.append(_FieldHolds(name, _one_of(config.in_), f"in {config.in_!r}"))
    if config.glob is not None:
        matches = glob_matcher([config.glob])
        parts.append(
            _FieldHolds(name, lambda value: value is not MISSING and matches(_text(value)), config.glob)
        )
    if config.regex is not None:
        pattern = re.compile(config.regex)
        parts.append(
            _FieldHolds(
                name,
                lambda value: value is not MISSING and pattern.search(_text(value)) is not None,
                f"a match of /{config.regex}/",
            )
        )
    return parts


def _one_of(choices: list[Any]) -> Callable[[Any], bool]:
    if all(type(choice) is str for choice in choices):
        texts = frozenset(choices)
        return lambda value: type(value) is str and value in texts
    return lambda value: any(equal(value, choice) for choice in choices)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)
