"""Following files while sinks are slow: what is copied and truncated meanwhile is read from its beginning."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from logweir.cli.interruption import Interruption
from logweir.cli.run_follow import Follower
from logweir.cli.run_lines import LineReader
from logweir.cli.run_outcome import Outcome
from logweir.cli.run_process import Options, read_here
from logweir.config.loading import load_config
from logweir.sinks.memory import MemorySink
from logweir.stores.checkpoint_file import digest, load
from logweir.stores.checkpoints import Checkpoints
from support import sinks as misbehaving
from support.waiting import eventually

pytestmark = [pytest.mark.busy, pytest.mark.timeout(120)]

ROUTING = {
    "data_dir": "data",
    "drain_timeout": "200ms",
    "sinks": {"out": {"type": "support.sinks:Slow"}},
    "routes": [{"name": "all", "to": ["out"]}],
}


@pytest.fixture(autouse=True)
def _sick_until_healed() -> Iterator[None]:
    misbehaving.healed.clear()
    yield
    misbehaving.healed.set()


class Looking(Interruption):
    """Counts the looks at files that had nothing new, and looks more often than a run on its own."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def wait(self, seconds: float) -> None:
        self.looks += 1
        super().wait(seconds / 4)


class Following:
    """``logweir run -f`` in a thread of this process.

    Attributes:
        reader: Reads the lines, from the moment at which the run has begun.
        said: What was reported at once.
    """

    def __init__(self, *names: str) -> None:
        self.reader: LineReader | None = None
        self.said: list[str] = []
        self._names = list(names)
        self._interruption = Looking()
        self._thread = ThreadPoolExecutor(1)
        self._outcome: Future[Outcome] = self._thread.submit(self._run)

    def _run(self) -> Outcome:
        config = load_config(ROUTING)
        with Checkpoints(Path("data/checkpoints")) as checkpoints:
            return read_here(config, checkpoints, self._interruption, Options(follow=True), self._follow)

    def _follow(self, reader: LineReader) -> bool:
        self.reader = reader
        Follower(reader, self._names, self._interruption, self.said.append).run()
        return False

    def has_read(self, count: int) -> bool:
        if self._outcome.done():
            pytest.fail(f"the run has ended: {self._outcome.result()}")
        return self.reader is not None and self.reader.read >= count

    def looks_again(self) -> None:
        """Wait until all of what is there now was looked at."""
        looks = self._interruption.looks
        eventually(lambda: self._interruption.looks > looks + 1, 20)

    def end(self) -> Outcome:
        self._interruption.asked = signal.SIGTERM
        self._thread.shutdown()
        return self._outcome.result()


@pytest.fixture
def follow() -> Iterator[type[Following]]:
    begun = list[Following]()

    class Ended(Following):
        def __init__(self, *names: str) -> None:
            super().__init__(*names)
            begun.append(self)

    yield Ended
    misbehaving.healed.set()
    for each in begun:
        each.end()


def stored() -> list[str]:
    return sorted(event.name for event in list(MemorySink.of("out").events.values()))


def truncate(log: Path, content: str) -> None:
    """Do what the ``copytruncate`` of logrotate does, and what its writer does then."""
    with log.open("r+") as file:
        file.truncate(0)
        file.write(content)


def following_an_empty_file(follow: type[Following]) -> tuple[Path, Following]:
    """A file without a line yet, and the run that reads it."""
    log = Path("app.log")
    log.touch()
    run = follow("app.log")
    eventually(lambda: run.reader is not None)
    return log, run


def test_lines_at_the_places_of_others_that_no_sink_has_settled_are_no_duplicates(
    follow: type[Following],
) -> None:
    log, run = following_an_empty_file(follow)
    log.write_text("".join(f"first  {n}\n" for n in range(5)))
    eventually(lambda: run.has_read(5))
    truncate(log, "".join(f"second {n}\n" for n in range(5)))  # as long as what was there
    eventually(lambda: run.has_read(10), 20)
    misbehaving.healed.set()
    eventually(lambda: len(stored()) == 10, 20, found=stored)
    assert run.end().sinks["out"][2] == 0, "a line was taken for a duplicate"
    assert ["it is read from its beginning" in said for said in run.said] == [True]


def test_a_file_that_was_empty_is_known_by_its_lines_before_a_sink_has_settled_one(
    follow: type[Following],
) -> None:
    log, run = following_an_empty_file(follow)
    log.write_text("a line\n")
    eventually(lambda: run.has_read(1))
    (path,) = Path("data/checkpoints").glob("*.json")
    saved, _ = load(path)
    assert saved is not None
    assert (saved.head, saved.offset) == (digest(b"a line\n"), 0)


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_one_file_by_two_names_is_read_once_also_through_a_rotation(
    follow: type[Following], link: Callable[[Path, str], None]
) -> None:
    misbehaving.healed.set()
    log = Path("app.log")
    log.write_text("one\n")
    link(Path("current.log"), "app.log")
    run = follow("app.log", "./app.log", "current.log", "app.log.1")
    run.looks_again()
    log.rename("app.log.1")
    log.write_text("two\n")
    run.looks_again()
    with Path("app.log.1").open("a") as late:
        late.write("late\n")
    run.looks_again()
    assert run.end().sinks["out"][0] == 3
    assert stored() == ["late", "one", "two"]


def test_what_cannot_be_read_under_a_name_is_said_once_and_ends_nothing(follow: type[Following]) -> None:
    misbehaving.healed.set()
    for log in (Path("app.log"), Path("web.log")):
        log.write_text("before\n")
    run = follow("app.log", "web.log")
    eventually(lambda: run.has_read(2))
    Path("new.log").write_bytes(b"PK\x03\x04" + bytes(100))
    Path("new.log").replace("app.log")
    Path("web.log").unlink()
    Path("web.log").mkdir()
    eventually(lambda: len(run.said) == 2)
    run.looks_again()
    assert sorted(said.partition(":")[0] for said in run.said) == ["app.log", "web.log"]
    Path("web.log").rmdir()
    for log in (Path("app.log"), Path("web.log")):
        log.unlink(missing_ok=True)
        log.write_text("after\n")
    eventually(lambda: run.has_read(4))
    run.end()
    assert stored() == ["after", "after", "before", "before"]


def test_what_grows_into_no_file_of_lines_is_said_once_and_ends_nothing(follow: type[Following]) -> None:
    misbehaving.healed.set()
    for log in (Path("app.log"), Path("rotated.log")):
        log.write_bytes(b"P")
    run = follow("app.log", "rotated.log")
    run.looks_again()
    Path("rotated.log").rename("rotated.log.1")
    Path("rotated.log").touch()
    run.looks_again()  # the one that lost its name is still read
    for log in (Path("app.log"), Path("rotated.log.1")):
        with log.open("ab") as writer:
            writer.write(b"K\x03\x04" + bytes(100))
    run.looks_again()
    run.looks_again()
    assert run.said == [
        "app.log: it is a zip archive, which cannot be read; unpack it first; it is read as soon as it can be"
    ]
    for log in (Path("app.log"), Path("rotated.log")):
        log.write_text("after\n")
    eventually(lambda: run.has_read(2))
    outcome = run.end()
    assert stored() == ["after", "after"]
    assert [note.partition(",")[0] for note in outcome.notes] == ["rotated.log.1: it was rotated.log"]


def _is_a_loop_now(log: Path) -> None:
    log.unlink()
    log.symlink_to(log.name)


def _is_a_pipe_now(log: Path) -> None:
    log.unlink()
    os.mkfifo(log)


def _is_below_a_file_now(log: Path) -> None:
    log.unlink()
    log.parent.rmdir()
    log.parent.touch()


def _is_gone_with_its_directory(log: Path) -> None:
    log.unlink()
    log.parent.rmdir()


@pytest.mark.parametrize("is_read", [True, False])
@pytest.mark.parametrize(
    "become", [_is_a_loop_now, _is_a_pipe_now, _is_below_a_file_now, _is_gone_with_its_directory]
)
def test_a_name_that_leads_to_no_file_is_waited_for(
    become: Callable[[Path], None], is_read: bool, follow: type[Following]
) -> None:
    misbehaving.healed.set()
    log = Path("logs/app.log")
    log.parent.mkdir()
    log.write_text("before\n")
    if not is_read:
        become(log)
    run = follow("logs/app.log")
    eventually(lambda: run.has_read(is_read))
    if is_read:
        become(log)
    run.looks_again()
    run.looks_again()
    assert len(set(run.said)) == len(run.said) <= 1
    if log.parent.is_dir():
        log.unlink()
    else:
        log.parent.unlink(missing_ok=True)
        log.parent.mkdir()
    log.write_text("after\n")
    eventually(lambda: run.has_read(1 + is_read))
    run.end()
    assert stored() == ["after", "before"][: 1 + is_read]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
def test_the_encoding_of_a_file_is_seen_when_its_first_bytes_have_come(
    follow: type[Following], encoding: str
) -> None:
    misbehaving.healed.set()
    log = Path("app.log")
    log.touch()
    run = follow("app.log")
    run.looks_again()
    written = "hello one\nhello two\n".encode(encoding)
    with log.open("ab", buffering=0) as writer:
        for begun, end in ((0, 1), (1, 3), (3, 7), (7, len(written))):
            writer.write(written[begun:end])
            run.looks_again()
    eventually(lambda: run.has_read(2), 20)
    eventually(lambda: len(stored()) == 2, 20)
    assert stored() == ["hello one", "hello two"]


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (
            "logs/app.log.1",
            "logs/app.log.1: it was logs/app.log, and is not stored to its end; `logweir run logs/app.log.1`",
        ),
        (None, "logs/app.log: the file that had this name is gone, and was not stored to its end"),
        ("", "logs/app.log: the file that had this name is gone, and was not stored to its end"),
    ],
    ids=["renamed", "removed", "removed with its directory"],
)
def test_what_is_left_of_a_file_that_lost_its_name_is_said_when_the_run_ends(
    follow: type[Following], now: str | None, said: str
) -> None:
    log = Path("logs/app.log")
    log.parent.mkdir()
    log.write_text("".join(f"old {n:05d}\n" for n in range(20_000)))
    run = follow("logs/app.log")
    eventually(lambda: run.has_read(8_000))
    if now:
        log.rename(now)
        log.write_text("new\n")
    else:
        _is_gone_with_its_directory(log) if now == "" else log.unlink()
    assert [note[: len(said)] for note in run.end().notes] == [said]


def test_nothing_is_said_of_a_renamed_file_of_which_nothing_is_left(follow: type[Following]) -> None:
    log = Path("app.log")
    log.write_text("one\ntwo\n")
    run = follow("app.log")
    eventually(lambda: run.has_read(2))
    log.rename("app.log.1")
    run.looks_again()
    assert run.end().notes == []  # what no sink had taken is safe on disk


def test_what_is_truncated_while_the_run_waits_for_a_sink_is_read_from_its_beginning(
    follow: type[Following],
) -> None:
    log = Path("app.log")
    log.write_text("".join(f"old {n:05d}\n" for n in range(20_000)))
    run = follow("app.log")
    eventually(lambda: run.has_read(8_000))
    truncate(log, "".join(f"new {n:05d}\n" for n in range(12_000)))
    misbehaving.healed.set()
    new = [f"new {n:05d}" for n in range(12_000)]
    eventually(lambda: new[-1] in stored(), 60, pause=0.1)
    eventually(lambda: [name for name in stored() if name.startswith("new")] == new, 20, pause=0.1)
    assert all(len(name) == 9 for name in stored()), "a line is put together from two"
