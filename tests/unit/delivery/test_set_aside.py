"""What is set aside: when it is handed out, how often, and that counts add up."""

from collections.abc import Sequence
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from logweir.delivery.set_aside import Group, PutOff, SetAside, set_aside
from logweir.event import Event
from logweir.testing.contract import make_event


def put(
    aside: SetAside, *positions: int, pause: float = 0.0, now: float = 0.0, keep: bool = True
) -> list[Event]:
    """Set events aside that were put at these positions."""
    events = [make_event(str(position)) for position in positions]
    where = {id(event): position for event, position in zip(events, positions, strict=True)}
    set_aside(aside, [PutOff([(event, 1) for event in events], pause, "closed")], where, now, keep=keep)
    return events


def taken(aside: SetAside, now: float, count: int = 100, size: int = 2**30) -> list[int]:
    return list(aside.take(now, count, size).positions)


def test_a_group_is_handed_out_when_it_is_due_and_not_before() -> None:
    aside = SetAside()
    assert aside.wait(0.0) is None
    put(aside, 1, 2, pause=5.0)
    put(aside, 3, pause=2.0)
    assert aside.wait(0.0) == 2.0
    assert aside.wait(2.5) == 0.0
    assert taken(aside, 2.5) == [3]
    aside.end(2.5)
    assert aside.wait(2.5) == 2.5
    assert aside.reason == "closed"


def test_what_is_due_goes_together_as_far_as_a_batch_holds_it() -> None:
    aside = SetAside()
    for position in range(7):
        put(aside, position)
    put(aside, 7, 8, 9)
    assert taken(aside, 1.0, count=8) == list(range(8))
    aside.end(1.0)
    assert taken(aside, 1.0, size=1) == [8], "a larger event than a batch goes alone"
    assert (aside.count, aside.waiting) == (2, 1)


def test_no_second_batch_is_handed_out_before_the_first_has_ended() -> None:
    aside = SetAside()
    put(aside, 1)
    put(aside, 2)
    assert taken(aside, 1.0, count=1) == [1]
    assert aside.wait(1.0) is None
    aside.end(1.0)
    assert aside.wait(1.0) == 0.0


def test_while_nothing_passes_it_is_tried_at_most_once_in_a_pace_that_grows_to_a_second() -> None:
    aside, now, paces = SetAside(), 0.0, []
    for position in range(100):
        put(aside, position)
    for _ in range(7):
        taken(aside, now, count=1)
        aside.end(now, passed=False)
        paces.append(aside.wait(now))
        now += paces[-1] or 0.0
    assert [round(pace or 0.0, 3) for pace in paces] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]
    taken(aside, now, count=1)
    aside.end(now, passed=True)
    assert aside.wait(now) == 0.0


def test_a_close_lets_everything_be_due_at_once() -> None:
    aside = SetAside()
    put(aside, 1, pause=3600.0)
    put(aside, 2)
    taken(aside, 0.0)
    aside.end(0.0, passed=False)
    aside.hurry()
    assert aside.wait(0.0) == 0.0
    assert taken(aside, 0.0) == [1]


def test_what_waited_longest_is_forgotten_first() -> None:
    aside = SetAside()
    put(aside, 5, 6, pause=9.0)
    put(aside, 7, pause=1.0)
    assert [list(aside.drop_oldest().positions) for _ in range(2)] == [[5], [6]]
    assert aside.wait(0.0) == 1.0
    assert (aside.count, aside.first()) == (1, 7)


def test_what_is_lost_in_a_file_is_forgotten_and_counted() -> None:
    aside = SetAside()
    put(aside, 1, 2, 3, keep=False)
    put(aside, 4, keep=False)
    assert aside.forget({2, 4, 9}) == 2
    assert (aside.count, list(aside.positions())) == (2, [1, 3])
    assert taken(aside, inf) == [1, 3]


def test_a_queue_that_can_read_them_back_keeps_no_events_here() -> None:
    aside = SetAside()
    put(aside, 1, 2, keep=False)
    assert aside.take(0.0, 9, 2**30).events == []


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 5), st.floats(0, 3)),
        st.tuples(st.just("take"), st.integers(1, 4), st.floats(0, 3)),
        st.tuples(st.just("end"), st.integers(0, 1), st.floats(0, 3)),
        st.tuples(st.just("put back"), st.just(0), st.floats(0, 3)),
        st.tuples(st.just("drop"), st.just(0), st.floats(0, 3)),
    ),
    max_size=40,
)


@given(_STEPS)
def test_every_event_is_in_one_place_and_counts_add_up(steps: Sequence[tuple[str, int, float]]) -> None:
    aside, here, trying, now, following = SetAside(), set[int](), set[int](), 0.0, 0
    for what, number, seconds in steps:
        now += seconds
        if what == "put":
            positions = range(following, following + number)
            put(aside, *positions, pause=seconds, now=now)
            here |= set(positions)
            following += number
        elif what == "take" and aside.wait(now) == 0:
            trying = set(taken(aside, now, count=number))
            assert 0 < len(trying) <= number
            assert trying <= here
            here -= trying
        elif what == "end":
            aside.end(now, passed=bool(number))
            trying = set()
        elif what == "put back":
            aside.put_back(now)
            here, trying = here | trying, set()
        elif what == "drop" and aside.waiting:
            here -= set(aside.drop_oldest().positions)
        assert sorted(aside.positions()) == sorted(here | trying)
        assert (aside.count, aside.waiting) == (len(here | trying), len(here))
        assert aside.first() == min(here | trying, default=None)
        wait = aside.wait(now)
        assert (wait is None) == (not here or bool(trying))
    kept = aside.clear()
    assert [int(event.name) for event in kept] == sorted(here)
    assert (aside.waiting, aside.waiting_size) == (0, 0)


def test_an_empty_group_is_nothing() -> None:
    aside = SetAside()
    aside.put(Group(), 0.0)
    assert (aside.count, aside.wait(0.0)) == (0, None)
