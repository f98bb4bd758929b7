"""The match language: what it means, and that deciding ahead of time never changes an answer."""

import fnmatch
import logging
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logweir.config.models import MatchConfig
from logweir.event import LEVELS
from logweir.matching import Head, compile_match

_ABSENT = object()


def holds(config: MatchConfig | dict[str, Any], head: Head, fields: dict[str, Any]) -> bool:
    """The answer of the compiled form: reduced by the head, then asked about the fields."""
    predicate = compile_match(MatchConfig.model_validate(config))
    reduced = predicate.reduce(head)
    return reduced if isinstance(reduced, bool) else reduced.holds(fields)


HEAD = Head("tracing", "info", "order.placed", "shop.api")


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({}, True),
        ({"kind": "tracing"}, True),
        ({"kind": "audit"}, False),
        ({"level": "info"}, True),
        ({"level": ">=warning"}, False),
        ({"level": "<warning"}, True),
        ({"level": ["debug", "info"]}, True),
        ({"event": "order.*"}, True),
        ({"event": ["fund.*", "order.?laced"]}, True),
        ({"event": "ORDER.*"}, False),
        ({"logger": "shop.*"}, True),
        ({"logger": "shop"}, False),
        ({"field": {"name": "user", "exists": True}}, True),
        ({"field": {"name": "user", "exists": False}}, False),
        ({"field": {"name": "absent", "exists": False}}, True),
        ({"field": {"name": "count", "equals": 3}}, True),
        ({"field": {"name": "count", "equals": 3.0}}, True),
        ({"field": {"name": "count", "equals": True}}, False),
        ({"field": {"name": "nothing", "equals": None}}, True),
        ({"field": {"name": "absent", "equals": None}}, False),
        ({"field": {"name": "user", "in": ["ann", "bob"]}}, True),
        ({"field": {"name": "count", "in": [1, "3"]}}, False),
        ({"field": {"name": "tags", "in": ["x"]}}, False),
        ({"field": {"name": "user", "glob": "a*"}}, True),
        ({"field": {"name": "count", "regex": "^3$"}}, True),
        ({"field": {"name": "absent", "regex": ""}}, False),
        ({"field": {"name": "order.currency", "equals": "EUR"}}, True),
        ({"field": {"name": "dotted.key", "equals": 1}}, True),
        ({"field": [{"name": "user", "equals": "ann"}, {"name": "count", "equals": 4}]}, False),
        ({"any": [{"kind": "audit"}, {"field": {"name": "count", "equals": 3}}]}, True),
        ({"all": [{"kind": "tracing"}, {"field": {"name": "count", "equals": 4}}]}, False),
        ({"not": {"field": {"name": "count", "equals": 3}}}, False),
        ({"not": {"kind": "audit"}}, True),
        ({"kind": "tracing", "field": {"name": "count", "equals": 3}, "not": {"level": "error"}}, True),
    ],
)
def test_what_a_match_means(match: dict[str, Any], expected: bool) -> None:
    fields = {
        "user": "ann",
        "count": 3,
        "nothing": None,
        "tags": ["x"],
        "order": {"currency": "EUR"},
        "dotted.key": 1,
    }
    assert holds(match, HEAD, fields) is expected


def test_an_event_without_a_logger_matches_no_logger_glob() -> None:
    assert not holds({"logger": "*"}, HEAD._replace(logger=None), {})


def is_admin(fields: dict[str, Any]) -> bool:
    return fields["role"] == "admin"


def test_a_function_decides_and_one_that_raises_does_not_match(caplog: pytest.LogCaptureFixture) -> None:
    path = f"{__name__}:is_admin"
    import sys

    sys.modules[__name__] = sys.modules.get(__name__) or type(sys)(__name__)
    sys.modules[__name__].is_admin = is_admin  # type: ignore[attr-defined]
    assert holds({"call": path}, HEAD, {"role": "admin"})
    with caplog.at_level(logging.WARNING, "logweir"):
        assert not holds({"call": path}, HEAD, {})


def test_only_the_parts_of_the_head_that_are_asked_for_are_used() -> None:
    assert (
        compile_match(MatchConfig.model_validate({"field": {"name": "a", "equals": 1}})).uses == frozenset()
    )
    uses = compile_match(
        MatchConfig.model_validate({"not": {"any": [{"event": "a"}, {"level": "info"}]}})
    ).uses
    assert uses == {"name", "level"}


# -- against an interpreter that knows no tricks -------------------------------------------------------

names = st.sampled_from(["a", "b", "c.d"])
values = st.sampled_from([None, True, False, 0, 1, 1.0, "x", "xy", "1", [1], {"d": "x"}])
field_matches = st.fixed_dictionaries(
    {"name": names},
    optional={
        "equals": values,
        "in": st.lists(values, max_size=3),
        "glob": st.sampled_from(["x*", "?", "*"]),
        "regex": st.sampled_from(["x", "^1", "$"]),
        "exists": st.booleans(),
    },
).filter(lambda match: len(match) > 1)
simple = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["audit", "tracing"]),
        "level": st.sampled_from([*LEVELS, ">=warning", "<error", "<=info", ">info"]),
        "event": st.sampled_from(["a.*", "*.b", "a.b"]),
        "logger": st.sampled_from(["l*", "m"]),
        "field": field_matches,
    },
)
matches = st.recursive(
    simple,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "any": st.lists(inner, min_size=1, max_size=3),
            "all": st.lists(inner, min_size=1, max_size=3),
            "not": inner,
            "level": st.sampled_from(["info", ">=error"]),
        },
    ),
    max_leaves=6,
)
heads = st.builds(
    Head,
    st.sampled_from(["audit", "tracing"]),
    st.sampled_from(list(LEVELS)),
    st.sampled_from(["a.b", "a.c", "x.b"]),
    st.sampled_from([None, "lx", "m"]),
)
events = st.dictionaries(st.sampled_from(["a", "b", "c", "c.d"]), values, max_size=4)


def naive(match: dict[str, Any], head: Head, fields: dict[str, Any]) -> bool:
    """The match language, read word by word."""
    answers = [True]
    if "kind" in match:
        answers.append(head.kind == match["kind"])
    if "level" in match:
        order = list(LEVELS)
        found = re.fullmatch(r"([<>=]*)(\w+)", match["level"])
        assert found
        ours, theirs = order.index(str(head.level)), order.index(found[2])
        answers.append(eval(f"{ours} {found[1] or '=='} {theirs}"))
    if "event" in match:
        answers.append(fnmatch.fnmatchcase(str(head.name), match["event"]))
    if "logger" in match:
        answers.append(head.logger is not None and fnmatch.fnmatchcase(head.logger, match["logger"]))
    if "field" in match:
        answers.append(naive_field(match["field"], fields))
    if "any" in match:
        answers.append(any(naive(part, head, fields) for part in match["any"]))
    if "all" in match:
        answers.append(all(naive(part, head, fields) for part in match["all"]))
    if "not" in match:
        answers.append(not naive(match["not"], head, fields))
    return all(answers)


def naive_field(match: dict[str, Any], fields: dict[str, Any]) -> bool:
    name = match["name"]
    value: Any = fields.get(name, _ABSENT)
    if value is _ABSENT and "." in name:
        outer, inner = name.split(".")
        holder = fields.get(outer)
        value = holder.get(inner, _ABSENT) if isinstance(holder, dict) else _ABSENT

    def same(expected: Any) -> bool:
        return (type(value) is type(expected) and value == expected) or (
            {type(value), type(expected)} == {int, float} and value == expected
        )

    answers = []
    if "exists" in match:
        answers.append((value is not _ABSENT) == match["exists"])
    if "equals" in match:
        answers.append(same(match["equals"]))
    if "in" in match:
        answers.append(any(same(choice) for choice in match["in"]))
    if "glob" in match:
        answers.append(value is not _ABSENT and fnmatch.fnmatchcase(str(value), match["glob"]))
    if "regex" in match:
        answers.append(value is not _ABSENT and bool(re.search(match["regex"], str(value))))
    return all(answers)


@given(match=matches, head=heads, fields=events)
@settings(max_examples=500, deadline=None)
def test_the_compiled_form_answers_like_a_word_by_word_reading(
    match: dict[str, Any], head: Head, fields: dict[str, Any]
) -> None:
    assert holds(match, head, fields) == naive(match, head, fields)


@given(match=matches, head=heads, fields=events)
@settings(max_examples=300, deadline=None)
def test_a_failure_is_explained_exactly_when_there_is_one(
    match: dict[str, Any], head: Head, fields: dict[str, Any]
) -> None:
    predicate = compile_match(MatchConfig.model_validate(match))
    assert (predicate.failure(head, fields) is None) == holds(match, head, fields)
