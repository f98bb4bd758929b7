"""Requests of bounded size: each item once, in order, and none alone but what is too large."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from logweir.sinks.shared.portions import portions


@given(st.lists(st.integers(1, 50)), st.integers(1, 60))
def test_every_item_is_in_one_portion_and_none_is_larger_than_allowed(sizes: list[int], largest: int) -> None:
    made = portions(sizes, lambda size: size, largest)
    assert [size for portion in made for size in portion] == sizes
    assert all(portion and (sum(portion) <= largest or len(portion) == 1) for portion in made)


@given(st.lists(st.integers(1, 50)), st.integers(50, 60))
def test_no_portion_could_take_the_next_item(sizes: list[int], largest: int) -> None:
    made = portions(sizes, lambda size: size, largest)
    assert all(sum(one) + after[0] > largest for one, after in pairwise(made))
