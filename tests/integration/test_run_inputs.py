"""``logweir run`` over files that are compressed, in UTF-16, pipes, or still being written."""

import bz2
import gzip
import importlib
import json
import lzma
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from logweir.encoding.events import decode_event
from support import forked
from support.log_runs import ran
from support.programs import ended_with_the_test
from support.waiting import eventually, whole_lines

pytestmark = [pytest.mark.busy, pytest.mark.timeout(300)]

CONFIG = """\
data_dir: data
sinks: {lines: {type: file, path: out.jsonl}}
routes: [{name: all, to: [lines]}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "routing.yaml").write_text(CONFIG)
    return tmp_path


def start(folder: Path, *arguments: str, **options: object) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(  # type: ignore[call-overload]
        [str(Path(sys.executable).with_name("logweir")), "run", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **options,
    )
    return ended_with_the_test(process)


def run_with_input(folder: Path, *arguments: str, stdin: bytes) -> tuple[int, str]:
    done = forked.run(
        ["logweir", "run", *arguments],
        cwd=folder,
        env=os.environ,
        stdin=stdin,
        together=True,
        timeout=120,
    )
    return done.returncode, " ".join(done.stdout.split())


def stored(folder: Path) -> list[str]:
    path = folder / "out.jsonl"
    return [decode_event(line).name for line in whole_lines(path)]


def lines(*names: str) -> bytes:
    return b"".join(
        json.dumps({"msg": name, "time": "2026-01-02T03:04:05Z"}, ensure_ascii=False).encode() + b"\n"
        for name in names
    )


def test_f7_compressed_files_and_other_encodings_are_read_by_what_is_in_them_and_once(folder: Path) -> None:
    text = lines("utf-16 é").decode()
    files = {
        "a.log": gzip.compress(lines("gz 1")) + gzip.compress(lines("gz 2")),
        "b.log": bz2.compress(lines("bz2")),
        "c.log": lzma.compress(lines("xz")),
        "d.log": text.replace("é", "le").encode("utf-16-le"),
        "e.log": text.encode("utf-16"),
        "f.log": gzip.compress(text.replace("é", "in gz").encode("utf-16")),
        "g.log": b"\xef\xbb\xbf" + lines("bom"),
    }
    expected = {"gz 1", "gz 2", "bz2", "xz", "utf-16 le", "utf-16 é", "utf-16 in gz", "bom"}
    try:
        zstandard = importlib.import_module("zstandard")
        files["h.log"] = zstandard.compress(lines("zst 1")) + zstandard.compress(lines("zst 2"))
        expected |= {"zst 1", "zst 2"}
    except ImportError:
        pass
    for name, content in files.items():
        (folder / name).write_bytes(content)
    code, said = ran(*files)
    assert (code, set(stored(folder))) == (0, expected), said
    code, said = ran(*files)
    assert (code, len(stored(folder))) == (0, len(expected)), said
    assert f"0 events read, 0 malformed lines, {len(expected)} lines stored before" in said
    code, said = ran("--from-start", *files)
    assert (code, len(stored(folder))) == (0, len(expected)), said
    assert f"{len(expected)} events read" in said


def test_lines_of_one_event_are_joined_where_routing_yaml_says_so_and_a_followed_file_waits_for_the_last(
    folder: Path,
) -> None:
    (folder / "routing.yaml").write_text(CONFIG + "input: {multiline: true}\n")
    log = folder / "app.log"
    log.write_bytes(b"ERROR no\nTraceback (most recent call last):\n  File 1\n")
    process = start(folder, "-f", "app.log")
    eventually(lambda: stored(folder) == ["ERROR no"], 60)
    with log.open("ab") as writer:
        writer.write(b"next\n  more\nlast\n")
    eventually(lambda: stored(folder) == ["ERROR no", "next", "last"], 60)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    with log.open("ab") as writer:
        writer.write(b"after\n  it\n")
    code, said = ran("app.log")
    assert (code, "1 event read" in said, "6 lines stored before" in said) == (0, True, True), said
    code, said = run_with_input(folder, "-", stdin=b"piped\n  more\nend")
    assert (code, stored(folder)[3:]) == (0, ["after", "piped", "end"]), said
    events = [decode_event(line) for line in (folder / "out.jsonl").read_bytes().splitlines()]
    assert events[0].fields["exception"] == "Traceback (most recent call last):\n  File 1"


def test_f7_what_is_damaged_or_no_log_is_reported(folder: Path) -> None:
    content = gzip.compress(lines(*(f"line {n} {os.urandom(9).hex()}" for n in range(5000))))
    (folder / "torn.log").write_bytes(content[:-2000])
    code, said = ran("torn.log")
    assert code == 1
    assert "its compressed data are damaged or end early" in said
    before = len(stored(folder))
    assert before > 1000
    (folder / "torn.log").write_bytes(content)  # as when it was still being copied
    assert ran("torn.log")[0] == 0
    assert len(stored(folder)) == len(set(stored(folder))) == 5000
    (folder / "a.zip").write_bytes(b"PK\x03\x04....")
    code, said = ran("a.zip")
    assert (code, "a zip archive" in said) == (2, True)
    code, said = run_with_input(folder, "-", stdin=b'{"a": }\n{"b"\n')
    assert (code, "2 malformed lines" in said) == (1, True)


def test_f7_pipes_are_read_as_files_are(folder: Path) -> None:
    fifo = folder / "pipe"
    os.mkfifo(fifo)
    process = start(folder, "pipe")
    with fifo.open("wb") as writer:
        writer.write(gzip.compress(lines("by a pipe")))
    said, _ = process.communicate(timeout=120)
    assert (process.returncode, stored(folder)) == (0, ["by a pipe"]), said
    code, said_too = run_with_input(
        folder, "/dev/stdin", stdin="\ufeff".encode("utf-16-le") + '{"msg": "x"}\n'.encode("utf-16-le")
    )
    assert (code, stored(folder)) == (0, ["by a pipe", "x"]), said_too


def test_a_run_over_a_pipe_into_which_nobody_writes_ends_by_ctrl_c(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    process = start(folder, "pipe")
    writers: list[int] = []

    def is_read() -> bool:
        try:
            writers.append(os.open(folder / "pipe", os.O_WRONLY | os.O_NONBLOCK))
        except OSError:  # nobody reads it yet
            return False
        return True

    eventually(is_read, 60)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    os.close(writers[0])
    assert process.returncode == 130, said


def test_following_goes_on_through_both_kinds_of_rotation_and_ctrl_c(folder: Path) -> None:
    log = folder / "app.log"
    log.write_bytes(lines("one"))
    process = start(folder, "-f", "app.log", "later.log")
    eventually(lambda: stored(folder) == ["one"], 60)
    with log.open("ab") as writer:  # a line in two halves
        whole = lines("two")
        writer.write(whole[:9])
        writer.flush()
        (folder / "later.log").write_bytes(lines("later"))
        eventually(lambda: "later" in stored(folder), 60)
        writer.write(whole[9:])
        writer.flush()
        eventually(lambda: "two" in stored(folder), 60)
        log.rename(folder / "app.log.1")
        log.write_bytes(lines("three"))
        eventually(lambda: "three" in stored(folder), 60)
        writer.write(lines("late in the renamed one"))
        writer.flush()
        eventually(lambda: "late in the renamed one" in stored(folder), 60)
    shutil.copy(log, folder / "app.log.0")
    with log.open("r+b") as writer:
        writer.truncate(0)
        writer.write(lines("four, and longer than what was there"))
    eventually(lambda: "four, and longer than what was there" in stored(folder), 60)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"6 events read" in b" ".join(said.split()), said
    with log.open("ab") as writer:
        writer.write(lines("five"))
    assert ran("app.log.1", "app.log", "later.log")[0] == 0
    assert sorted(stored(folder)) == sorted(
        [
            "one",
            "later",
            "two",
            "three",
            "late in the renamed one",
            "four, and longer than what was there",
            "five",
        ]
    )
