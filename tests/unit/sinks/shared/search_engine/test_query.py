"""From a query to Elasticsearch's."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logweir.encoding.fields import equal
from logweir.sinks.contract import Query
from logweir.sinks.shared.search_engine.layout import LAST_NS, Layout
from logweir.sinks.shared.search_engine.query import page_of, to_filters

DAILY = Layout("app", streaming=False)
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | st.text()


@given(left=scalars, right=scalars)
def test_values_that_are_equal_have_a_term_in_common(left: Any, right: Any) -> None:
    """The index knows a value by its JSON text; what it does not find is lost, so that it must find enough."""
    filters = to_filters(Query(fields={"a": left}))
    if equal(left, right) and filters:
        terms = filters[0]["bool"]["should"][0]["terms"]["fields.a"]
        indexed = right if isinstance(right, str) else json.dumps(right)
        canonical = {float(term) if not isinstance(right, str | bool) else term for term in terms}
        expected = float(indexed) if not isinstance(right, str | bool) else indexed
        assert expected in canonical


@pytest.mark.parametrize("name", ["", ".", "a..b", "a b", "a*", "a\0", "ü"])
def test_odd_names_are_not_left_to_the_index(name: str) -> None:
    assert to_filters(Query(fields={name: 1})) == []


@pytest.mark.parametrize(
    ("name", "value", "clauses"),
    [
        ("http_status", 200, [{"term": {"http.response.status_code": 200}}]),
        ("http_status", 200.0, [{"term": {"http.response.status_code": 200}}]),
        ("http_status", 200.5, []),
        ("http_status", "200", []),
        ("http_status", True, []),
        ("user_id", "7", [{"term": {"user.id": "7"}}]),
        ("user_id", 7, []),
        ("other", "7", []),
    ],
)
def test_a_field_is_looked_for_under_the_name_that_ecs_has_for_it_too(
    name: str, value: Any, clauses: list[Any]
) -> None:
    (found,) = to_filters(Query(fields={name: value}))
    has_value, unindexed, *more = found["bool"]["should"]
    assert list(has_value["terms"]) == [f"fields.{name}"]
    assert unindexed == {"term": {"tags": "logweir_unindexed"}}
    assert more == clauses


def test_a_number_that_the_index_does_not_hold_is_not_left_to_it() -> None:
    assert to_filters(Query(fields={"http_status": 2**63})) == []


def test_bounds_of_time_that_the_index_cannot_hold_are_brought_inside() -> None:
    far = Query(start=datetime(1, 1, 1, tzinfo=UTC), end=datetime(9999, 1, 1, tzinfo=UTC))
    assert to_filters(far)[0]["range"]["@timestamp"] == {
        "gte": "1970-01-01T00:00:00.000000000Z",
        "lte": "2262-01-01T00:00:00.000000000Z",
    }
    assert DAILY.index_of(LAST_NS) == "app-2262.01.01"


def test_a_page_begins_after_the_one_before() -> None:
    body = page_of(Query(newest_first=True), 10, ["2026-01-01T00:00:00.000000000Z", "x"], {})
    assert body["search_after"] == ["2026-01-01T00:00:00.000000000Z", "x"]
    assert body["size"] == 10
    assert [next(iter(key.values()))["order"] for key in body["sort"]] == ["desc", "desc"]


def test_wildcards_in_a_text_stand_for_themselves() -> None:
    clause = to_filters(Query(text="a*b?c\\"))[0]["bool"]["should"][1]
    assert clause["wildcard"]["event.action"]["value"] == "*a\\*b\\?c\\\\*"
