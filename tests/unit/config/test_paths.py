"""Relative paths of routing.yaml begin beside the file, wherever it is read from."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

import logweir
from logweir.cli.app import app
from logweir.config.loading import load_config

CONFIG = """\
data_dir: data
sinks:
  lines: {type: file, path: logs/out.jsonl}
  table: {type: sqlite, url: "sqlite+aiosqlite:///sub/audit.db", retention: {after: 90d, archive: old}}
  by_default: {type: sqlite, table: other, retention: {after: 9d, archive: "s3://bucket/a"}}
  away: {type: file, path: /var/log/x.jsonl}
  web: {type: http, url: "https://example.com/", tls: {ca: ca.pem, certificate: c.pem, key: k.pem}}
  server: {type: postgresql, url: "postgresql+asyncpg://u@h/app", tls: {ca: ca.pem, cert: c.pem, key: k.pem}}
  uri: {type: sqlite, url: "sqlite+aiosqlite:///file:a.db?uri=true"}
routes: [{name: all, to: [lines, table, by_default, away, web, server, uri]}]
"""


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    app_dir = tmp_path / "app"
    app_dir.mkdir()
    (app_dir / "routing.yaml").write_text(CONFIG)
    other = tmp_path / "elsewhere"
    other.mkdir()
    monkeypatch.chdir(other)
    return app_dir


@pytest.mark.parametrize("relative", [False, True])
def test_d7_every_path_begins_beside_the_file(elsewhere: Path, relative: bool) -> None:
    given = Path("../app") if relative else elsewhere
    config = load_config(given / "routing.yaml")
    beside = given.absolute()
    sinks = {name: sink.model_dump() for name, sink in config.sinks.items()}
    assert config.data_dir == beside.absolute() / "data"
    assert sinks["lines"]["path"] == beside / "logs/out.jsonl"
    assert sinks["table"]["retention"][0]["archive"] == str(beside / "old")
    assert sinks["table"]["url"].get_secret_value() == f"sqlite+aiosqlite:///{beside}/sub/audit.db"
    assert sinks["by_default"]["url"].get_secret_value() == f"sqlite+aiosqlite:///{beside}/audit.db"
    assert sinks["away"]["path"] == Path("/var/log/x.jsonl")
    assert sinks["by_default"]["retention"][0]["archive"] == "s3://bucket/a"
    assert set(sinks["web"]["tls"].values()) >= {beside / "ca.pem", beside / "c.pem", beside / "k.pem"}
    assert set(sinks["server"]["tls"].values()) >= {beside / "ca.pem", beside / "c.pem", beside / "k.pem"}
    assert sinks["uri"]["url"].get_secret_value() == "sqlite+aiosqlite:///file:a.db?uri=true"


def test_d7_query_from_elsewhere_reads_the_same_database(elsewhere: Path) -> None:
    path = elsewhere / "routing.yaml"
    path.write_text(
        "data_dir: data\nsinks: {table: {type: sqlite, provision: true}}\nroutes: [{name: all, to: [table]}]\n"
    )
    with logweir.running(path) as runtime:
        runtime.emit("paid", {"amount": 5})
        assert logweir.flush()
    shown = CliRunner().invoke(app, ["query", "-c", str(path)])
    assert "paid" in shown.stdout
    assert list(Path.cwd().iterdir()) == []


def test_d7_a_mapping_has_no_file_and_begins_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = load_config(
        {"sinks": {"a": {"type": "file", "path": "x"}}, "routes": [{"name": "r", "to": "a"}]}
    )
    assert config.data_dir == tmp_path / ".logweir"
    assert config.sinks["a"].model_dump()["path"] == Path("x")
