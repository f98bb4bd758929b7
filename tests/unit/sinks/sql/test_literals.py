"""Rows as SQL literals: what stands in the statement; tests/integration/test_sql_literals.py asks the servers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logweir.sinks.sql.literals import LONGEST_STATEMENT, statements
from logweir.sinks.sql.literals import written as rows_written

NO_BACKSLASH_ESCAPES = 512
VALUES = st.one_of(
    st.text(st.characters(codec="utf-8")),
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)


def written(*row: Any, status: int = 0) -> str:
    (statement,) = statements("INSERT INTO t VALUES", rows_written([row], status))
    return statement.decode().removeprefix("INSERT INTO t VALUES ")


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        ("plain", "'plain'"),
        ("", "''"),
        ("it's", "'it''s'"),
        ("\\", "'\\\\'"),
        ("a\0b", "'a\\0b'"),
        ("\\'", "'\\\\'''"),
        ("100 %s", "'100 %s'"),
        ("ü€😀", "'ü€😀'"),
        (None, "NULL"),
        (-5, "-5"),
        (1.5, "1.5e0"),
        (1e300, "1e+300"),
        (-0.0, "-0.0e0"),
    ],
)
def test_a_value_is_written_so_that_the_server_reads_the_same(value: Any, literal: str) -> None:
    assert written(value) == f"({literal})"


def test_a_session_without_backslash_escapes_takes_the_backslash_as_it_is() -> None:
    assert written("a\\b'c", status=NO_BACKSLASH_ESCAPES) == "('a\\b''c')"


@given(st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=20))
def test_a_column_is_written_as_each_of_its_values_is(rows: list[tuple[Any, ...]]) -> None:
    (together,) = statements("INSERT INTO t VALUES", rows_written(rows, 0))

    assert together.decode() == f"INSERT INTO t VALUES {','.join(written(*row) for row in rows)}"


def test_rows_are_joined_up_to_the_longest_statement_and_a_longer_row_stands_alone() -> None:
    rows = [("x" * size,) for size in (600_000, 400_000, 600_000, 3_000_000, 5, 6)]

    made = list(statements("INSERT INTO t VALUES", rows_written(rows, 0)))

    assert [statement.count(b"(") for statement in made] == [2, 1, 1, 2]
    assert all(len(statement) <= LONGEST_STATEMENT or statement.count(b"(") == 1 for statement in made)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), "\udcff"])
def test_what_the_database_does_not_have_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"no number|surrogates"):
        written(value)


@pytest.mark.parametrize("value", [True, b"x", [1]])
def test_a_type_that_has_no_literal_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="has no literal"):
        written(value)
