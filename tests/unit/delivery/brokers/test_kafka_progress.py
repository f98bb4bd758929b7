"""How far the messages of a partition of Kafka are settled, through consumers that come and go."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logweir.delivery.brokers.contract import Entry
from logweir.delivery.brokers.kafka_progress import Committed, Given, Progress


def handed_out(offset: int) -> Given:
    return Given(Entry(0, str(offset), b"", 1), 0.0, 0.0)


def read_to(part: Progress, end: int, first: int = 0) -> list[int]:
    """Read up to an offset; returns what is to be handed out."""
    out = []
    for offset in range(max(part.position, first), end):
        if part.read(offset) is not None:
            part.pending[offset] = handed_out(offset)
            out.append(offset)
    return out


def moved(part: Progress, ours: Any = None) -> Progress:
    """The partition with another consumer, who reads what was committed."""
    note = part.now()
    return Progress(Committed.read(note.offset, note.text()), ours or {})


def test_what_is_settled_beyond_the_offset_is_not_handed_out_again() -> None:
    part = Progress(Committed(10, 10))
    assert read_to(part, 20) == [*range(10, 20)]
    for offset in (12, 13, 17, 10):
        part.settle(offset)
    assert part.now() == Committed(11, 20, ((11, 12), (14, 17), (18, 20)))
    assert part.now().text() == "lw1;9;0;0-1,3-6,7-9"
    assert part.now().pending() == 6
    assert read_to(moved(part), 22) == [11, 14, 15, 16, 18, 19, 20, 21]


def test_what_is_still_in_hand_is_not_handed_out_again_when_the_partition_comes_back() -> None:
    part = Progress(Committed(0, 0))
    read_to(part, 10)
    part.settle(3)
    back = moved(part, part.pending)
    back.settle(1)  # before it is read again
    assert back.now() == Committed(0, 10, ((0, 1), (2, 3), (4, 10)))
    assert read_to(back, 12) == [10, 11]
    assert back.now() == Committed(0, 12, ((0, 1), (2, 3), (4, 12)))


def test_what_nobody_had_is_read_again() -> None:
    part = Progress(Committed(0, 0))
    read_to(part, 6)
    part.settle(0)
    part.unread(4)
    assert read_to(moved(part), 6) == [1, 2, 3, 4, 5]


def test_what_was_removed_is_counted_if_it_was_not_settled() -> None:
    note = Committed(10, 20, ((10, 12), (15, 20)), 3)
    assert note.without(10) == note
    assert note.without(17) == Committed(17, 20, ((17, 20),), 3 + 4)
    assert note.without(25) == Committed(25, 25, (), 3 + 7 + 5)
    assert Committed.read(17, note.without(17).text()) == note.without(17)


@pytest.mark.parametrize("text", ["", "lw2;1;2;3", "lw1;;;", "lw1;5;0;1-2-3", "somebody's"])
def test_a_text_that_is_not_ours_says_nothing_beyond_the_offset(text: str) -> None:
    assert Committed.read(7, text) == Committed(7, 7)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(1, 8)),
        st.tuples(st.just("settle"), st.integers(0, 10**6)),
        st.tuples(st.sampled_from(["commit", "die", "away_and_back"]), st.just(0)),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=30)
@given(STEPS, st.sampled_from([40, 4000]))
def test_nothing_is_lost_whatever_happens_and_nothing_committed_comes_twice(
    steps: list[tuple[str, int]], longest: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("logweir.delivery.brokers.kafka_progress._LONGEST", longest)
        part, note = Progress(Committed(0, 0)), Committed(0, 0)
        settled: set[int] = set()
        known: set[int] = set()
        committed: set[int] = set()
        end = 0
        for step, number in steps:
            if step == "read":
                end = max(end, part.position + number)
                again = set(read_to(part, part.position + number))
                assert not again & committed or longest < 100
            elif step == "settle" and (in_hand := sorted(part.pending | part.ours)):
                offset = in_hand[number % len(in_hand)]
                part.settle(offset)
                settled.add(offset)
                known.add(offset)
            elif step in {"commit", "away_and_back"}:
                note = Committed.read(part.now().offset, part.now().text())
                committed = set(known)
                if step == "away_and_back":
                    part = Progress(note, {**part.pending, **part.ours})
            elif step == "die":
                part, known = Progress(note), set(committed)
        last = Progress(Committed.read(part.now().offset, part.now().text()))
        assert set(range(end)) - settled <= set(read_to(last, end))
