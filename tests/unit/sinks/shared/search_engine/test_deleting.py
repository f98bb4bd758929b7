"""Which indexes are old as a whole."""

from logweir.sinks.shared.search_engine.deleting import Held, held_by, whole


def test_only_indexes_that_are_wholly_old_go_oldest_first_within_the_limit() -> None:
    held = [Held("a", 10, 100), Held("b", 10, 200), Held("c", 10, 300)]
    assert [one.index for one in whole(held, 300, 100, None)] == ["a", "b", "c"]
    assert [one.index for one in whole(held, 299, 100, None)] == ["a", "b"]
    assert [one.index for one in whole(held, 300, 20, None)] == ["a", "b"]
    assert [one.index for one in whole(held, 300, 19, None)] == ["a"]
    assert [one.index for one in whole(held, 300, 100, "a")] == ["b", "c"]


def test_the_newest_event_of_an_index_is_taken_a_millisecond_later_than_the_server_says() -> None:
    bucket = {"key": "a", "doc_count": 3, "newest": {"value": 1000.0}}
    empty = {"key": "b", "doc_count": 0, "newest": {"value": None}}
    answer = {"aggregations": {"indexes": {"buckets": [bucket, empty]}}}
    assert held_by(answer) == [Held("a", 3, 1_001_000_000)]
    assert held_by({}) == []
