"""What the worker reports of rows that it found in the file before the application had noted their commit."""

from logweir.delivery.elsewhere.backlog import BacklogElsewhere


def staged(*positions: int) -> BacklogElsewhere:
    backlog = BacklogElsewhere("store", 10, 1000)
    for seq in positions:
        backlog.stage(seq, 100, None)
    return backlog


def test_an_early_report_counts_from_the_commit_on() -> None:
    backlog = staged(3, 4, 7)
    backlog.commit_all([3], [0])
    assert backlog.settle_elsewhere([(0, 4)]) == [3]
    assert (backlog.depth, backlog.size) == (2, 200)
    backlog.commit_all([4, 7], [0, 0])
    assert backlog.settle_elsewhere([]) == [4]
    assert (backlog.depth, backlog.size, backlog.early) == (1, 100, [])
    assert backlog.settle_elsewhere([(5, 7)]) == [7]
    assert (backlog.depth, backlog.size) == (0, 0)


def test_nothing_is_kept_of_a_report_for_which_nothing_is_to_come() -> None:
    backlog = staged(0, 1)
    backlog.commit_all([0, 1], [0, 0])
    assert backlog.settle_elsewhere([(0, 1), (2, 5), (0, 1)]) == [0, 1]
    assert backlog.early == []
    assert backlog.depth == 0
