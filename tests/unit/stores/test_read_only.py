"""Reading back needs no permission to write, and makes nothing."""

import asyncio
import encodings.utf_8_sig  # noqa: F401 - another user may not be able to read the library
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import logweir.sinks.file.sink
import logweir.sinks.sql.sink
import logweir.telemetry.server  # noqa: F401 - nor the code
from logweir.cli.app import app
from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.delivery.dead_letters import DeadLetter, DeadLetters
from logweir.runtime.runtime import Runtime
from logweir.sinks.contract import Query
from logweir.stores.reading import Answers, search_each
from support.permissions import nobody, public_folder

ROUTING = """
data_dir: {folder}/data
sinks:
  db: {{type: sqlite, url: "sqlite+aiosqlite:///{folder}/audit.db", provision: true, mode: "0644"}}
  log: {{type: file, path: {folder}/x.jsonl, mode: "0644"}}
routes:
  - {{name: all, to: [db, log]}}
"""


def configured(folder: Path) -> RoutingConfig:
    return load_config(yaml.safe_load(ROUTING.format(folder=folder)))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with two stores of one event, which others may read and not write."""
    with public_folder() as place:
        runtime = Runtime(configured(place))
        runtime.start()
        runtime.emit("paid", {"amount": 12})
        assert runtime.stop(10)
        (place / "data").chmod(0o755)
        place.chmod(0o555)
        yield place
        place.chmod(0o755)


def found_by(folder: Path) -> Answers:
    return asyncio.run(search_each(configured(folder), Query(name="paid"), ["db", "log"]))


def test_s5_who_may_only_read_finds_what_is_stored(folder: Path) -> None:
    before = sorted(folder.iterdir())
    with nobody():
        answers = found_by(folder)
    assert answers.silent == {}
    assert [found.sink for found in answers.found] == ["db", "log"]
    assert sorted(folder.iterdir()) == before


def test_s5_a_store_that_is_written_at_the_moment_can_be_read(folder: Path) -> None:
    folder.chmod(0o755)
    runtime = Runtime(configured(folder))
    runtime.start()
    try:
        runtime.emit("paid", {"amount": 13})
        assert runtime.flush(10)
        with nobody():
            answers = found_by(folder)
    finally:
        runtime.stop(10)
    assert answers.silent == {}
    assert sorted(found.event.fields["amount"] for found in answers.found) == [12, 12, 13, 13]


def test_s5_what_was_never_stored_is_reported_and_not_made(tmp_path: Path) -> None:
    answers = found_by(tmp_path)
    assert set(answers.silent) == {"db", "log"}
    assert all("does not exist" in reason for reason in answers.silent.values())
    assert list(tmp_path.iterdir()) == []


def test_s5_check_counts_dead_letters_that_it_may_only_read(folder: Path) -> None:
    folder.chmod(0o755)
    letters = DeadLetters(folder / "data")
    letters.add([_letter()])
    for file in (folder / "data").iterdir():
        file.chmod(0o644)
    folder.chmod(0o555)
    with nobody():
        assert DeadLetters(folder / "data").look().count == 1
    assert sorted(file.name for file in (folder / "data").glob("dead_letters*")) == ["dead_letters.db"]


def test_s5_dead_letters_that_nobody_may_read_do_not_end_the_check(folder: Path) -> None:
    DeadLetters(folder / "data").add([_letter()])
    routing = folder / "data" / "routing.yaml"
    routing.write_text(ROUTING.format(folder=folder))
    routing.chmod(0o644)
    if os.geteuid() != 0:
        (folder / "data" / "dead_letters.db").chmod(0)
    with nobody():
        result = CliRunner().invoke(app, ["check", "--no-probe", "-c", str(routing)])
    assert "dead letters cannot be read" in result.output
    assert result.exit_code == 1


def _letter() -> DeadLetter:
    return DeadLetter.of_line("x:1", "no JSON", b"line")
