"""The character U+0000 where a database has none."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logweir.event import Kind
from logweir.sinks.sql.nul_escape import hide_nul, hide_nul_in, restore_nul
from logweir.testing.contract import make_event

TEXT = st.text(st.sampled_from("a0␛\0\\ü"), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
)


@given(TEXT, st.dictionaries(TEXT, JSON, max_size=4))
def test_what_is_hidden_comes_back(name: str, fields: dict[str, Any]) -> None:
    event = make_event(name, fields, kind=Kind.AUDIT)
    hidden = hide_nul(event)
    assert "\0" not in repr([hidden.name, hidden.fields]).replace("\\x00", "\0")
    assert restore_nul(hidden) == event


def test_text_without_either_is_the_same_object() -> None:
    event = make_event("plain", {"a": "0\\u000", "b": ["x"]})
    assert hide_nul(event) is event
    assert restore_nul(event) is event


@pytest.mark.parametrize(
    ("text", "stored"), [("a\0b", "a␛0b"), ("␛0", "␛␛0"), ("\\u0000", "\\u0000"), ("", "")]
)
def test_only_the_two_characters_change(text: str, stored: str) -> None:
    assert hide_nul(text) == stored
    assert hide_nul({text: [text]}) == {stored: [stored]}


def test_what_is_not_json_is_left_to_the_encoder() -> None:
    value = {"a": object()}
    assert hide_nul(value) is value


def test_a_batch_is_hidden_as_each_of_its_events_is() -> None:
    plain, with_nul, other = (
        make_event("plain", a="\\u0000"),
        make_event("x", {"k\0": ["a\0"]}),
        make_event("␛"),
    )
    assert hide_nul_in([plain, with_nul, other]) == [plain, hide_nul(with_nul), hide_nul(other)]
    assert hide_nul_in(batch := [make_event(), make_event()]) is batch
