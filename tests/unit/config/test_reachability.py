"""What covers what: never a false alarm, and the plain cases are seen."""

import time
from typing import Any

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from logweir.config.models import MatchConfig, RouteConfig
from logweir.config.reachability import covering, may_take
from logweir.event import LEVELS, Event, Kind
from logweir.routing.router import UNROUTED, Router


def route(name: str, match: dict[str, Any], **options: Any) -> RouteConfig:
    return RouteConfig.model_validate({"name": name, "match": match, "to": [name], **options})


def covers(wide: dict[str, Any], narrow: dict[str, Any]) -> bool:
    return bool(covering([route("wide", wide)], MatchConfig.model_validate(narrow)))


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ({}, {"kind": "audit"}),
        ({}, {}),
        ({"kind": "audit"}, {"kind": "audit", "level": "error"}),
        ({"level": ">=warning"}, {"level": ["error", "critical"]}),
        ({"level": ">=debug"}, {"kind": "audit"}),
        ({"event": "fund.*"}, {"event": "fund.refund"}),
        ({"event": "fund.*"}, {"event": ["fund.a.*", "fund.b"]}),
        ({"event": "*"}, {"logger": "a"}),
        ({"event": ["a", "b"]}, {"event": "b"}),
        ({"field": {"name": "a", "in": [1, 2]}}, {"field": {"name": "a", "equals": 1}}),
        ({"field": {"name": "a", "in": [1, 2]}}, {"field": {"name": "a", "in": [2]}}),
        ({"field": {"name": "a", "exists": True}}, {"field": {"name": "a", "glob": "x*"}}),
        (
            {"field": {"name": "a", "equals": 1}},
            {"field": [{"name": "b", "equals": 2}, {"name": "a", "equals": 1}]},
        ),
        ({"any": [{"event": "a"}, {"kind": "audit"}]}, {"kind": "audit"}),
        ({"any": [{"event": "a"}, {"event": "b"}]}, {"any": [{"event": "b"}, {"event": "a"}]}),
        ({"all": [{"event": "a.*"}, {"kind": "audit"}]}, {"event": "a.b", "kind": "audit"}),
        ({"event": "a"}, {"all": [{"event": "a"}, {"kind": "audit"}]}),
        ({"not": {"kind": "audit"}}, {"kind": "tracing"}),
        ({"not": {"event": "a.b"}}, {"not": {"event": "a.*"}}),
    ],
)
def test_the_same_or_weaker_conditions_cover(wide: dict[str, Any], narrow: dict[str, Any]) -> None:
    assert covers(wide, narrow)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ({"kind": "audit"}, {}),
        ({"level": "error"}, {"level": ">=error"}),
        ({"event": "fund.refund"}, {"event": "fund.*"}),
        ({"event": "fund.?"}, {"event": "fund.*"}),
        ({"event": "fund"}, {"event": "fund*"}),
        ({"logger": "*"}, {}),
        ({"field": {"name": "a", "equals": 1}}, {"field": {"name": "b", "equals": 1}}),
        ({"field": {"name": "a", "in": [True]}}, {"field": {"name": "a", "equals": 1}}),
        ({"field": {"name": "a", "exists": True}}, {"field": {"name": "a", "exists": False}}),
        ({"not": {"event": "a.*"}}, {"not": {"event": "a.b"}}),
        ({"all": [{"event": "a"}, {"logger": "b"}]}, {"event": "a"}),
    ],
)
def test_stronger_or_other_conditions_do_not_cover(wide: dict[str, Any], narrow: dict[str, Any]) -> None:
    assert not covers(wide, narrow)


def test_routes_cover_together_what_none_covers_alone() -> None:
    both = [route("audit", {"kind": "audit"}), route("rest", {"kind": "tracing"})]
    assert [found.name for found in covering(both, MatchConfig())] == ["audit", "rest"]
    levels = [route("low", {"level": "<error"}), route("high", {"level": ">=error"})]
    assert [found.name for found in covering(levels, MatchConfig())] == ["low", "high"]


def test_a_route_that_continues_covers_nothing() -> None:
    assert not covering([route("all", {}, **{"continue": True})], MatchConfig())


def test_a_catch_all_below_an_audit_route_takes_no_audit() -> None:
    routes = [route("audit", {"kind": "audit"}), route("all", {})]
    assert [may_take(routes, index, Kind.AUDIT) for index in (0, 1)] == [True, False]
    assert may_take(routes, 1, Kind.TRACING)
    assert may_take([route("all", {})], 0, Kind.AUDIT)
    assert not may_take([route("x", {"not": {"kind": "audit"}})], 0, Kind.AUDIT)


# -- against the router itself -------------------------------------------------------------------------

names = st.sampled_from(["a", "a.b", "a.c", "b"])
globs = st.sampled_from(["a", "a.*", "a.?", "*", "b", "[ab]", "a.b*"])
values = st.sampled_from([1, True, "a", "b", None])
field_matches = st.fixed_dictionaries(
    {"name": st.sampled_from(["x", "y"])},
    optional={
        "equals": values,
        "in": st.lists(values, min_size=1, max_size=2),
        "exists": st.booleans(),
        "glob": globs,
    },
).filter(lambda match: len(match) > 1)
levels = st.sampled_from([*LEVELS, ">=warning", "<error", ">info"]) | st.lists(
    st.sampled_from(list(LEVELS)), min_size=1
)


def conditions(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {},
        optional={
            "kind": st.sampled_from(["audit", "tracing"]),
            "level": levels,
            "event": globs | st.lists(globs, min_size=1, max_size=2),
            "logger": globs,
            "field": field_matches | st.lists(field_matches, min_size=1, max_size=2),
            "any": st.lists(inner, min_size=1, max_size=2),
            "all": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
        },
    )


matches = st.recursive(st.just({}), conditions, max_leaves=3)
events = st.builds(
    lambda kind, level, name, fields: Event(
        "id", time.time_ns(), kind, level, name, "s", "e", None, None, fields
    ),
    st.sampled_from(list(Kind)),
    st.sampled_from(list(LEVELS)),
    names,
    st.dictionaries(st.sampled_from(["x", "y", "logger"]), values, max_size=3),
)


@given(
    above=st.lists(matches, min_size=1, max_size=2),
    below=matches,
    happened=st.lists(events, min_size=1, max_size=8),
)
@settings(max_examples=60, deadline=None)
def test_what_is_covered_is_never_reached_by_an_event(
    above: list[dict[str, Any]], below: dict[str, Any], happened: list[Event]
) -> None:
    earlier = [route(f"r{index}", match) for index, match in enumerate(above)]
    last = route("last", below)
    assume(covering(earlier, last.match))
    event("covered")
    alone = Router([last], {"last": "last"})
    together = Router([*earlier, last], {name: name for name in ["r0", "r1", "last"]})
    for one in happened:
        if alone.route(one) is not UNROUTED:
            assert together.route(one) != ("last",)
