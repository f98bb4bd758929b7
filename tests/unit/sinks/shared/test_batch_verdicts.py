"""Verdicts gathered over the parts of a batch keep the law of a WriteResult: one for each index."""

from hypothesis import given
from hypothesis import strategies as st

from logweir.sinks.results import WriteResult
from logweir.sinks.shared.batch_verdicts import BatchVerdicts


def test_a_part_is_placed_where_its_events_are_in_the_batch() -> None:
    verdicts = BatchVerdicts()
    verdicts.add(WriteResult(frozenset({0}), frozenset({1}), {2: "no"}), [4, 6, 8, 9])
    assert verdicts.result() == WriteResult(frozenset({4}), frozenset({6}), {8: "no"})


def test_nothing_said_is_all_stored() -> None:
    assert BatchVerdicts().result() == WriteResult.all_stored()


@given(
    st.lists(st.sampled_from(["stored", "duplicate", "retry", "rejected"]), min_size=1, max_size=12),
    st.data(),
)
def test_what_was_not_sent_shares_the_fate_of_the_first_of_its_id(
    fates: list[str], data: st.DataObject
) -> None:
    indexes = {fate: {i for i, each in enumerate(fates) if each == fate} for fate in set(fates)}
    verdicts = BatchVerdicts(
        duplicate=set(indexes.get("duplicate", ())),
        retry=set(indexes.get("retry", ())),
        rejected=dict.fromkeys(indexes.get("rejected", ()), "no"),
    )
    firsts = data.draw(st.lists(st.integers(0, len(fates) - 1), max_size=6))
    repeated = {len(fates) + number: first for number, first in enumerate(firsts)}
    was_there = len(fates) + len(firsts)
    verdicts.follow({**repeated, was_there: None})
    result = verdicts.result()
    for index, first in repeated.items():
        assert (index in result.retry) == (fates[first] == "retry")
        assert (index in result.rejected) == (fates[first] == "rejected")
        assert (index in result.duplicate) == (fates[first] in {"stored", "duplicate"})
    assert was_there in result.duplicate
    assert not result.duplicate & result.retry
    assert not (result.duplicate | result.retry) & result.rejected.keys()
