"""Rows as one text for each column; tests/integration/test_sql_joined_columns.py asks the server."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects.postgresql import asyncpg

from logweir.sinks.sql.joined_columns import insert_of, joined
from logweir.sinks.sql.table import audit_table

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
ROWS = st.lists(
    st.tuples(
        TEXTS,
        st.none() | TEXTS,
        st.integers(-(2**63), 2**63 - 1),
        st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53),
    ),
    max_size=6,
)


def split(text: str) -> list[str | None]:
    """What ``string_to_array`` makes of a text that is not empty."""
    return [None if part == "\x1f" else part for part in text.split("\x1e")]


@given(ROWS)
def test_columns_are_split_into_the_rows_that_they_were_made_of(rows: list[tuple[Any, ...]]) -> None:
    columns = joined(rows)
    if columns is None:
        texts = "".join(value for row in rows for value in row if isinstance(value, str))
        assert len(rows) < 2 or "\x1e" in texts or "\x1f" in texts
        return
    written = [tuple(None if value is None else str(value) for value in row) for row in rows]
    assert list(zip(*map(split, columns), strict=True)) == written


@pytest.mark.parametrize("sign", ["\x1e", "\x1f", "a\x1eb", "a\x1fb"])
def test_texts_that_hold_a_sign_of_ours_are_left_to_the_driver(sign: str) -> None:
    assert joined([("a", 1), (sign, 2)]) is None
    assert joined([(None, 1), (sign, 2)]) is None
    assert joined([("a", 1), ("b", 2)]) == ["a\x1eb", "1\x1e2"]


def test_one_row_is_left_to_the_driver_for_an_empty_text_would_be_no_value() -> None:
    assert joined([("",)]) is None
    assert joined([]) is None
    assert joined([("",), ("",)]) == ["\x1e"]


def test_texts_are_not_cast_for_a_cast_would_cut_what_is_too_long() -> None:
    statement = insert_of("INSERT INTO t (…)", audit_table("t"), asyncpg.dialect())  # type: ignore[no-untyped-call]
    assert statement.startswith("INSERT INTO t (…) SELECT v1, v2::BIGINT, v3::SMALLINT, v4, ")
    assert (
        "v15::DOUBLE PRECISION, v16::JSON FROM unnest(string_to_array($1::text, chr(30), chr(31)),"
        in statement
    )
