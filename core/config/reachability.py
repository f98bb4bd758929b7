"""Which events a route can still get: what covers what, decided on the conditions alone. Pure.

The answers are cautious. A route *is covered* only where that is certain: every event that it matches is
taken by routes above it which do not continue. What is hard to say (two regular expressions, two
functions) counts as not covered.

A match is first cut by kind and level, so that routes which together take both kinds, or all levels, are
seen to cover what none of them covers alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from logweir.config.levels import levels_meant
from logweir.config.models import FieldMatch, MatchConfig, RouteConfig
from logweir.event import LEVELS, Kind

__all__ = ["covering", "may_take"]

_MAGIC = frozenset("*?[")


class _Cell(NamedTuple):
    """Events of one kind and one level."""

    kind: Kind
    level: str


def covering(earlier: Sequence[RouteConfig], match: MatchConfig) -> list[RouteConfig]:
    """Return the earlier routes which together take everything that ``match`` takes; none if some is left."""
    needed: dict[str, RouteConfig] = {}
    for cell in _cells(match):
        # One route must take the whole cell: two that share it might leave a gap that conditions do not show.
        route = next(
            (route for route in earlier if not route.continue_ and _covers(route.match, match, cell)), None
        )
        if route is None:
            return []
        needed[route.name] = route
    return list(needed.values())


def may_take(routes: Sequence[RouteConfig], index: int, kind: Kind) -> bool:
    """Whether events of a kind can reach a route and match it."""
    match = routes[index].match
    # Narrowed to the kind, since earlier routes need to cover that part only.
    alone = match.model_copy(update={"kind": kind})
    return match.kind in (None, kind) and not covering(routes[:index], alone) and any(_cells(alone))


def _cells(match: MatchConfig) -> Iterator[_Cell]:
    """The kinds and levels that a match may take."""
    for kind in Kind:
        for level in LEVELS:
            cell = _Cell(kind, level)
            if _may_hold(match, cell):
                yield cell


def _may_hold(match: MatchConfig, cell: _Cell) -> bool:
    """Whether an event of this cell may match; True where that depends on more than the cell."""
    # Errs towards True. Under `not` that turns round, so a part is excluded only where all of the cell is
    # certain to match it: MatchConfig() stands for "every event".
    return (
        match.kind in (None, cell.kind)
        and (match.level is None or cell.level in _levels(match.level))
        and all(_may_hold(part, cell) for part in match.all or ())
        and (match.any is None or any(_may_hold(part, cell) for part in match.any))
        and (match.not_ is None or not _covers(match.not_, MatchConfig(), cell))
    )


def _covers(wide: MatchConfig, narrow: MatchConfig, cell: _Cell) -> bool:
    """Whether ``wide`` takes every event of the cell that ``narrow`` takes; False where it is hard to say."""
    # Kind and level are settled by the cell. Each remaining condition of `wide` must follow from some part
    # of what `narrow` asks for together.
    return (
        wide.kind in (None, cell.kind)
        and (wide.level is None or cell.level in _levels(wide.level))
        and all(
            any(_implies(condition, narrower, cell) for narrower in _conjunction(narrow))
            for condition in _conditions(wide)
        )
    )


def _conjunction(match: MatchConfig) -> list[MatchConfig]:
    """A match and all that it asks for by ``all``, as one list of matches which must all hold."""
    return [match, *(inner for part in match.all or () for inner in _conjunction(part))]


def _conditions(match: MatchConfig) -> list[MatchConfig]:
    """The conditions of a match one by one, kind and level aside."""
    # model_construct, because these are parts of what was validated, and a part need not be valid alone.
    conditions = [
        MatchConfig.model_construct(_fields_set={name}, **{name: value})
        for name in ("event", "logger", "call", "any", "not_")
        if (value := getattr(match, name)) is not None
    ]
    conditions += [
        MatchConfig.model_construct(_fields_set={"field"}, field=[item]) for item in match.field or ()
    ]
    conditions += [MatchConfig.model_construct(_fields_set={"all"}, all=[part]) for part in match.all or ()]
    return conditions


def _implies(condition: MatchConfig, narrow: MatchConfig, cell: _Cell) -> bool:
    """Whether ``narrow`` has a condition, or several, that make ``condition`` hold."""
    # Every event has a name, so `*` holds always; a logger may be missing, and then no glob matches it.
    if condition.event is not None:
        return _globs_cover(condition.event, narrow.event) or "*" in condition.event
    if condition.logger is not None:
        return _globs_cover(condition.logger, narrow.logger)
    if condition.call is not None:
        return condition.call == narrow.call
    if condition.field is not None:
        return any(_field_covers(condition.field[0], item) for item in narrow.field or ())
    if condition.all is not None:
        return _covers(condition.all[0], narrow, cell)
    if condition.any is not None:
        return _any_covers(condition.any, narrow, cell)
    assert condition.not_ is not None  # noqa: S101 - no other condition is left
    return _not_covers(condition.not_, narrow, cell)


def _any_covers(choices: Sequence[MatchConfig], narrow: MatchConfig, cell: _Cell) -> bool:
    if any(_covers(choice, narrow, cell) for choice in choices):
        return True
    # Otherwise case by case: whatever alternative of `narrow` holds, some choice must take it.
    possible = [part for part in narrow.any or () if _may_hold(part, cell)]
    return bool(possible) and all(any(_covers(choice, part, cell) for choice in choices) for part in possible)


def _not_covers(refused: MatchConfig, narrow: MatchConfig, cell: _Cell) -> bool:
    # Contraposition: not A follows from not B where A implies B.
    return not _may_hold(refused, cell) or (narrow.not_ is not None and _covers(narrow.not_, refused, cell))


def _globs_cover(wide: Sequence[str], narrow: Sequence[str] | None) -> bool:
    return narrow is not None and all(any(_glob_covers(glob, other) for glob in wide) for other in narrow)


def _glob_covers(wide: str, narrow: str) -> bool:
    """Whether every text that ``narrow`` matches is matched by ``wide``."""
    if wide == narrow:
        return True
    if not _MAGIC & set(narrow):
        return fnmatchcase(narrow, wide)
    # Beyond equal globs and plain names only `prefix*` is decided; language inclusion is not worth its code.
    prefix = wide.removesuffix("*")
    return wide.endswith("*") and not _MAGIC & set(prefix) and narrow.startswith(prefix)


def _field_covers(wide: FieldMatch, narrow: FieldMatch) -> bool:
    """Whether every event for which ``narrow`` holds is one for which ``wide`` holds."""
    if wide.name != narrow.name:
        return False
    # What was written counts, not what is None: `equals: null` is a condition too.
    given = wide.model_fields_set - {"name"}
    return all(_condition_covers(wide, narrow, condition) for condition in given)


def _condition_covers(wide: FieldMatch, narrow: FieldMatch, condition: str) -> bool:
    if condition in narrow.model_fields_set and getattr(wide, condition) == getattr(narrow, condition):
        return True
    if condition == "in_" and wide.in_ is not None:
        choices = [narrow.equals] if "equals" in narrow.model_fields_set else narrow.in_
        return choices is not None and all(_is_among(choice, wide.in_) for choice in choices)
    # Every condition on a value, other than `exists: false`, needs the field to be there.
    return (
        condition == "exists" and wide.exists is True and bool(narrow.model_fields_set - {"name", "exists"})
    )


def _is_among(value: object, choices: Sequence[object]) -> bool:
    # Types are compared too: in Python True == 1 == 1.0, in a configuration they are three things.
    return any(type(value) is type(choice) and value == choice for choice in choices)


def _levels(wanted: Sequence[str]) -> frozenset[str]:
    """The level names that a ``level`` of routing.yaml stands for."""
    return frozenset[str]().union(*map(levels_meant, wanted))
