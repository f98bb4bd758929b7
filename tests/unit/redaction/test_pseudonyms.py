"""Pseudonyms: equal for equal values, useless without the key, and computable elsewhere."""

import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logweir.redaction.names import Secrecy
from logweir.redaction.pseudonyms import Pseudonyms, is_pseudonym
from logweir.redaction.values import is_kept

KEY = b"0123456789abcdef"
_of = Pseudonyms(KEY)


def expected(text: str) -> str:
    return "hmac:" + hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()[:32]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("alice@example.com", "alice@example.com"),
        ("ünïcödé", "ünïcödé"),
        ("\udcff", "\\udcff"),
        (42, "42"),
        (-1, "-1"),
        (42.0, "42"),
        (0.1, "0.1"),
        (1e300, "1e+300"),
    ],
)
def test_a_value_has_the_pseudonym_of_its_text(value: Any, text: str) -> None:
    assert _of(value) == expected(text)


@pytest.mark.parametrize("value", [None, True, False, "", " ", "***", {}, []])
def test_what_cannot_be_a_secret_stays(value: Any) -> None:
    assert _of(value) is value or _of(value) == value


def test_each_leaf_of_a_container_has_its_own() -> None:
    value = {"a": ["x", None, {"b": 1}], "c": True}
    assert _of(value) == {"a": [expected("x"), None, {"b": expected("1")}], "c": True}


def test_another_key_makes_other_pseudonyms() -> None:
    assert Pseudonyms(KEY + b"!")("x") != _of("x")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(_JSON)
def test_pseudonyms_of_pseudonyms_are_the_same(value: Any) -> None:
    once = _of(value)
    assert _of(once) == once


_WORTH_HIDING = st.text(min_size=1).filter(lambda text: text.strip() and not is_kept(text, Secrecy.SECRET))


@given(_WORTH_HIDING, _WORTH_HIDING)
def test_equal_texts_have_equal_pseudonyms_and_others_have_others(one: str, other: str) -> None:
    assert (_of(one) == _of(other)) is (one == other)
    assert is_pseudonym(_of(one))
    assert len(one) < 3 or one not in _of(one) or set(one) <= set("hmac:0123456789abcdef")
