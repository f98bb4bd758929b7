"""Halving a batch until the rows at fault are alone."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event
from logweir.sinks.results import WriteResult
from logweir.sinks.sql.verdicts import RowsMustWait
from logweir.sinks.sql.writing import write_in_parts
from logweir.testing.contract import make_event


class Shelf:
    """A store that refuses some numbers, knows some, has no place yet for some, and breaks after a while."""

    def __init__(
        self,
        poison: set[int] = frozenset(),  # type: ignore[assignment]
        known: set[int] = frozenset(),  # type: ignore[assignment]
        lasts: int = 10**9,
        early: set[int] = frozenset(),  # type: ignore[assignment]
    ) -> None:
        self.early = early
        self.poison, self.known, self.lasts = poison, known, lasts
        self.stored: list[int] = []

    async def store(self, batch: Sequence[Event]) -> set[int]:
        self.lasts -= 1
        if self.lasts < 0:
            raise SinkUnavailable("gone")
        numbers = [event.fields["number"] for event in batch]
        if self.early & set(numbers):
            raise RowsMustWait("no partition")
        if self.poison & set(numbers):
            raise SinkRejected("poison")
        self.stored += [number for number in numbers if number not in self.known]
        return {index for index, number in enumerate(numbers) if number in self.known}


async def write(shelf: Shelf, size: int, seconds: float = 60.0) -> WriteResult:
    return await write_in_parts([make_event(number=number) for number in range(size)], shelf.store, seconds)


@given(st.integers(0, 40), st.sets(st.integers(0, 39)), st.sets(st.integers(0, 39)), st.integers(0, 60))
async def test_each_event_has_one_verdict_and_keeps_its_order(
    size: int, poison: set[int], known: set[int], lasts: int
) -> None:
    shelf = Shelf(poison, known - poison, lasts)
    try:
        result = await write(shelf, size)
    except SinkUnavailable:
        assert shelf.stored == []
        return
    named = [*result.duplicate, *result.rejected, *result.retry]
    assert len(named) == len(set(named))
    assert result.rejected.keys() <= poison
    assert result.duplicate <= known
    assert shelf.stored == [number for number in range(size) if number not in named]
    if lasts > 100:
        assert not result.retry


async def test_d1_a_row_without_a_partition_waits_and_the_others_are_stored() -> None:
    shelf = Shelf({3}, {5}, early={0, 17})
    result = await write(shelf, 20)
    assert shelf.stored == [number for number in range(20) if number not in {0, 3, 5, 17}]
    assert (result.retry, result.retry_reason) == ({0, 17}, "no partition")
    assert (result.duplicate, result.rejected) == ({5}, {3: "poison"})


async def test_rows_of_which_none_has_a_partition_are_no_failure_of_the_server() -> None:
    result = await write(Shelf(early={0, 1}), 2)
    assert (result.retry, result.retry_reason) == ({0, 1}, "no partition")


async def test_all_but_the_poison_is_stored() -> None:
    shelf = Shelf({3, 17}, {5})
    result = await write(shelf, 20)
    assert (result.duplicate, dict(result.rejected), result.retry) == (
        frozenset({5}),
        {3: "poison", 17: "poison"},
        frozenset(),
    )
    assert shelf.stored == [number for number in range(20) if number not in {3, 5, 17}]


async def test_a_store_that_is_away_raises_as_long_as_nothing_was_stored() -> None:
    with pytest.raises(SinkUnavailable):
        await write(Shelf({1}, lasts=1), 8)


async def test_a_store_that_goes_away_meanwhile_keeps_what_it_has() -> None:
    shelf = Shelf({1}, lasts=5)  # 8 and 4 and 2 refused, 0 stored, 1 refused: gone for 2 and 3
    result = await write(shelf, 8)
    assert shelf.stored == [0]
    assert dict(result.rejected) == {1: "poison"}
    assert result.retry == {2, 3, 4, 5, 6, 7}


async def test_when_patience_ends_the_rest_is_given_back() -> None:
    shelf = Shelf(set(range(8)))
    result = await write(shelf, 8, seconds=-1.0)
    assert dict(result.rejected) == {0: "poison"}
    assert result.retry == set(range(1, 8))
