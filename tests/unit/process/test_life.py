"""The life of a process: the table, the page that shows it, and a model that walks through it with the real runtime."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.strategies import booleans

import logweir
from logweir.diagnostics import after_fork as forget_reports
from logweir.encoding.events import decode_event
from logweir.errors import LogweirError, NotRunning
from logweir.process.life import ANSWERS, NEXT, Answer, Call, Life, Stage
from logweir.runtime import current as runtime
from support.waiting import whole_lines

PAGE = Path(__file__).parents[3] / "docs/explanation/process-life.md"


def rows(heading: str) -> dict[str, list[str]]:
    """The rows of the table under a heading, by their first cell."""
    section = PAGE.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in re.findall(r"^\|.*$", section, re.MULTILINE)
    ]
    return {row[0]: row[1:] for row in cells}


def test_every_stage_has_an_answer_to_every_call_and_the_page_shows_it() -> None:
    table = rows("What a call gets")
    assert table.pop("stage") == [call.value for call in Call]
    del table["---"]
    assert table == {stage: [ANSWERS[stage][call].value for call in Call] for stage in Stage}


def test_the_page_says_which_stage_follows_which() -> None:
    table = {stage: row[-1] for stage, row in rows("The stages").items() if stage in set(Stage)}
    assert table.keys() == set(Stage)
    for stage in NEXT:
        assert set(table[stage].split(", ")) == {following.value for following in NEXT[stage]}
    assert {table[stage] for stage in set(Stage) - set(NEXT)} == {"the stage below"}


def test_every_stage_can_be_reached_and_what_cannot_follow_is_refused() -> None:
    reached, found = {Stage.BEFORE_START}, [Stage.BEFORE_START]
    while found:
        new = NEXT[found.pop()] - reached
        reached |= new
        found += new
    assert reached == set(NEXT)
    with pytest.raises(RuntimeError, match="a process that is 'before start' cannot become 'running'"):
        Life().to(Stage.RUNNING)


def test_lines_are_lost_in_no_stage_and_audit_calls_are_served_or_refused() -> None:
    assert {ANSWERS[stage][Call.LOG] for stage in Stage} == {Answer.SERVED, Answer.KEPT, Answer.SAVED}
    assert {ANSWERS[stage][Call.AUDIT] for stage in Stage} == {Answer.SERVED, Answer.REFUSED}


def test_a_child_forked_in_the_middle_of_a_start_may_start_by_itself() -> None:
    life = Life()
    life.to(Stage.STARTING)
    life.fork_begins()
    life.born()
    assert life.stage is Stage.BEFORE_START
    assert life.answer(Call.START) is Answer.SERVED


@pytest.mark.parametrize("to_the_end", [False, True])
def test_a_child_forked_in_the_middle_of_a_stop_delivers_or_has_stopped(
    tmp_path: Path, to_the_end: bool
) -> None:
    """The stop is another thread's: what it has not yet done is done by nobody in the child."""
    config = {
        "data_dir": str(tmp_path / "data"),
        "sinks": {"out": {"type": "file", "path": str(tmp_path / "out.jsonl")}},
        "routes": [{"name": "all", "to": ["out"]}],
    }
    started = logweir.start(config, handle_signals=False)
    runtime._state.life.to(Stage.DRAINING)
    if to_the_end:
        started.stop()
    pid = os.fork()
    if pid == 0:
        good = runtime.stage() is (Stage.STOPPED if to_the_end else Stage.CHILD)
        good = good and logweir.start(config, handle_signals=False).emit("in the child", {}) is not None
        os._exit(0 if good and logweir.stop() else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert logweir.stop()
    names = [decode_event(line).name for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    assert names == ["in the child"]


class ProcessLife(RuleBasedStateMachine):
    """A process as its calls see it: stages by the table, and every line stored once, kept, or saved."""

    def __init__(self) -> None:
        super().__init__()
        forget_reports()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "out.jsonl"
        self.life = runtime.apart()
        self.life.__enter__()
        logweir.configure_structlog()
        self.log = logweir.get_logger()
        self.expected = Stage.BEFORE_START
        self.version = 0  # of the configuration that was started last
        self.logged = 0

    def config(self, version: int) -> dict[str, Any]:
        queue = {"type": "disk" if version % 2 else "memory"}
        return {
            "service": f"v{version}",
            "data_dir": f"{self.directory.name}/data",
            "sinks": {
                "out": {"type": "file", "path": str(self.path), "queue": queue, "batch": {"linger": 0}}
            },
            "routes": [{"name": "all", "to": ["out"]}],
        }

    def stored(self) -> list[str]:
        """The names of what the sink has."""
        lines = whole_lines(self.path)
        return sorted(decode_event(line).name for line in lines)

    def answer(self, call: Call) -> Answer:
        return ANSWERS[self.expected][call]

    @rule()
    def line(self) -> None:
        self.log.info(f"line {self.logged}", persist_db=bool(self.logged % 3))
        # At the exit of a process that never started there is nothing to save it to: it is reported.
        self.logged += self.version > 0 or self.expected is not Stage.AT_EXIT

    @rule()
    def audit(self) -> None:
        if self.answer(Call.AUDIT) is Answer.SERVED:
            logweir.audit_sync(f"line {self.logged}", acknowledge="stored")
            self.logged += 1
        else:
            with pytest.raises(NotRunning):
                logweir.audit_sync("refused")

    @rule()
    def flush(self) -> None:
        if self.answer(Call.FLUSH) is Answer.SERVED:
            assert logweir.flush()
            assert self.everything_is_stored()
        else:
            with pytest.raises(NotRunning):
                logweir.flush()

    @rule()
    def metrics(self) -> None:
        if self.answer(Call.METRICS) is Answer.SERVED:
            assert logweir.metrics().dropped_at_stop == 0
        else:
            with pytest.raises(NotRunning):
                logweir.metrics()

    @rule(same=booleans())
    def start(self, same: bool) -> None:
        running = logweir.current()
        version = self.version if same and self.version else self.version + 1
        answer = self.answer(Call.START)
        if answer is Answer.REFUSED and version != self.version:
            with pytest.raises(LogweirError, match="another configuration is running"):
                logweir.start(self.config(version), handle_signals=False)
            return
        found = logweir.start(self.config(version), handle_signals=False)
        assert running is None or found is running
        self.version = version
        if running is None:
            self.expected = Stage.RUNNING

    @rule()
    def stop(self) -> None:
        if self.answer(Call.STOP) is Answer.SERVED:
            assert logweir.stop()
            assert self.everything_is_stored()
            self.expected = Stage.STOPPED
        else:
            assert logweir.stop()

    @rule()
    def reload(self) -> None:
        if self.answer(Call.RELOAD) is Answer.SERVED:
            self.version += 1
            logweir.reload(self.config(self.version))
        else:
            with pytest.raises(NotRunning):
                logweir.reload(self.config(self.version))

    @rule()
    def fork(self) -> None:
        """A child with a line of its own, which starts another configuration, and stops."""
        pid = os.fork()
        if pid == 0:
            os._exit(self.failures_of_a_child())
        assert os.waitpid(pid, 0)[1] == 0
        if logweir.current() is not None:
            self.logged += 2

    def failures_of_a_child(self) -> int:
        try:
            if logweir.current() is None:
                assert runtime.stage() is self.expected
                return 0
            assert runtime.stage() is Stage.CHILD
            self.log.info(f"line {self.logged}")
            logweir.start(self.config(self.version + 1), handle_signals=False)
            assert runtime.stage() is Stage.RUNNING
            self.log.info(f"line {self.logged + 1}")
            assert logweir.stop()
        except BaseException as error:  # noqa: BLE001 - a copy of pytest must not go on with it
            sys.stderr.write(f"in the child: {error!r}\n")
            return 1
        return 0

    @rule()
    @precondition(lambda self: self.expected not in {Stage.MAIN_ENDED, Stage.AT_EXIT})
    def main_thread_ends(self) -> None:
        late = self.expected is Stage.STOPPED and not self.everything_is_stored()
        runtime._when_main_ends()
        if late or logweir.current() is not None:
            self.expected = Stage.MAIN_ENDED
            assert self.everything_is_stored()

    @rule()
    def last_drain(self) -> None:
        runtime._at_last()
        if self.expected is Stage.BEFORE_START:
            self.logged = 0  # nobody ever started: counted, reported, and given up
        self.expected = Stage.AT_EXIT
        assert self.version == 0 or self.everything_is_stored()

    def everything_is_stored(self) -> bool:
        return self.stored() == sorted(f"line {number}" for number in range(self.logged))

    def settle(self) -> None:
        """Wait until nothing waits."""
        if logweir.current() is not None:
            assert logweir.flush()

    @invariant()
    def the_stage_is_that_of_the_table(self) -> None:
        assert runtime.stage() is self.expected
        assert (logweir.current() is not None) == (self.answer(Call.METRICS) is Answer.SERVED)

    def teardown(self) -> None:
        """Find every line, if anybody ever started."""
        try:
            if self.version:
                if logweir.current() is None:
                    logweir.start(self.config(self.version), handle_signals=False)
                self.settle()
                assert self.everything_is_stored()
        finally:
            logweir.stop(timeout=1.0)
            self.life.__exit__(None, None, None)
            self.directory.cleanup()


TestProcessLife = ProcessLife.TestCase
TestProcessLife.settings = settings(max_examples=30, stateful_step_count=15, deadline=None)
