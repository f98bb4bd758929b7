"""Curves are read between their points, and carried on beyond them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logweir.benchmarks.suite.fitting import estimate


def test_a_power_law_is_carried_on() -> None:
    found = estimate([(10, 1), (100, 2), (1000, 4)], 10_000)
    assert found is not None
    assert found.value == pytest.approx(8)
    assert (found.reach, found.extrapolated) == (10, True)


def test_between_points_it_is_interpolated_on_logarithmic_axes() -> None:
    found = estimate([(10, 1), (1000, 100)], 100)
    assert found is not None
    assert found.value == pytest.approx(10)
    assert not found.extrapolated


@pytest.mark.parametrize(("volume", "value"), [(5, 3), (10, 3), (50, 3)])
def test_a_single_point_says_that_nothing_changes(volume: float, value: float) -> None:
    assert estimate([(10, 3)], volume) is not None
    assert estimate([(10, 3)], volume).value == value  # type: ignore[union-attr]


def test_without_points_there_is_no_estimate() -> None:
    assert estimate([], 10) is None
    assert estimate([(10, 0)], 10) is None


@given(st.lists(st.tuples(st.integers(1, 10**6), st.floats(0.001, 1e6)), min_size=1), st.integers(1, 10**9))
def test_every_estimate_is_a_positive_number(points: list[tuple[int, float]], volume: int) -> None:
    found = estimate([(float(x), y) for x, y in points], volume)
    assert found is not None
    assert found.value >= 0
    assert found.reach >= 1


def test_noise_in_a_few_points_does_not_become_a_prophecy() -> None:
    steep = estimate([(10, 1), (20, 100)], 2000)
    assert steep is not None
    assert steep.value == pytest.approx(10_000)
    falling = estimate([(10, 100), (20, 1)], 2000)
    assert falling is not None
    assert falling.value == 1
