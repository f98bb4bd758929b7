"""Classification: is this event audit or tracing?

The first decision wins: what the caller said (``persist_db``, ``kind``), then the rules of routing.yaml
in their order, then tracing. Rules are compiled once; for each head (see :mod:`logweir.routing.conditions`)
the answer, or what is left to ask of the fields, is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from logweir.config.models import ClassifyRule
from logweir.event import Kind
from logweir.routing.conditions import Fields, compile_match
from logweir.routing.heads import Head, HeadCache

__all__ = ["ByHead", "Classifier", "Decision", "take_explicit"]


_KINDS: dict[Any, Kind] = {kind: kind for kind in Kind} | {kind.value: kind for kind in Kind}
_Key = tuple[str | None, str | None, str | None]
_NO_FIELDS: Fields = MappingProxyType({})


class ByHead(NamedTuple):
    """What is known about the kind of an event by its head.

    Attributes:
        asked: The fields that decide it, and those that they may be inside of; None if a function of the
            user's does, which may look at any.
        otherwise: The kind of an event that has none of them.
    """

    asked: frozenset[str] | None
    otherwise: Kind


class _Plan(NamedTuple):
    """What is left to ask of the fields when the head is known.

    Attributes:
        steps: In order, what to ask and what the answer would be.
        by_head: What is known without asking.
    """

    steps: tuple[tuple[Callable[[Fields], bool], Kind], ...]
    by_head: ByHead


@dataclass(frozen=True, slots=True)
class Decision:
    """How an event was classified.

    Attributes:
        kind: The answer.
        rule: The index of the rule of routing.yaml that decided, if one did.
        reason: In words.
    """

    kind: Kind
    rule: int | None
    reason: str


def take_explicit(fields: dict[str, Any]) -> Kind | None:
    """Remove what the caller said about the kind from the fields, and return it.

    ``persist_db`` is always removed; ``kind`` only when it is a kind, because it may be a field of the
    application's own. Audit is the side on which nothing is lost: it wins where they contradict each other,
    as when a chain has merged what was bound, and a ``persist_db`` without a truth value (an array) means it.
    """
    said: Kind | None = None
    if "persist_db" in fields:
        said = Kind.AUDIT if _truth(fields.pop("persist_db")) else Kind.TRACING
    if "kind" in fields:
        value = fields["kind"]
        # By the exact type: other values may refuse to be hashed, or claim to be equal to a kind.
        kind = _KINDS.get(value) if type(value) in (str, Kind) else None
        if kind is not None:
            del fields["kind"]
            return Kind.AUDIT if Kind.AUDIT in (said, kind) else kind
    return said


class Classifier:
    """Decides the kind of events by the rules of routing.yaml.

    Args:
        rules: The rules, in order.

    Raises:
        ValueError: A rule's ``call`` names no function.
    """

    def __init__(self, rules: Sequence[ClassifyRule]) -> None:
        self._rules = tuple((compile_match(rule.match), rule.kind) for rule in rules)
        uses = frozenset[str]().union(*(predicate.uses for predicate, _ in self._rules))
        self._by_level, self._by_name, self._by_logger = ("level" in uses, "name" in uses, "logger" in uses)
        self._plans: HeadCache[_Key, _Plan] = HeadCache()

    def classify(self, level: str, name: str, fields: Fields) -> Kind:
        """Return the kind of an event about which its caller said nothing."""
        if not self._rules:
            return Kind.TRACING
        plan = self._plan_of(level, name, _logger(fields) if self._by_logger else None)
        asked = plan.by_head.asked
        if asked is not None and asked.isdisjoint(fields):
            return plan.by_head.otherwise
        return _first_that_holds(plan.steps, fields)

    def by_head(self, level: str, name: str, logger: str | None) -> ByHead:
        """Return what is known about the kind of all events with this head, for whoever keeps it."""
        return self._plan_of(level, name, logger).by_head

    def explain(self, level: str, name: str, fields: dict[str, Any]) -> Decision:
        """Say how an event is classified, and why."""
        said = take_explicit(dict(fields))
        if said is not None:
            return Decision(said, None, "the event says so by kind or persist_db")
        head = Head(None, level, name, _logger(fields))
        for index, (predicate, kind) in enumerate(self._rules):
            if predicate.failure(head, fields) is None:
                return Decision(kind, index, f"rule {index + 1} of classify")
        return Decision(Kind.TRACING, None, "no rule of classify matches")

    def _plan_of(self, level: str, name: str, logger: str | None) -> _Plan:
        """Return what is left to ask when the head is known; worked out once for a head."""
        head = (
            level if self._by_level else None,
            name if self._by_name else None,
            logger if self._by_logger else None,
        )
        plan = self._plans.get(head)
        if plan is None:
            plan = self._reduced(Head(None, *head))
            self._plans.keep(head, plan)
        return plan

    def _reduced(self, head: Head) -> _Plan:
        steps: list[tuple[Callable[[Fields], bool], Kind]] = []
        asked: frozenset[str] | None = frozenset()
        for predicate, kind in self._rules:
            reduced = predicate.reduce(head)
            if reduced is False:
                continue
            if reduced is True:
                steps.append((_always, kind))
                break
            steps.append((reduced.holds, kind))
            asked = None if asked is None or reduced.asks is None else asked | reduced.asks
        otherwise = Kind.TRACING if asked is None else _first_that_holds(steps, _NO_FIELDS)
        return _Plan(tuple(steps), ByHead(asked, otherwise))


def _first_that_holds(steps: Sequence[tuple[Callable[[Fields], bool], Kind]], fields: Fields) -> Kind:
    for holds, kind in steps:
        if holds(fields):
            return kind
    return Kind.TRACING


def _logger(fields: Fields) -> str | None:
    value = fields.get("logger")
    return value if type(value) is str else None


def _truth(value: Any) -> bool:
    try:
        return bool(value)
    except Exception:  # noqa: BLE001 - whatever a caller passes, the log call goes on
        return True


def _always(_fields: Fields) -> bool:
    return True
