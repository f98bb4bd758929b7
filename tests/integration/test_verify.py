"""``logweir verify``: what it says, how it ends, and what it refuses."""

import os
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

import logweir
from logweir.cli.app import app
from logweir.config.loading import load_config
from logweir.errors import ConfigError

CONFIG: dict[str, Any] = {
    "service": "shop",
    "audit": {"chain": True, "chain_key": "a key of sixteen characters"},
    "sinks": {
        "audit_db": {"type": "sqlite", "url": "sqlite+aiosqlite:///audit.db", "provision": True},
        "rest": {"type": "null"},
    },
    "routes": [{"name": "a", "match": {"kind": "audit"}, "to": ["audit_db"]}, {"name": "r", "to": ["rest"]}],
}


@pytest.fixture
def audited(tmp_path: Path) -> Path:
    """A routing file, and some audit rows that were written by it."""
    config = tmp_path / "routing.yaml"
    config.write_text(yaml.safe_dump(CONFIG))
    with logweir.running(str(config)):
        for number in range(5):
            logweir.audit_sync("fund.transfer", user_id=number, amount=number)
        logweir.LogService().create_audit_log_sync(user_id=9, action="permission.grant")
    return config


def verify(config: Path, *more: str) -> Result:
    return CliRunner().invoke(app, ["verify", "-c", str(config), *more])


def run(statement: str) -> None:
    with closing(sqlite3.connect("audit.db")) as database, database:
        database.execute(statement)


def test_sound_rows_end_with_zero(audited: Path) -> None:
    done = verify(audited)
    assert done.exit_code == 0, done.output
    assert "audit_db: 6 rows of 2 chains verified: sound" in done.output


def test_a_changed_row_is_named_and_ends_with_one(audited: Path) -> None:
    run("UPDATE audit_log SET user_id = 'mallory' WHERE action = 'permission.grant'")
    done = verify(audited, "--sink", "audit_db", "--save-heads", "heads.jsonl")
    assert done.exit_code == 1
    assert "audit_db: changed writer " in done.output
    assert " seq 1 event " in done.output
    assert "1 finding" in done.output
    assert "no heads were saved" in done.output
    assert not Path("heads.jsonl").exists()


def test_saved_heads_show_what_was_cut_off(audited: Path) -> None:
    assert "2 heads saved" in verify(audited, "--sink", "audit_db", "--save-heads", "heads.jsonl").output
    assert verify(audited, "--sink", "audit_db", "--heads", "heads.jsonl").exit_code == 0
    run("DELETE FROM audit_log WHERE action = 'permission.grant'")
    run("DELETE FROM audit_log_chain WHERE seq = 1")
    assert verify(audited).exit_code == 0
    done = verify(audited, "--sink", "audit_db", "--heads", "heads.jsonl")
    assert done.exit_code == 1
    assert "has been cut off" in done.output


@pytest.mark.parametrize("jobs", [[], ["--jobs", "2"]], ids=["alone", "jobs"])
def test_sinks_that_cannot_be_read_are_named_and_the_others_are_verified(
    audited: Path, jobs: list[str]
) -> None:
    run("UPDATE audit_log SET user_id = 'mallory' WHERE action = 'permission.grant'")
    gone = {"type": "sqlite", "url": "sqlite+aiosqlite:///gone.db", "provision": True}
    sinks = {"a_gone": gone, **CONFIG["sinks"], "z_gone": gone}
    audited.write_text(yaml.safe_dump({**CONFIG, "sinks": sinks}, sort_keys=False))
    done = verify(audited, *jobs)
    assert done.exit_code == 1
    assert "audit_db: changed writer" in done.stdout
    assert "audit_db: 6 rows of 2 chains verified: 1 finding" in done.stdout
    assert done.stderr.startswith("logweir: sink 'a_gone' is not verified: ")
    assert "\nsink 'z_gone' is not verified: " in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sink", "rest"], "sink 'rest' has no chains"),
        (["--sink", "nobody"], "there is no sink 'nobody'"),
        (["--heads", "nowhere.jsonl"], "nowhere.jsonl cannot be read"),
        (["--heads", "routing.yaml"], "no file of heads"),
        (["--save-heads", "no/such/folder/heads"], "there is no folder"),
    ],
)
def test_wrong_input_ends_with_two(audited: Path, options: list[str], message: str) -> None:
    done = verify(audited, *options)
    assert done.exit_code == 2
    assert message in " ".join(done.output.replace("│", " ").split())


def test_without_a_chain_there_is_nothing_to_verify(tmp_path: Path) -> None:
    config = tmp_path / "routing.yaml"
    config.write_text(yaml.safe_dump({**CONFIG, "audit": {}}))
    done = verify(config)
    assert done.exit_code == 2
    assert "set audit: {chain: true}" in " ".join(done.output.replace("│", " ").split())


@pytest.mark.parametrize("kept", [slice(1), slice(2), slice(-1), slice(1, None), slice(0, None, 2)])
def test_a3_a_file_of_heads_that_was_cut_is_refused(audited: Path, kept: slice) -> None:
    assert "2 heads saved" in verify(audited, "--sink", "audit_db", "--save-heads", "heads.jsonl").output
    heads = Path("heads.jsonl")
    done = verify(audited, "--sink", "audit_db", "--heads", "heads.jsonl")
    assert (done.exit_code, "compared with 2 heads" in done.output) == (0, True)
    heads.write_text("".join(heads.read_text().splitlines(keepends=True)[kept]))
    assert verify(audited, "--sink", "audit_db", "--heads", "heads.jsonl").exit_code == 2


def test_a3_heads_that_were_exchanged_in_the_file_are_refused(audited: Path) -> None:
    verify(audited, "--sink", "audit_db", "--save-heads", "heads.jsonl")
    heads = Path("heads.jsonl")
    heads.write_text(heads.read_text().replace('"seq":1,', '"seq":2,'))
    done = verify(audited, "--sink", "audit_db", "--heads", "heads.jsonl")
    assert done.exit_code == 2
    assert "it was cut off or changed" in " ".join(done.output.replace("│", " ").split())


def test_a_file_of_heads_of_the_release_before_is_read_unless_it_is_empty(audited: Path) -> None:
    verify(audited, "--sink", "audit_db", "--save-heads", "heads.jsonl")
    heads = Path("heads.jsonl")
    about, *lines, _end = heads.read_text().splitlines(keepends=True)
    about = re.sub(r',"table":"\w+"', "", about.replace("heads 2", "heads 1"))
    heads.write_text("".join([about, *lines]))
    done = verify(audited, "--sink", "audit_db", "--heads", "heads.jsonl")
    assert (done.exit_code, "compared with 2 heads" in done.output) == (0, True)
    assert "whether the file is whole is not known" in done.output
    heads.write_text(about)
    assert verify(audited, "--sink", "audit_db", "--heads", "heads.jsonl").exit_code == 2


@pytest.mark.parametrize(
    "dropped", ["audit_log", "audit_log_chain", "audit_log_chain_gone", "audit_log_chain_ids"]
)
def test_a3_dropped_tables_are_not_made_anew_by_verify(audited: Path, dropped: str) -> None:
    run(f"DROP TABLE {dropped}")
    done = verify(audited)
    assert done.exit_code == 1
    assert "sound" not in done.output
    with closing(sqlite3.connect("audit.db")) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    assert dropped not in tables


def test_a2_heads_of_a_table_that_was_made_anew_are_reported(audited: Path) -> None:
    verify(audited, "--sink", "audit_db", "--save-heads", "heads.jsonl")
    Path("audit.db").unlink()
    shutil.rmtree(".logweir")  # otherwise the start refuses
    with logweir.running(str(audited)):
        logweir.audit_sync("fund.transfer", user_id=1)
    assert verify(audited).exit_code == 0
    done = verify(audited, "--sink", "audit_db", "--heads", "heads.jsonl")
    assert done.exit_code == 1
    assert "is of a table with another id" in " ".join(done.output.split())


def test_heads_are_saved_through_a_link_which_stays_one(audited: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "heads.jsonl").symlink_to("kept/heads.jsonl")
    assert verify(audited, "--save-heads", "heads.jsonl").exit_code == 0
    assert (tmp_path / "heads.jsonl").is_symlink()
    assert verify(audited, "--heads", "kept/heads.jsonl").exit_code == 0


def test_heads_are_written_into_a_pipe_which_stays_one(audited: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert verify(audited, "--save-heads", "pipe").exit_code == 0
        content = os.read(reader, 1 << 20)
    finally:
        os.close(reader)
    assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "heads.jsonl").write_bytes(content)
    assert verify(audited, "--heads", "heads.jsonl").exit_code == 0
    assert not [*tmp_path.glob(".pipe.*")]


def test_a_folder_is_no_file_for_heads(audited: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert verify(audited, "--save-heads", "folder").exit_code == 1
    assert not [*tmp_path.glob(".folder.*")]


def test_heads_of_another_sink_are_refused(audited: Path) -> None:
    verify(audited, "--sink", "audit_db", "--save-heads", "heads.jsonl")
    heads = Path("heads.jsonl")
    heads.write_text(heads.read_text().replace('"audit_db"', '"other"'))
    assert verify(audited, "--sink", "audit_db", "--heads", "heads.jsonl").exit_code == 2


# -- the configuration ----------------------------------------------------------------------------------


def test_a_chain_without_a_relational_sink_is_refused() -> None:
    sinks = {"audit_db": {"type": "null"}, "rest": {"type": "null"}}
    with pytest.raises(ConfigError, match="no audit route leads to one; send audit to a sink of type sqlite"):
        load_config({**CONFIG, "sinks": sinks})


@pytest.mark.parametrize(
    ("audit", "message"),
    [
        ({"chain_key": "a key of sixteen characters"}, "set chain: true, or remove the key"),
        ({"chain": True, "chain_key": "hunter22"}, "chain_key"),
    ],
)
def test_a_key_without_a_chain_or_a_short_one_is_refused(audit: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({**CONFIG, "audit": audit})
    assert message in str(caught.value)
    assert "hunter22" not in str(caught.value)


def test_the_key_is_never_shown() -> None:
    assert "sixteen" not in repr(load_config(CONFIG))
