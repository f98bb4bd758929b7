"""A password that somebody typed in a URL is in no answer of the command line."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from logweir.cli import app as command_line
from logweir.cli.app import app
from logweir.cli.bench_options import command_line as as_typed

PASSWORD = "zq7KXw93"


@pytest.fixture(autouse=True)
def _configuration() -> None:
    sinks = {"audit_db": {"type": "sqlite", "url": "sqlite+aiosqlite:///audit.db", "provision": True}}
    routing = {"data_dir": "data", "sinks": sinks, "routes": [{"name": "all", "to": ["audit_db"]}]}
    Path("routing.yaml").write_text(json.dumps(routing))


@pytest.mark.parametrize(
    "url",
    [
        f"ftp://bob:{PASSWORD}@127.0.0.1:1/x",
        f"http://bob:a/{PASSWORD}@127.0.0.1:1/x",
        f"simplecache::ftp://bob:{PASSWORD}@127.0.0.1:1/x",
        f"nosuch://bob:{PASSWORD}@h/x",
        f"ftp://bob:{PASSWORD}[@h/x",
        f"ftp://bob:{PASSWORD}℀@h/x",
        f"https://127.0.0.1:1/x?access_token={PASSWORD}",
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        ["restore", "--to", "audit_db", "--from"],
        ["archive", "--sink", "audit_db", "--older-than", "90d", "--to"],
        ["top", "--once", "--url"],
        ["bench", "run", "--no-embedded", "--backend"],
        ["bench", "run", "--backend", "loki=http://127.0.0.1:1", "--data"],
        ["bench", "run", "--backend", "loki=http://127.0.0.1:1", "--restart"],
    ],
    ids=" ".join,
)
def test_it_is_refused_without_being_repeated(command: list[str], url: str) -> None:
    result = CliRunner().invoke(app, [*command, url], env={"COLUMNS": "400"})
    assert result.exit_code in {1, 2}, result.output
    assert result.output
    assert PASSWORD not in result.output + str(result.exception)


@pytest.mark.parametrize(
    "backend", [f"mysql=mysql+aiomysql://app:{sign}{PASSWORD}@db/app" for sign in ("", "@", "a/", "%27")]
)
def test_a_run_notes_its_command_without_it(monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    monkeypatch.setattr(sys, "argv", ["logweir", "bench", "run", "--backend", backend, "--seed", "7"])
    assert PASSWORD not in as_typed()
    assert as_typed().startswith("logweir bench run --backend ")


def test_what_nobody_foresaw_is_said_without_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise RuntimeError(f"no driver for odd://app:{PASSWORD}@db/app")

    monkeypatch.delenv("LOGWEIR_TRACEBACK", raising=False)
    monkeypatch.setattr(command_line, "app", fail)
    with pytest.raises(SystemExit):
        command_line.main()
    shown = capsys.readouterr().err
    assert "no driver for odd://app:***@db/app" in shown
    assert PASSWORD not in shown
