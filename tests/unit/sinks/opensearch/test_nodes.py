"""Which node is asked."""

from logweir.sinks.opensearch.nodes import PENALTY, Nodes


def test_nodes_take_turns_and_one_that_failed_is_asked_last_until_it_is_due() -> None:
    now = 100.0
    nodes = Nodes(["a", "b", "c"], lambda: now)
    assert [nodes.in_turn() for _ in range(2)] == [["a", "b", "c"], ["b", "c", "a"]]
    nodes.failed("a")
    assert [nodes.in_turn() for _ in range(2)] == [["c", "b", "a"], ["b", "c", "a"]]
    now += 1
    nodes.failed("b")
    assert nodes.in_turn() == ["c", "a", "b"]
    now += PENALTY
    assert nodes.in_turn() == ["c", "a", "b"]
    assert nodes.in_turn() == ["a", "b", "c"]
    nodes.failed("a")
    nodes.answered("a")
    assert nodes.in_turn() == ["b", "c", "a"]


def test_the_only_node_is_always_asked() -> None:
    nodes = Nodes(["a"])
    nodes.failed("a")
    assert nodes.in_turn() == ["a"]
