"""Audit or tracing: the first decision wins."""

import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logweir.config.models import ClassifyRule
from logweir.event import Kind
from logweir.routing.classifier import Classifier, take_explicit
from logweir.routing.heads import MOST_HEADS


def classifier(*rules: dict[str, Any]) -> Classifier:
    return Classifier([ClassifyRule.model_validate(rule) for rule in rules])


RULES = (
    {"kind": "tracing", "match": {"event": "fund.preview"}},
    {"kind": "audit", "match": {"event": ["fund.*", "permission.*"]}},
    {"kind": "tracing", "match": {"logger": "noise.*"}},
    {"kind": "audit", "match": {"field": {"name": "user_role", "in": ["admin", "root"]}}},
    {"kind": "audit", "match": {"level": "critical"}},
)


@pytest.mark.parametrize(
    ("level", "name", "fields", "kind"),
    [
        ("info", "order.placed", {}, Kind.TRACING),
        ("info", "fund.refund", {}, Kind.AUDIT),
        ("info", "fund.preview", {}, Kind.TRACING),
        ("info", "x", {"user_role": "admin"}, Kind.AUDIT),
        ("info", "x", {"user_role": "admin", "logger": "noise.a"}, Kind.TRACING),
        ("critical", "x", {"user_role": "guest"}, Kind.AUDIT),
        ("critical", "x", {"logger": 7}, Kind.AUDIT),
    ],
)
def test_the_first_rule_that_matches_decides(
    level: str, name: str, fields: dict[str, Any], kind: Kind
) -> None:
    rules = classifier(*RULES)
    for _ in range(2):  # the second time from the kept plan
        assert rules.classify(level, name, fields) is kind
    assert rules.explain(level, name, fields).kind is kind


def test_a_rule_on_fields_comes_before_a_later_one_that_the_name_decides() -> None:
    rules = classifier(
        {"kind": "tracing", "match": {"field": {"name": "dry_run", "equals": True}}},
        {"kind": "audit", "match": {"event": "fund.*"}},
    )
    for _ in range(2):
        assert rules.classify("info", "fund.refund", {"dry_run": True}) is Kind.TRACING
        assert rules.classify("info", "fund.refund", {"dry_run": False}) is Kind.AUDIT


def test_without_rules_everything_is_tracing() -> None:
    assert classifier().classify("critical", "fund.refund", {}) is Kind.TRACING


@pytest.mark.parametrize(
    ("fields", "said", "left"),
    [
        ({"a": 1}, None, {"a": 1}),
        ({"persist_db": True}, Kind.AUDIT, {}),
        ({"persist_db": False, "a": 1}, Kind.TRACING, {"a": 1}),
        ({"kind": "audit"}, Kind.AUDIT, {}),
        ({"kind": Kind.TRACING}, Kind.TRACING, {}),
        ({"kind": "tracing", "persist_db": True}, Kind.AUDIT, {}),
        ({"kind": "audit", "persist_db": False}, Kind.AUDIT, {}),
        ({"kind": "tracing", "persist_db": False}, Kind.TRACING, {}),
        ({"kind": "gift card"}, None, {"kind": "gift card"}),
        ({"kind": ["audit"]}, None, {"kind": ["audit"]}),
    ],
)
def test_what_the_caller_says_is_taken_out_of_the_fields(
    fields: dict[str, Any], said: Kind | None, left: dict[str, Any]
) -> None:
    assert take_explicit(fields) is said
    assert fields == left


class Undecided:
    """Like an array: neither true nor false."""

    def __bool__(self) -> bool:
        raise ValueError("the truth value of an array is ambiguous")


def test_what_has_no_truth_asks_for_audit_rather_than_break_the_call() -> None:
    fields: dict[str, Any] = {"persist_db": Undecided(), "a": 1}
    assert take_explicit(fields) is Kind.AUDIT
    assert fields == {"a": 1}


def test_the_rule_that_decided_is_named() -> None:
    assert classifier(*RULES).explain("info", "fund.refund", {}).rule == 1
    assert classifier(*RULES).explain("info", "x", {}).rule is None
    assert "says so" in classifier(*RULES).explain("info", "x", {"persist_db": True}).reason


def test_names_that_differ_with_every_call_do_not_fill_memory() -> None:
    rules = classifier(*RULES)
    for number in range(3 * MOST_HEADS):
        rules.classify("info", f"order {number}", {})
    assert len(rules._plans) <= MOST_HEADS


def test_long_names_are_not_kept() -> None:
    rules = classifier(*RULES)
    for name in ("fund." + "x" * 10_000, "y" * 10_000):
        for _ in range(2):
            assert rules.classify("info", name, {}) is (Kind.AUDIT if name[0] == "f" else Kind.TRACING)
    assert not rules._plans


def test_many_threads_classify_while_plans_are_forgotten() -> None:
    rules = classifier(*RULES)
    wrong: list[object] = []

    def work(seed: int) -> None:
        for number in range(1500):
            name = f"{'fund.' if (number + seed) % 2 else 'order.'}{seed}.{number}"
            role = "admin" if number % 3 else "guest"
            expected = Kind.AUDIT if name[0] == "f" or role == "admin" else Kind.TRACING
            if rules.classify("info", name, {"user_role": role}) is not expected:
                wrong.append((name, role))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_names_are_not_kept_when_no_rule_asks_for_them() -> None:
    rules = classifier({"kind": "audit", "match": {"level": "critical"}})
    for number in range(100):
        rules.classify("info", f"order {number}", {})
    assert len(rules._plans) == 1


@given(
    st.lists(st.sampled_from(RULES), max_size=5),
    st.lists(
        st.tuples(
            st.sampled_from(["info", "critical"]),
            st.sampled_from(["fund.preview", "fund.x", "y"]),
            st.dictionaries(
                st.sampled_from(["user_role", "logger"]), st.sampled_from(["admin", "noise.a", 1])
            ),
        ),
        max_size=20,
    ),
)
@settings(deadline=None)
def test_keeping_plans_never_changes_an_answer(
    rules: list[dict[str, Any]], calls: list[tuple[str, str, dict[str, Any]]]
) -> None:
    kept = classifier(*rules)
    for level, name, fields in calls:
        assert kept.classify(level, name, fields) is classifier(*rules).classify(level, name, fields)
        assert kept.classify(level, name, fields) is kept.explain(level, name, fields).kind


@pytest.mark.parametrize(
    ("match", "fields", "kind"),
    [
        ({"field": {"name": "a.b", "equals": 1}}, {"a": {"b": 1}}, Kind.AUDIT),
        ({"field": {"name": "a.b", "equals": 1}}, {"a.b": 1}, Kind.AUDIT),
        ({"field": {"name": "a.b.c", "equals": 1}}, {"a": {"b": {"c": 1}}}, Kind.AUDIT),
        ({"field": {"name": "a", "exists": False}}, {"b": 1}, Kind.AUDIT),
        ({"field": {"name": "a", "exists": False}}, {"a": 1}, Kind.TRACING),
        ({"not": {"field": {"name": "a", "equals": 1}}}, {"b": 1}, Kind.AUDIT),
        ({"not": {"field": {"name": "a", "equals": 1}}}, {"a": 1}, Kind.TRACING),
        (
            {"any": [{"field": {"name": "a", "equals": 1}}, {"field": {"name": "b", "equals": 1}}]},
            {"b": 1},
            Kind.AUDIT,
        ),
        ({"call": "tests.unit.routing.test_classifier:has_b"}, {"b": 1}, Kind.AUDIT),
        (
            {
                "any": [
                    {"field": {"name": "a", "equals": 1}},
                    {"call": "tests.unit.routing.test_classifier:has_b"},
                ]
            },
            {"b": 1},
            Kind.AUDIT,
        ),
    ],
)
def test_what_is_known_by_the_head_is_what_events_without_the_fields_asked_for_get(
    match: Any, fields: Any, kind: Kind
) -> None:
    rules = classifier({"kind": "audit", "match": match})
    assert rules.classify("info", "x", fields) is kind
    asked, otherwise = rules.by_head("info", "x", None)
    assert asked is None or not asked.isdisjoint(fields) or otherwise is kind


def has_b(fields: Any) -> bool:
    return "b" in fields
