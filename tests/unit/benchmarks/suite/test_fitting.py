"""Curves are read between their points, and carried on beyond them within what is possible."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logweir.benchmarks.suite.fitting import Estimate, estimate, estimate_scan, grows_like_a_scan

Points = list[tuple[float, float]]
CURVES = st.lists(
    st.tuples(st.integers(1, 10**6).map(float), st.floats(0.001, 1e6)),
    min_size=1,
    unique_by=lambda point: point[0],
)


def found(points: Points, volume: float) -> Estimate:
    estimated = estimate(points, volume)
    assert estimated is not None
    return estimated


def test_a_power_law_is_carried_on() -> None:
    estimated = found([(10, 1), (100, 2), (1000, 4)], 10_000)
    assert estimated.value == pytest.approx(8)
    assert estimated.error == pytest.approx(1)
    assert (estimated.reach, estimated.basis) == (10, "fit")


def test_between_points_it_is_interpolated_on_logarithmic_axes() -> None:
    estimated = found([(10, 1), (1000, 100)], 100)
    assert estimated.value == pytest.approx(10)
    assert (estimated.reach, estimated.basis) == (1, "measured")


@pytest.mark.parametrize("volume", [5, 10])
def test_up_to_a_single_point_its_value_holds(volume: float) -> None:
    assert found([(10, 3)], volume).value == pytest.approx(3)


@pytest.mark.parametrize(
    "points",
    [[(10.0, 3.0)], [(10.0, 1.0), (1000.0, 3.0)], [(10.0, 1.0), (20.0, 2.0), (40.0, 3.0)]],
    ids=["one volume", "two volumes", "two doublings"],
)
def test_what_is_too_little_for_a_fit_is_bounded_and_not_fitted(points: Points) -> None:
    largest = points[-1][0]
    estimated = found(points, 100 * largest)
    assert (estimated.basis, estimated.error) == ("bounds", None)
    assert (estimated.low, estimated.value, estimated.high) == pytest.approx((3, 300, 300))


def test_without_points_there_is_no_estimate() -> None:
    assert estimate([], 10) is None
    assert estimate([(10, 0)], 10) is None
    assert estimate_scan([], 10) is None


def test_the_worse_the_points_lie_on_a_line_the_larger_is_the_error() -> None:
    near, far = (found([(10, 1), (100, middle), (1000, 4)], 10**5) for middle in (2.1, 3.5))
    assert near.error is not None
    assert far.error is not None
    assert 1 < near.error < far.error


def test_noise_in_a_few_points_does_not_become_a_prophecy() -> None:
    steep = found([(10, 1), (50, 3), (100, 1000)], 1000)
    assert steep.value == pytest.approx(10_000)
    falling = found([(10, 100), (50, 10), (100, 1)], 1000)
    assert falling.value == pytest.approx(10)  # what falls is levelled


def test_a_scan_grows_in_proportion_and_is_never_faster_than_its_bytes_at_the_highest_rate() -> None:
    points = [(1000.0, 10.0), (10_000.0, 200.0)]  # 100 events a millisecond, then 50
    scan = estimate_scan(points, 100_000)
    assert scan is not None
    assert (scan.low, scan.value, scan.high) == pytest.approx((1000, 2000, 2000))
    heavier = estimate_scan(points, 100_000, lambda at: at * at)  # in whatever is gone through
    assert heavier is not None
    assert heavier.low == heavier.high == pytest.approx(2000)


def test_a_curve_that_ends_in_proportion_is_taken_for_a_scan() -> None:
    assert grows_like_a_scan([(10, 1), (100, 2), (1000, 19)])
    assert not grows_like_a_scan([(10, 1), (100, 2), (1000, 4)])
    assert not grows_like_a_scan([(100, 2), (1000, 20)])  # two points are not a curve
    assert not grows_like_a_scan(
        [(1000, 1), (2000, 1), (4000, 1), (8000, 2)]
    )  # nor is one doubling, by noise
    assert not grows_like_a_scan([(4000, 1), (6000, 1.5), (8000, 2)])


@given(CURVES, st.lists(st.integers(1, 10**9).map(float), min_size=2, max_size=2).map(sorted), st.booleans())
def test_every_estimate_rises_with_the_volume_and_lies_within_what_is_possible(
    points: Points, volumes: list[float], scan: bool
) -> None:
    low, high = min(y for _, y in points), max(y for _, y in points)
    largest = max(x for x, _ in points)
    estimates = []
    for volume in volumes:
        estimated = (estimate_scan if scan else estimate)(points, volume)
        assert estimated is not None
        ceiling = high * max(1.0, volume / largest)
        ordered = [low, estimated.low, estimated.value, estimated.high, ceiling]
        assert all(a <= b * 1.000001 for a, b in pairwise(ordered))
        assert estimated.reach >= 1
        estimates.append(estimated.value)
    assert estimates[0] <= estimates[1] * 1.000001
