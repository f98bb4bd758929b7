"""Runs of positions: together they are the positions, and none could be longer."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from logweir.delivery.spool.runs import runs


@given(st.sets(st.integers(-(2**40), 2**40) | st.integers(0, 30)))
def test_runs_are_the_positions_and_as_few_as_can_be(positions: set[int]) -> None:
    found = list(runs(sorted(positions)))
    assert [position for first, last in found for position in range(first, last + 1)] == sorted(positions)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(found))
