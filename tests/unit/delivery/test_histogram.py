"""Histograms: every value is in one bucket, sums add up, quantiles lie where they must."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logweir.delivery.histogram import BATCH_SIZES, WRITE_SECONDS, Distribution, Histogram

values = st.lists(st.floats(0, 50), max_size=50)


def counted(seen: list[float]) -> Distribution:
    histogram = Histogram(WRITE_SECONDS)
    for value in seen:
        histogram.observe(value)
    return histogram.picture()


@given(values)
def test_every_value_is_below_its_bound_as_prometheus_counts(seen: list[float]) -> None:
    picture = counted(seen)
    assert picture.count == len(seen)
    assert picture.total == pytest.approx(sum(seen))
    for index, bound in enumerate(picture.bounds):
        assert sum(picture.counts[: index + 1]) == sum(value <= bound for value in seen)


@given(values, values)
def test_sums_are_as_if_counted_together(first: list[float], second: list[float]) -> None:
    both = counted(first) + counted(second)
    assert both.counts == counted(first + second).counts
    assert counted(first) + Distribution() == Distribution() + counted(first) == counted(first)


@given(st.lists(st.floats(0, 30), min_size=1, max_size=50), st.floats(0.01, 1))
def test_a_quantile_is_in_the_bucket_of_the_value_it_stands_for(seen: list[float], share: float) -> None:
    wanted = sorted(seen)[max(0, -int(-share * len(seen) // 1) - 1)]
    index = next(i for i, bound in enumerate(WRITE_SECONDS) if wanted <= bound)
    lower = WRITE_SECONDS[index - 1] if index else 0.0
    found = counted(seen).quantile(share)
    assert found is not None
    assert lower - 1e-9 <= found <= WRITE_SECONDS[index] + 1e-9


def test_nothing_has_no_quantile_and_what_is_beyond_counts_as_the_last_bound() -> None:
    assert Distribution().quantile(0.5) is None
    assert counted([100.0]).quantile(0.5) == WRITE_SECONDS[-1]


def test_bounds_rise() -> None:
    for bounds in (BATCH_SIZES, WRITE_SECONDS):
        assert list(bounds) == sorted(set(bounds))
