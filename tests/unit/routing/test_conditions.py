"""The match language: what it means, and that deciding ahead of time never changes an answer."""

import dataclasses
import fnmatch
import logging
import re
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logweir.config.models import MatchConfig
from logweir.diagnostics import RateLimiter
from logweir.event import LEVELS
from logweir.routing.conditions import Fields, compile_match
from logweir.routing.heads import Head

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
        ({"field": {"name": "tags", "in": ["x"]}}, True),
        ({"field": {"name": "user", "glob": "a*"}}, True),
        ({"field": {"name": "count", "regex": "^3$"}}, True),
        ({"field": {"name": "absent", "regex": ""}}, False),
        ({"field": {"name": "order.currency", "equals": "EUR"}}, True),
        ({"field": {"name": "dotted.key", "equals": 1}}, True),
        ({"field": [{"name": "user", "equals": "ann"}, {"name": "count", "equals": 4}]}, False),
        ({"any": [{"kind": "audit"}, {"field": {"name": "count", "equals": 3}}]}, True),
        (
            {"any": [{"field": {"name": "count", "equals": 4}}, {"field": {"name": "count", "equals": 3}}]},
            True,
        ),
        (
            {"any": [{"field": {"name": "count", "equals": 4}}, {"field": {"name": "count", "equals": 5}}]},
            False,
        ),
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


def test_a_level_without_a_name_of_ours_counts_as_info() -> None:
    head = HEAD._replace(level="notice")
    assert holds({"level": "info"}, head, {})
    assert not holds({"level": ">=warning"}, head, {})


# -- values, compared as they are stored ---------------------------------------------------------------


class Role(StrEnum):
    ADMIN = "admin"


class Status(Enum):
    FAILED = "failed"


class Text(str):  # noqa: SLOT000 - as careless as those
    """As templating and database libraries have them."""


@dataclasses.dataclass
class Order:
    currency: str
    items: tuple[int, ...] = (1, 2)


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        ({"in": ["admin", "root"]}, Role.ADMIN, True),
        ({"in": ["admin", 1]}, Role.ADMIN, True),
        ({"equals": "admin"}, Role.ADMIN, True),
        ({"glob": "adm*"}, Role.ADMIN, True),
        ({"in": ["failed"]}, Status.FAILED, True),
        ({"regex": "^fail"}, Status.FAILED, True),
        ({"in": ["admin"]}, Text("admin"), True),
        ({"equals": "12.5"}, Decimal("12.5"), True),
        ({"equals": 12.5}, Decimal("12.5"), False),
        ({"equals": "NaN"}, float("nan"), True),
        ({"equals": "18446744073709551616"}, 2**64, True),
        ({"glob": "abc"}, b"abc", True),
        ({"equals": "2026-11-24"}, date(2026, 11, 24), True),
        ({"equals": date(2026, 11, 24)}, "2026-11-24", True),  # as YAML reads it without quotes
        ({"in": [date(2026, 11, 24)]}, "2026-11-24", True),
        ({"equals": [1, 2]}, (1, 2), True),
        ({"equals": [1, 2]}, [1, 2, 3], False),
        ({"equals": [1]}, [True], False),
        ({"equals": {"a": [1]}}, {"a": [1.0]}, True),
        ({"equals": {"a": 1}}, {"a": True}, False),
        ({"equals": {"a": 1}}, {"b": 1}, False),
        ({"equals": {"currency": "EUR", "items": [1, 2]}}, Order("EUR"), True),
        ({"equals": 1}, [1], True),
        ({"equals": 1}, [[1]], False),
    ],
)
def test_a_value_is_compared_as_it_is_stored(condition: dict[str, Any], value: Any, expected: bool) -> None:
    assert holds({"field": {"name": "v", **condition}}, HEAD, {"v": value}) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"name": "tags", "equals": "a"}, True),
        ({"name": "tags", "equals": "c"}, False),
        ({"name": "tags", "equals": ["a", "b"]}, True),
        ({"name": "tags", "in": ["x", "b"]}, True),
        ({"name": "tags", "in": [["a", "b"]]}, True),
        ({"name": "tags.0", "equals": "a"}, True),
        ({"name": "tags.1", "equals": "a"}, False),
        ({"name": "tags.2", "exists": True}, False),
        ({"name": "tags.-1", "exists": True}, False),
        ({"name": "pair", "equals": 2}, True),
        ({"name": "pair", "equals": True}, False),
        ({"name": "pair.1", "equals": 2}, True),
        ({"name": "items.0.skus.1", "equals": "y"}, True),
    ],
)
def test_f8_items_of_lists_are_within_reach_by_the_list_and_by_their_place(
    condition: dict[str, Any], expected: bool
) -> None:
    fields = {"tags": ["a", "b"], "pair": (3, 2), "items": [{"skus": ("x", "y")}]}
    assert holds({"field": condition}, HEAD, fields) is expected


def test_dots_reach_into_what_is_stored_as_an_object() -> None:
    match = {"field": {"name": "order.currency", "equals": "EUR"}}
    assert holds(match, HEAD, {"order": Order("EUR")})
    assert not holds(match, HEAD, {"order": Order("USD")})
    assert not holds(match, HEAD, {"order": "EUR"})


class Hostile:
    """Raises at whatever it is asked."""

    __hash__ = None  # type: ignore[assignment]

    def _refuse(self, *_: object) -> Any:
        raise RuntimeError("no")

    __str__ = __repr__ = __eq__ = __bool__ = __len__ = _refuse  # type: ignore[assignment]


class Ambiguous:
    """Compares like an array: the answer is neither true nor false."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> Any:
        return self

    def __bool__(self) -> bool:
        raise ValueError("the truth value of an array is ambiguous")


cyclic: list[Any] = []
cyclic.append(cyclic)


@pytest.mark.parametrize(
    "value",
    [Hostile(), [Hostile()], {"a": Hostile()}, Ambiguous(), Decimal("sNaN"), 10**5000, cyclic],
    ids=["hostile", "in a list", "in a dict", "like an array", "signalling NaN", "huge", "cyclic"],
)
@pytest.mark.parametrize(
    "condition",
    [
        {"equals": "x"},
        {"equals": [["x"]]},
        {"equals": {"a": 1}},
        {"in": ["x"]},
        {"in": [1, "x"]},
        {"glob": "x"},
        {"regex": "^x$"},
        {"exists": False},
    ],
    ids=str,
)
def test_no_value_makes_a_condition_raise(condition: dict[str, Any], value: Any) -> None:
    match = {"field": {"name": "v", **condition}}
    fields = {"v": value}
    assert not holds(match, HEAD, fields)
    assert compile_match(MatchConfig.model_validate(match)).failure(HEAD, fields)


# -- functions -----------------------------------------------------------------------------------------


def call(function: Callable[[Fields], Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A match that asks a function."""
    module = type(sys)("rules_of_the_application")
    module.function = function  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return {"call": f"{module.__name__}:function"}


def test_a_function_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    match = call(lambda fields: fields["role"] == "admin", monkeypatch)
    assert holds(match, HEAD, {"role": "admin"})
    assert not holds(match, HEAD, {"role": "guest"})


def test_a_function_that_raises_does_not_match_and_is_reported_without_what_it_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def raises(fields: Fields) -> bool:
        raise LookupError(f"no user with the password {fields['password']}")

    match = call(raises, monkeypatch)
    monkeypatch.setattr("logweir.diagnostics._limiter", RateLimiter())
    with caplog.at_level(logging.WARNING, "logweir"):
        for _ in range(5):
            assert not holds(match, HEAD, {"password": "hunter2"})
    (record,) = caplog.records
    assert record.getMessage() == (
        "rules_of_the_application:function raised LookupError and counts as no match"
    )


def test_a_function_whose_answer_has_no_truth_does_not_match(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not holds(call(lambda fields: Hostile(), monkeypatch), HEAD, {})


def test_a_function_cannot_change_the_event(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"a": 1}
    assert not holds(call(lambda fields: fields.pop("a"), monkeypatch), HEAD, fields)  # type: ignore[attr-defined]
    assert fields == {"a": 1}


def test_a_function_that_logs_is_not_asked_about_its_own_events(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Fields] = []

    def logs(fields: Fields) -> bool:
        asked.append(fields)
        return not predicate.holds({"logged": "by the function"})

    predicate = compile_match(MatchConfig.model_validate(call(logs, monkeypatch)))
    assert predicate.holds({"logged": "by the application"})
    assert [dict(fields) for fields in asked] == [{"logged": "by the application"}]
    assert predicate.holds({"logged": "once more"})


def test_an_async_function_is_refused_because_its_answer_would_always_be_true(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def function(fields: Fields) -> bool:
        return False

    with pytest.raises(ValueError, match="async"):
        MatchConfig.model_validate(call(function, monkeypatch))


# -- in parts and in words -----------------------------------------------------------------------------


def test_only_the_parts_of_the_head_that_are_asked_for_are_used() -> None:
    assert (
        compile_match(MatchConfig.model_validate({"field": {"name": "a", "equals": 1}})).uses == frozenset()
    )
    uses = compile_match(
        MatchConfig.model_validate({"not": {"any": [{"event": "a"}, {"level": "info"}]}})
    ).uses
    assert uses == {"name", "level"}


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ({"level": ">=error"}, "level info is not >=error"),
        ({"event": ["fund.*", "a"]}, "event order.placed is not fund.* or a"),
        ({"field": {"name": "v", "regex": "^x"}}, "field v is 'guest', not a match of /^x/"),
        ({"field": {"name": "w", "equals": 1}}, "field w is absent, not 1"),
        ({"field": {"name": "v", "exists": False}}, "field v is 'guest', not absent"),
        ({"any": [{"kind": "audit"}, {"level": "debug"}]}, "none of: kind tracing is not audit; level info is not debug"),
        ({"not": {"event": "order.*"}}, "event is order.*, which `not` refuses"),
        ({"not": {"not": {"kind": "audit"}}}, "not (kind is audit), which `not` refuses"),
        (
            {"not": {"kind": "tracing", "any": [{"field": {"name": "v", "in": ["guest"]}}, {"level": "debug"}]}},
            "kind is tracing and (field v is in ['guest'] or level is debug), which `not` refuses",
        ),
        ({"not": {}}, "anything, which `not` refuses"),
    ],
)  # fmt: skip
def test_a_failure_names_the_condition_that_decided(match: dict[str, Any], words: str) -> None:
    assert compile_match(MatchConfig.model_validate(match)).failure(HEAD, {"v": "guest"}) == words


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
@settings(max_examples=200, deadline=None)
def test_the_compiled_form_answers_like_a_word_by_word_reading(
    match: dict[str, Any], head: Head, fields: dict[str, Any]
) -> None:
    assert holds(match, head, fields) == naive(match, head, fields)


@given(match=matches, head=heads, fields=events)
@settings(max_examples=120, deadline=None)
def test_a_failure_is_explained_exactly_when_there_is_one(
    match: dict[str, Any], head: Head, fields: dict[str, Any]
) -> None:
    predicate = compile_match(MatchConfig.model_validate(match))
    assert (predicate.failure(head, fields) is None) == holds(match, head, fields)
