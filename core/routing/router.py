"""Routing: which sinks receive an event, and why.

Routes are tried in order; the first that matches wins, unless it says ``continue``. They are compiled
once, and for each head (see :mod:`logweir.routing.conditions`) the answer is kept: where no route asks for
fields or samples, routing an event is one dictionary look-up that returns a ready tuple.

``sample`` is decided by the trace id (or the event id where there is none), so that a trace is kept or
left out as a whole, in every process alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar
from zlib import crc32

from logweir.config.models import RouteConfig
from logweir.event import Event
from logweir.routing.conditions import Conceals, Predicate, compile_match, conceals_nothing
from logweir.routing.heads import Head, HeadCache

__all__ = ["SAMPLED", "UNROUTED", "Explanation", "Router", "Step"]

T = TypeVar("T")
_Key = tuple[str | None, str | None, str | None, str | None]


class _Empty(tuple[Any, ...]):
    """An empty answer that is distinguished from others by identity."""

    # A class of its own, because the interpreter has only one empty tuple.

    __slots__ = ()


#: The answer for an event that no route takes.
UNROUTED: tuple[Any, ...] = _Empty()
#: The answer for an event that a route took and its ``sample`` left out.
SAMPLED: tuple[Any, ...] = _Empty()


@dataclass(frozen=True, slots=True)
class Step:
    """What one route had to say about an event.

    Attributes:
        route: Its name.
        verdict: ``matched``, ``not matched``, ``sampled out`` or ``not reached``.
        reason: The condition that decided, in words.
        sinks: Where the route sends the event.
    """

    route: str
    verdict: str
    reason: str
    sinks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an event goes where it goes.

    Attributes:
        steps: One for each route, in order.
        sinks: The sinks that receive the event.
    """

    steps: tuple[Step, ...]
    sinks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Route(Generic[T]):
    """A compiled route; in a plan, ``condition`` is what is left to ask of the fields."""

    name: str
    condition: Predicate | None
    targets: tuple[T, ...]
    goes_on: bool
    sample: float

    @property
    def is_certain(self) -> bool:
        return self.condition is None and self.sample >= 1.0


class Router(Generic[T]):
    """Finds the targets of events.

    Args:
        routes: The routes of routing.yaml, in order.
        targets: What to answer for each sink name; several routes to one sink answer it once.
        conceals: Of which conditions an explanation does not say what they compare a field with.

    Raises:
        ValueError: A route's ``call`` names no function.
    """

    def __init__(
        self,
        routes: Sequence[RouteConfig],
        targets: Mapping[str, T],
        conceals: Conceals = conceals_nothing,
    ) -> None:
        self._configs = tuple(routes)
        self._conditions = tuple(compile_match(route.match, conceals) for route in routes)
        self._routes: tuple[_Route[T], ...] = tuple(
            _Route(
                route.name,
                condition,
                tuple(targets[name] for name in dict.fromkeys(route.to)),
                route.continue_,
                route.sample,
            )
            for route, condition in zip(routes, self._conditions, strict=True)
        )
        uses = frozenset[str]().union(*(condition.uses for condition in self._conditions))
        self._by_level, self._by_name, self._by_logger = ("level" in uses, "name" in uses, "logger" in uses)
        self._answers: dict[_Key, tuple[T, ...]] = {}
        # In this order: a plan that another thread adds meanwhile must not outlive its answer.
        self._plans: HeadCache[_Key, tuple[_Route[T], ...]] = HeadCache(before_clearing=self._answers.clear)

    def route(self, event: Event) -> tuple[T, ...]:
        """Return the targets of an event; ``UNROUTED`` or ``SAMPLED`` when there are none."""
        # A plain tuple, made in place: a call to make it would cost as much as the look-up.
        head = (
            event.kind,
            event.level if self._by_level else None,
            event.name if self._by_name else None,
            _logger(event) if self._by_logger else None,
        )
        answer = self._answers.get(head)
        return answer if answer is not None else self._route_by_fields(head, event)

    def explain(self, event: Event) -> Explanation:
        """Say which routes an event takes, and why."""
        head = Head(event.kind, event.level, event.name, _logger(event))
        steps: list[Step] = []
        sinks: dict[str, None] = {}
        open_ = True
        for config, condition in zip(self._configs, self._conditions, strict=True):
            step = _step(config, condition, head, event) if open_ else _not_reached(config)
            steps.append(step)
            if step.verdict == "matched":
                sinks.update(dict.fromkeys(config.to))
            if step.verdict in {"matched", "sampled out"} and not config.continue_:
                open_ = False
        return Explanation(tuple(steps), tuple(sinks))

    def _route_by_fields(self, head: _Key, event: Event) -> tuple[T, ...]:
        plan = self._plans.get(head)
        if plan is None:
            plan = self._plan(head)
        chosen: list[tuple[T, ...]] = []
        sampled = False
        for route in plan:
            if route.condition is not None and not route.condition.holds(event.fields):
                continue
            if route.sample >= 1.0 or _is_kept(event, route.sample):
                chosen.append(route.targets)
            else:
                sampled = True
            if not route.goes_on:
                break
        return _union(chosen) or (SAMPLED if sampled else UNROUTED)

    def _plan(self, head: _Key) -> tuple[_Route[T], ...]:
        """Work out the routes that an event with this head may take; keep the answer if it is certain."""
        plan = self._reduced(Head(*head))
        if self._plans.keep(head, plan) and all(route.is_certain for route in plan):
            self._answers[head] = _union([route.targets for route in plan]) or UNROUTED
        return plan

    def _reduced(self, head: Head) -> tuple[_Route[T], ...]:
        plan: list[_Route[T]] = []
        for route in self._routes:
            assert route.condition is not None  # noqa: S101 - it is only missing in plans
            reduced = route.condition.reduce(head)
            if reduced is False:
                continue
            left = None if reduced is True else reduced
            plan.append(replace(route, condition=left))
            if left is None and not route.goes_on:
                break
        return tuple(plan)


def _union(targets: Sequence[tuple[T, ...]]) -> tuple[T, ...]:
    """Join tuples of targets, each target once, in order."""
    if len(targets) == 1:  # the very tuple of the route: nothing is made
        return targets[0]
    unique: list[T] = []
    for group in targets:
        unique.extend(target for target in group if not any(target is known for known in unique))
    return tuple(unique)


def _logger(event: Event) -> str | None:
    value = event.fields.get("logger")
    return value if type(value) is str else None


def _is_kept(event: Event, share: float) -> bool:
    # A checksum, for `hash` of a text differs from process to process.
    return crc32((event.trace_id or event.id).encode("utf-8", "replace")) < share * 2**32


def _step(config: RouteConfig, condition: Predicate, head: Head, event: Event) -> Step:
    sinks = tuple(config.to)
    failure = condition.failure(head, event.fields)
    if failure is not None:
        return Step(config.name, "not matched", failure, sinks)
    if config.sample < 1.0 and not _is_kept(event, config.sample):
        return Step(
            config.name, "sampled out", f"sample keeps {config.sample:g} of the traces, not this one", sinks
        )
    goes_on = ", and later routes may take it too" if config.continue_ else ""
    return Step(config.name, "matched", f"all its conditions hold{goes_on}", sinks)


def _not_reached(config: RouteConfig) -> Step:
    return Step(config.name, "not reached", "an earlier route took the event", tuple(config.to))
