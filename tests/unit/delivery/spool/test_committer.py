"""The committer alone: when it commits, when it rests, and who is awake for it; the spool is played."""

import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest

from logweir.delivery.spool import committer as module
from logweir.delivery.spool.committer import Committer
from logweir.delivery.spool.leading import kept, pay
from support.waiting import eventually

CONTEXT: contextvars.ContextVar[str] = contextvars.ContextVar("of the caller", default="")


class Played:
    """A spool: what is staged and removed are numbers; each commit is remembered with both."""

    def __init__(self) -> None:
        self.staged = self.removals = 0
        self.waiting = self.interrupted = self.gathers = False
        self.commits: list[tuple[int, int]] = []
        self.rests = 0
        self.fails: list[Exception] = []
        self.at_commit: Callable[[], None] = lambda: None
        self.looks = 0
        self.threads: set[threading.Thread] = set()
        self.before = set(threading.enumerate())

    @property
    def has_staged(self) -> bool:
        self.looks += 1
        return self.staged > 0

    @property
    def has_waiting(self) -> bool:
        self.looks += 1
        return self.waiting

    @property
    def may_gather(self) -> bool:
        return self.gathers and self.staged > 0 and not self.waiting

    @property
    def has_company(self) -> bool:
        return self.staged > 15

    @property
    def has_removals(self) -> bool:
        return self.removals > 0

    def is_interrupted(self) -> bool:
        return self.interrupted

    def commit(self) -> OSError | None:
        self.threads.add(threading.current_thread())
        taken = self.staged, self.removals
        self.commits.append(taken)
        self.at_commit()
        if self.fails:
            error = self.fails.pop()
            if isinstance(error, OSError):
                return error
            raise error
        self.staged -= taken[0]
        self.removals -= taken[1]
        return None

    def commit_quickly(self, seconds: float) -> OSError | None:
        return None if self.interrupted else self.commit()

    def rest(self) -> None:
        self.rests += 1


@pytest.fixture
def spool() -> Played:
    return Played()


@pytest.fixture
def committer(spool: Played) -> Iterator[Committer]:
    made = Committer(spool, threaded=True)
    yield made
    made.stop()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """After the how manieth failure in a row was paused; the pause itself is an hour."""
    asked: list[int] = []

    def pause(failures: int, _config: object) -> float:
        asked.append(failures)
        return 3600.0

    monkeypatch.setattr(module, "pause_before_retry", pause)
    return asked


def stage(spool: Played, committer: Committer) -> None:
    spool.staged += 1
    committer.nudge()


def threads_of(spool: Played) -> list[threading.Thread]:
    return [
        thread
        for thread in threading.enumerate()
        if thread.name == "logweir-committer" and thread not in spool.before
    ]


# -- committing ----------------------------------------------------------------------------------------


def test_what_is_staged_is_committed_and_then_the_spool_may_rest(spool: Played, committer: Committer) -> None:
    for number in range(1, 4):
        stage(spool, committer)
        eventually(lambda number=number: spool.rests == number)
    assert spool.commits == [(1, 0)] * 3
    (thread,) = threads_of(spool)
    assert thread.daemon


def test_what_arrives_during_a_commit_shares_the_next_one(spool: Played, committer: Committer) -> None:
    begun, go_on = threading.Event(), threading.Event()
    spool.at_commit = lambda: (begun.set(), go_on.wait(20))[0]
    stage(spool, committer)
    assert begun.wait(20)
    for _ in range(1000):
        stage(spool, committer)
    go_on.set()
    eventually(lambda: spool.rests)
    assert spool.commits == [(1, 0), (1000, 0)]
    # A thousand nudges are one wake-up, so the thread looks once more and not a thousand times.
    stage(spool, committer)
    eventually(lambda: len(spool.commits) == 3)
    eventually(lambda: spool.staged == 0)
    assert spool.rests <= 4


@pytest.fixture
def gathering(spool: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is staged without a hurry waits for an hour."""
    monkeypatch.setattr(module, "GATHERING", 3600.0)
    spool.gathers = True


def stage_at_leisure(spool: Played, committer: Committer) -> None:
    stage(spool, committer)
    eventually(lambda: committer.gathers)
    spool.staged += 3
    assert spool.commits == []


@pytest.mark.usefixtures("gathering")
def test_what_nobody_waits_for_gathers_company_until_somebody_is_in_a_hurry(
    spool: Played, committer: Committer
) -> None:
    for times in (1, 2):
        stage_at_leisure(spool, committer)
        stage(spool, committer)
        eventually(lambda times=times: spool.rests == times)
        assert spool.commits == [(5, 0)]
        spool.commits.clear()


@pytest.mark.usefixtures("gathering")
def test_who_asks_for_all_that_is_on_its_way_does_not_wait_for_company(
    spool: Played, committer: Committer
) -> None:
    stage_at_leisure(spool, committer)
    committer.ensure_awake()
    eventually(lambda: spool.rests)
    assert spool.commits == [(4, 0)]


@pytest.mark.usefixtures("gathering")
def test_who_waited_before_the_committer_looked_ends_the_gathering(
    spool: Played, committer: Committer
) -> None:
    spool.waiting = True
    spool.staged += 1
    committer.nudge()
    eventually(lambda: spool.rests)
    assert spool.commits == [(1, 0)]


@pytest.mark.usefixtures("gathering")
def test_a_stop_ends_the_gathering(spool: Played, committer: Committer) -> None:
    stage_at_leisure(spool, committer)
    (thread,) = threads_of(spool)
    committer.stop()
    assert not thread.is_alive()


def test_what_has_gathered_long_enough_is_committed(
    spool: Played, committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GATHERING", 0.02)
    spool.gathers = True
    spool.staged += 1
    committer.nudge()
    eventually(lambda: spool.rests)
    assert spool.commits == [(1, 0)]


def test_deletions_alone_wait_for_company(
    spool: Played, committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMOVAL_LINGER", 3600.0)
    spool.removals = 2
    committer.nudge_for_removals()
    time.sleep(0.02)
    assert spool.commits == []
    spool.removals += 1
    committer.nudge_for_removals()
    stage(spool, committer)
    eventually(lambda: spool.rests)
    assert spool.commits == [(1, 3)]
    # Who woke it meanwhile has not used up the wake-up of the next.
    stage(spool, committer)
    eventually(lambda: len(spool.commits) == 2)


@pytest.mark.parametrize("waits_for", ["something", "company", "the disk"])
def test_it_does_no_work_while_it_waits(
    spool: Played, committer: Committer, monkeypatch: pytest.MonkeyPatch, pauses: list[int], waits_for: str
) -> None:
    monkeypatch.setattr(module, "REMOVAL_LINGER", 3600.0)
    match waits_for:
        case "something":
            stage(spool, committer)
            eventually(lambda: spool.rests)
        case "company":
            spool.removals = 1
            committer.nudge_for_removals()
        case "the disk":
            spool.fails = [OSError("disk full")] * 10
            stage(spool, committer)
            eventually(lambda: pauses)
    time.sleep(0.1)
    assert spool.looks < 20


def test_deletions_are_committed_at_the_end_of_their_time_and_again_the_next_time(
    spool: Played, committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMOVAL_LINGER", 0.05)
    for number in range(1, 4):
        began = time.monotonic()
        for _ in range(5):
            spool.removals += 1
            committer.nudge_for_removals()
        eventually(lambda number=number: len(spool.commits) == number)
        assert time.monotonic() - began >= 0.05
        eventually(lambda number=number: spool.rests >= number)
    assert spool.commits == [(0, 5)] * 3


def test_deletions_that_another_has_committed_do_not_use_up_the_wake_up_of_the_next(
    spool: Played, committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMOVAL_LINGER", 0.01)
    committer.nudge_for_removals()
    eventually(lambda: spool.rests)
    spool.removals = 1
    committer.nudge_for_removals()
    eventually(lambda: spool.commits == [(0, 1)])


def test_a_hundred_deletions_are_one_wake_up(spool: Played, committer: Committer) -> None:
    begun, go_on = threading.Event(), threading.Event()
    spool.at_commit = lambda: (begun.set(), go_on.wait(20))[0]
    stage(spool, committer)
    assert begun.wait(20)
    for _ in range(100):
        committer.nudge_for_removals()
    go_on.set()
    eventually(lambda: spool.rests)
    stage(spool, committer)
    eventually(lambda: len(spool.commits) == 2 and not spool.staged)
    assert spool.rests <= 4


# -- failures ------------------------------------------------------------------------------------------


def test_a_commit_that_fails_is_tried_again_after_a_pause_that_grows(
    spool: Played, committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(module, "pause_before_retry", lambda failures, _config: asked.append(failures) or 0.0)
    monkeypatch.setattr(module, "_LEAST_PAUSE", 0.001)
    spool.fails = [OSError("disk full")] * 3
    stage(spool, committer)
    eventually(lambda: not spool.staged)
    assert spool.commits == [(1, 0)] * 4
    assert asked == [1, 2, 3]
    # What follows a success begins anew.
    spool.fails = [OSError("disk full")]
    stage(spool, committer)
    eventually(lambda: not spool.staged)
    assert asked == [1, 2, 3, 1]


def test_while_nobody_waits_a_failing_disk_has_its_pause_whatever_arrives(
    spool: Played, committer: Committer, pauses: list[int]
) -> None:
    spool.fails = [OSError("disk full")] * 1000
    stage(spool, committer)
    eventually(lambda: pauses)
    for _ in range(10):
        stage(spool, committer)
        time.sleep(0.01)
    assert pauses == [1]
    assert len(spool.commits) == 1


def test_who_waits_for_an_answer_has_one_soon_but_no_busy_disk(
    spool: Played, committer: Committer, pauses: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(module.time, "sleep", slept.append)
    spool.fails = [OSError("disk full")]
    stage(spool, committer)
    eventually(lambda: pauses, pause=0)
    spool.waiting = True
    committer.nudge()
    eventually(lambda: not spool.staged, pause=0)
    assert spool.commits == [(1, 0), (1, 0)]
    assert module._LEAST_PAUSE in slept


def test_deletions_that_failed_do_not_linger_again(
    spool: Played, committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    lingers = iter([0.0, 3600.0])

    class Lingers:
        def __radd__(self, _now: float) -> float:
            return time.monotonic() + next(lingers)

    monkeypatch.setattr(module, "REMOVAL_LINGER", Lingers())
    monkeypatch.setattr(module, "pause_before_retry", lambda *_: 0.0)
    monkeypatch.setattr(module, "_LEAST_PAUSE", 0.001)
    spool.fails = [OSError("disk full")]
    spool.removals = 1
    committer.nudge_for_removals()
    eventually(lambda: not spool.removals)
    assert spool.commits == [(0, 1)] * 2


def test_a_defect_in_a_commit_is_reported_and_the_thread_lives_on(
    spool: Played, committer: Committer, caplog: pytest.LogCaptureFixture
) -> None:
    spool.fails = [ZeroDivisionError("a defect")]
    stage(spool, committer)
    eventually(lambda: "the committer failed and resumes: ZeroDivisionError('a defect')" in caplog.text)
    stage(spool, committer)
    eventually(lambda: not spool.staged)
    assert spool.commits == [(1, 0), (2, 0)]


# -- the thread ----------------------------------------------------------------------------------------


def test_without_a_thread_nothing_is_committed_and_nobody_is_awake(spool: Played) -> None:
    committer = Committer(spool, threaded=False)
    stage(spool, committer)
    committer.ensure_awake()
    committer.nudge_for_removals()
    assert not threads_of(spool)
    assert not committer.is_here()
    committer.stop()


def test_the_thread_has_no_context_of_who_happened_to_start_it(spool: Played, committer: Committer) -> None:
    seen: list[str] = []
    spool.at_commit = lambda: seen.append(CONTEXT.get())
    CONTEXT.set("of a request")
    stage(spool, committer)
    eventually(lambda: seen)
    assert seen == [""]


def test_it_knows_whether_it_is_the_caller(spool: Played, committer: Committer) -> None:
    seen: list[bool] = []
    spool.at_commit = lambda: seen.append(committer.is_here())
    assert not committer.is_here()
    stage(spool, committer)
    eventually(lambda: seen)
    assert seen == [True]
    assert not committer.is_here()


def test_a_call_that_interrupts_the_start_of_the_thread_is_known(
    spool: Played, committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, seen = threading.Thread.start, list[bool]()

    def interrupted(self: threading.Thread) -> None:
        if self.name == "logweir-committer":
            seen.append(committer.is_here())
        start(self)

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    stage(spool, committer)
    assert seen == [True]
    assert not committer.is_here()


class Interrupted(SimpleQueue):  # type: ignore[type-arg]
    """Something interrupts the first put."""

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self.interrupts = [interrupt]

    def put(self, item: None, block: bool = True, timeout: float | None = None) -> None:
        if self.interrupts:
            self.interrupts.pop()()
        super().put(item, block, timeout)


def put_and_wait(committer: Committer) -> None:
    committer.nudge()
    committer.ensure_awake()


def wait_for_something_else(committer: Committer) -> None:
    kept[threading.get_ident()] = [committer]
    try:
        pay()
    finally:
        del kept[threading.get_ident()]


@pytest.mark.parametrize(
    "before_waiting",
    [
        Committer.ensure_awake,
        put_and_wait,
        lambda committer: committer.lead(5.0),
        wait_for_something_else,
    ],
)
def test_a_call_that_interrupts_a_nudge_before_its_wake_up_wakes_the_thread_itself(
    spool: Played, committer: Committer, before_waiting: Callable[[Committer], None]
) -> None:
    spool.interrupted = True  # nothing can be committed in the middle of a nudge, as where the disk is slow

    def interrupt() -> None:
        before_waiting(committer)
        eventually(lambda: spool.commits)

    committer._wakeups = Interrupted(interrupt)
    stage(spool, committer)
    eventually(lambda: spool.rests)
    assert spool.commits == [(1, 0)]
    # Afterwards there is nothing to do for others.
    before = committer._wakeups.qsize()
    committer.ensure_awake()
    assert committer._wakeups.qsize() == before


def test_who_relies_on_a_nudge_that_a_leading_call_interrupts_need_not_wait_for_that_call(
    spool: Played, committer: Committer
) -> None:
    def interrupt() -> None:
        committer.lead(5.0)
        assert spool.commits == [(1, 0)]
        other = threading.Thread(target=stage, args=(spool, committer))
        other.start()
        other.join()
        eventually(lambda: spool.commits[1:] == [(1, 0)])  # while this one waits for its event's sink

    committer._wakeups = Interrupted(interrupt)
    stage(spool, committer)


def test_where_there_are_no_threads_any_more_the_caller_commits(
    spool: Played, committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread at interpreter shutdown")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refused)
        for number in range(1, 4):
            stage(spool, committer)
            assert len(spool.commits) == number
            assert not committer.is_here()
        spool.fails = [OSError("disk full")]
        stage(spool, committer)
        assert spool.commits[3:] == [(1, 0)]  # and not without end
        spool.interrupted = True
        stage(spool, committer)
        assert len(spool.commits) == 4  # left to the work that this interrupts
        spool.interrupted = False
    # Where there is one again, it is used.
    stage(spool, committer)
    eventually(lambda: not spool.staged)
    assert spool.commits[4:] == [(3, 0)]
    assert spool.threads == {threading.current_thread(), committer._thread}


# -- the end -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("busy_with", ["nothing", "a commit", "deletions", "a pause", "a defect"])
def test_a_stop_ends_the_thread_whatever_it_waits_for(
    spool: Played,
    committer: Committer,
    monkeypatch: pytest.MonkeyPatch,
    pauses: list[int],
    caplog: pytest.LogCaptureFixture,
    busy_with: str,
) -> None:
    monkeypatch.setattr(module, "REMOVAL_LINGER", 3600.0)
    done: list[str] = []
    match busy_with:
        case "nothing":
            stage(spool, committer)
            eventually(lambda: spool.rests)
        case "a commit":
            begun = threading.Event()

            def slow() -> None:
                begun.set()
                time.sleep(0.05)
                done.append("committed")

            spool.at_commit = slow
            stage(spool, committer)
            assert begun.wait(20)
        case "deletions":
            spool.removals = 1
            committer.nudge_for_removals()
        case "a pause":
            spool.fails = [OSError("disk full")] * 10
            stage(spool, committer)
            eventually(lambda: pauses)
        case "a defect":
            spool.fails = [ZeroDivisionError()] * 10
            stage(spool, committer)
            eventually(lambda: "resumes" in caplog.text)
    began = time.monotonic()
    committer.stop()
    committer.stop()
    assert not threads_of(spool)
    assert time.monotonic() - began < 4.0  # less than the longest pause
    assert done == (["committed"] if busy_with == "a commit" else [])
    before = len(spool.commits)
    stage(spool, committer)
    committer.nudge_for_removals()
    committer.ensure_awake()
    assert not threads_of(spool)
    assert len(spool.commits) == before


def test_after_a_stop_no_thread_is_begun(
    spool: Played, committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    committer.stop()
    begun: list[object] = []
    monkeypatch.setattr(threading, "Thread", lambda **thread: begun.append(thread))
    stage(spool, committer)
    committer.nudge_for_removals()
    committer.ensure_awake()
    assert begun == []


def test_a_stop_from_the_thread_itself_does_not_wait_for_itself(spool: Played, committer: Committer) -> None:
    stopped: list[str] = []

    def stop() -> None:
        committer.stop()
        stopped.append("stopped")

    spool.at_commit = stop
    stage(spool, committer)
    eventually(lambda: stopped == ["stopped"], 5.0)
    eventually(lambda: not threads_of(spool))
