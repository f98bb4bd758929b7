"""The ledger of rows that wait for another process is exact, whatever is reported and dropped, and small."""

import tracemalloc
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from logweir.delivery.elsewhere import ledger as module
from logweir.delivery.elsewhere.ledger import Ledger

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 5), st.integers(1, 1000)),
        st.tuples(st.just("settle"), st.integers(0, 300), st.integers(0, 40)),
        st.tuples(st.just("drop"), st.just(0), st.just(0)),
    ),
    max_size=200,
)


@given(STEPS)
def test_it_knows_what_waits_whatever_is_reported_twice_or_was_dropped(
    steps: list[tuple[str, int, int]],
) -> None:
    ledger, waiting, following = Ledger(), dict[int, int](), 0
    for what, first, second in steps:
        if what == "append":
            following += first  # positions of other sinks lie in between
            ledger.extend([following], [second], [10**9 * following])
            waiting[following] = second
        elif what == "settle":
            expected = [seq for seq in waiting if first <= seq <= first + second]
            assert ledger.settle(first, first + second) == expected
            for seq in expected:
                del waiting[seq]
        elif waiting:
            oldest = min(waiting)
            assert ledger.pop_oldest() == (oldest, waiting.pop(oldest))
        assert (ledger.count, ledger.size) == (len(waiting), sum(waiting.values()))
        assert ledger.oldest_time() == (10**9 * min(waiting) if waiting else None)


def test_many_rows_take_few_bytes_and_go_in_any_order() -> None:
    tracemalloc.start()
    ledger = Ledger()
    for seq in range(50_000):
        ledger.extend([seq], [500], [seq])
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert used < 2**20
    assert len(ledger.settle(25_000, 49_999)) == 25_000
    assert len(ledger.settle(0, 49_999)) == 25_000
    assert (ledger.count, ledger.size, ledger.oldest_time()) == (0, 0, None)


@given(st.lists(st.lists(st.integers(1, 2**31), max_size=5), max_size=20), st.integers(1, 4))
def test_rows_that_come_together_are_the_same_as_one_by_one(steps: list[list[int]], rows: int) -> None:
    """In chunks that are small, and too narrow for positions that lie far apart."""
    following, one_by_one, together = 0, Ledger(), Ledger()
    with patch.object(module, "_ROWS", rows):
        for distances in steps:
            positions = [following := following + distance for distance in distances]
            sizes, times = [seq % 2**40 for seq in positions], [seq * 10**7 for seq in positions]
            together.extend(positions, sizes, times)
            for seq, size, time in zip(positions, sizes, times, strict=True):
                one_by_one.extend([seq], [size], [time])
        assert (together.count, together.size) == (one_by_one.count, one_by_one.size)
        while one_by_one.count:
            assert together.oldest_time() == one_by_one.oldest_time()
            assert together.pop_oldest() == one_by_one.pop_oldest()
        assert together.count == 0


def test_positions_and_times_that_are_far_apart_are_kept() -> None:
    ledger = Ledger()
    ledger.extend([1], [2**40], [5])
    ledger.extend([2**50], [7], [3])  # the clock was set back
    assert ledger.settle(2, 2**60) == [2**50]
    assert ledger.pop_oldest()[0] == 1
