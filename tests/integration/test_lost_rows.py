"""A start is refused where audit rows are gone that are known elsewhere, until an operator accepts it."""

import asyncio
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
from logweir.sinks.contract import Query
from logweir.stores.reading import opened

CONFIG: dict[str, Any] = {
    "service": "shop",
    "audit": {"chain": True, "chain_key": "a key of sixteen characters"},
    "sinks": {"audit_db": {"type": "sqlite", "url": "sqlite+aiosqlite:///audit.db", "provision": True}},
    "routes": [{"name": "a", "to": ["audit_db"]}],
}
TABLES = (
    "audit_log",
    "audit_log_chain",
    "audit_log_chain_gone",
    "audit_log_chain_ids",
    "audit_log_chain_closed",
)


@pytest.fixture
def audited(tmp_path: Path) -> Path:
    """A routing file, and some audit rows that were written by it."""
    config = tmp_path / "routing.yaml"
    config.write_text(yaml.safe_dump(CONFIG))
    write(config, 5)
    return config


def write(config: Path, count: int = 1) -> None:
    with logweir.running(str(config)):
        for number in range(count):
            logweir.audit_sync("fund.transfer", user_id=number, amount=number, acknowledge="stored")


def run(*statements: str) -> list[Any]:
    with closing(sqlite3.connect("audit.db")) as database, database:
        return [row for statement in statements for row in database.execute(statement)]


def command(config: Path, *arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(app, [*arguments, "-c", str(config)], **options)


def words(result: Result) -> str:
    return " ".join(result.output.replace("│", " ").split())


def _drop_all() -> None:
    run(*(f"DROP TABLE {name}" for name in TABLES))


def _drop_the_rows() -> None:
    run("DELETE FROM audit_log", "DELETE FROM audit_log_chain WHERE writer <> 'beginning'")


def _cut_the_end() -> None:
    ((writer, seq, hash_),) = run(
        "SELECT chain_writer, chain_seq, chain_hash FROM audit_log WHERE chain_seq = 3"
    )
    run(
        f"DELETE FROM audit_log WHERE chain_seq > {seq}",
        f"UPDATE audit_log_chain SET seq = {seq}, hash = '{hash_}' WHERE writer = '{writer}'",
    )


def _remove_the_file() -> None:
    Path("audit.db").unlink()


def _damage_what_is_known() -> None:
    (path,) = Path(".logweir/chains").iterdir()
    path.write_text("{")


HARMS = [_damage_what_is_known, _drop_all, _drop_the_rows, _cut_the_end, _remove_the_file]


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__[1:])
def test_a3_a_start_refuses_where_rows_are_gone_until_it_is_accepted(audited: Path, harm: Any) -> None:
    harm()
    with pytest.raises(
        ConfigError, match=r"audit rows are gone.*logweir schema --accept-new-chain --sink audit_db"
    ):
        logweir.start(str(audited))
    assert command(audited, "verify").exit_code == 1
    refused = command(audited, "run", input="{}\n")
    assert refused.exit_code == 2, refused.output
    assert "audit rows are gone" in words(refused)
    accepted = command(audited, "schema", "--accept-new-chain", "--sink", "audit_db")
    assert accepted.exit_code == 0, accepted.output
    assert "recorded that an operator accepted" in words(accepted)
    write(audited)
    verified = command(audited, "verify")
    assert verified.exit_code == 0, verified.output
    assert "an operator accepted a break" in words(verified)


def test_a_restored_copy_is_refused_and_its_chains_fit_nowhere_after_it_is_accepted(audited: Path) -> None:
    shutil.copy("audit.db", "backup.db")
    write(audited)
    shutil.copy("audit.db", "branch.db")
    shutil.copy("backup.db", "audit.db")
    with pytest.raises(ConfigError, match="audit rows are gone"):
        write(audited)
    assert command(audited, "schema", "--accept-new-chain", "--sink", "audit_db").exit_code == 0
    write(audited)
    assert command(audited, "verify").exit_code == 0
    with closing(sqlite3.connect("audit.db")) as database, database:
        database.execute("ATTACH 'branch.db' AS branch")
        missing = "NOT IN (SELECT chain_writer FROM audit_log)"
        database.execute(f"INSERT INTO audit_log SELECT * FROM branch.audit_log WHERE chain_writer {missing}")
        database.execute(
            "INSERT INTO audit_log_chain SELECT * FROM branch.audit_log_chain WHERE writer NOT IN"
            " (SELECT writer FROM audit_log_chain UNION SELECT writer FROM audit_log_chain_closed)"
        )
    done = command(audited, "verify")
    assert (done.exit_code, "changed writer" in words(done)) == (1, True)


async def _delete_half() -> None:
    async with opened("audit_db", await asyncio.to_thread(load_config, "routing.yaml")) as target:
        events = [event async for event in target.itself.search(Query())]
        await target.itself.delete([event.id for event in events[2:]])


def test_starts_after_rightful_deletion_and_of_a_fresh_place_are_not_refused(audited: Path) -> None:
    write(audited)
    asyncio.run(_delete_half())
    write(audited)
    assert command(audited, "verify").exit_code == 0
    shutil.rmtree(".logweir")
    _remove_the_file()
    write(audited)
    assert command(audited, "verify").exit_code == 0


def test_saved_heads_in_the_routing_file_refuse_a_start_too(audited: Path) -> None:
    done = command(audited, "verify", "--sink", "audit_db", "--save-heads", "heads.jsonl")
    assert done.exit_code == 0, done.output
    config = yaml.safe_load(audited.read_text())
    config["audit"]["saved_heads"] = ["heads.jsonl"]
    audited.write_text(yaml.safe_dump(config))
    write(audited)
    shutil.rmtree(".logweir")
    _cut_the_end()
    with pytest.raises(ConfigError, match="audit rows are gone"):
        write(audited)
    assert command(audited, "schema", "--accept-new-chain", "--sink", "audit_db").exit_code == 0
    write(audited)
    Path("heads.jsonl").write_text("{}")
    with pytest.raises(ConfigError, match="no file of heads"):
        write(audited)


def test_s1_a_file_of_saved_heads_that_is_damaged_anywhere_refuses_a_start(audited: Path) -> None:
    done = command(audited, "verify", "--sink", "audit_db", "--save-heads", "heads.jsonl")
    assert done.exit_code == 0, done.output
    config = yaml.safe_load(audited.read_text())
    config["audit"]["saved_heads"] = ["heads.jsonl"]
    audited.write_text(yaml.safe_dump(config))
    content = Path("heads.jsonl").read_bytes()
    for place in (content.index(b"audit_db"), content.index(b"writer") + 12, len(content) - 10):
        Path("heads.jsonl").write_bytes(
            content[:place] + bytes([content[place] ^ 0x01]) + content[place + 1 :]
        )
        with pytest.raises(ConfigError, match=r"heads\.jsonl"):
            write(audited)


def test_what_vanishes_under_a_running_process_is_known_to_the_next_start(
    audited: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with logweir.running(str(audited)):
        logweir.audit_sync("fund.transfer", user_id=1, acknowledge="stored")
        _drop_all()
        logweir.audit_sync("fund.transfer", user_id=2, acknowledge="stored")
    assert "rows are gone that were stored" in caplog.text
    with pytest.raises(ConfigError, match="audit rows are gone"):
        write(audited)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say with --sink"),
        (["--sink", "nobody"], "there is no sink 'nobody'"),
    ],
)
def test_accepting_wants_a_sink(audited: Path, arguments: list[str], message: str) -> None:
    done = command(audited, "schema", "--accept-new-chain", *arguments)
    assert (done.exit_code, message in words(done)) == (2, True)


def test_accepting_records_nothing_where_nothing_is_gone(audited: Path) -> None:
    done = command(audited, "schema", "--accept-new-chain", "--sink", "audit_db")
    assert (done.exit_code, "nothing is gone" in words(done)) == (0, True)
    assert run("SELECT count(*) FROM audit_log_chain_ids") == [(1,)]


@pytest.mark.parametrize("key", ["another key of some length", None])
def test_accepting_with_another_key_changes_nothing(audited: Path, key: str | None) -> None:
    config = yaml.safe_load(audited.read_text())
    config["audit"]["chain_key"] = key
    other = audited.with_name("other.yaml")
    other.write_text(yaml.safe_dump(config))
    before = _notes()
    done = command(other, "schema", "--accept-new-chain", "--sink", "audit_db")
    assert done.exit_code == 1, done.output
    assert "begun with another key" in words(done)
    assert _notes() == before
    write(audited)
    assert command(audited, "verify").exit_code == 0


def _notes() -> list[Any]:
    (known,) = Path(".logweir/chains").iterdir()
    rows = run("SELECT * FROM audit_log_chain_ids", "SELECT * FROM audit_log_chain")
    return [known.read_bytes(), *rows]


def test_accepting_after_the_ids_were_changed_goes_on_with_the_key_that_the_beginning_fits(
    audited: Path,
) -> None:
    run("UPDATE audit_log_chain_ids SET detail = 'changed'")
    with pytest.raises(ConfigError):
        write(audited)
    done = command(audited, "schema", "--accept-new-chain", "--sink", "audit_db")
    assert done.exit_code == 0, done.output
    write(audited)
