"""``logweir init``: what it writes runs as it is."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

import logweir
from logweir.cli.app import app
from logweir.config.checks import find_doubts
from logweir.config.loading import load_config


@pytest.mark.parametrize("strategy", ["explicit", "hybrid", "separated"])
def test_the_written_file_loads_and_runs_with_no_server(strategy: str) -> None:
    result = CliRunner().invoke(app, ["init", "--strategy", strategy])
    assert result.exit_code == 0, result.output
    config = load_config("routing.yaml")
    assert config.strategy == strategy
    assert find_doubts(config) == []
    with logweir.running("routing.yaml") as running:
        running.emit("fund.refund", {"persist_db": True})
        running.emit("other", {})
        assert running.flush()
    assert "other" in Path("logs/tracing.jsonl").read_text()
    assert Path("audit.db").exists()


@pytest.mark.parametrize("strategy", ["explicit", "hybrid", "separated"])
def test_the_written_file_passes_the_check(strategy: str) -> None:
    CliRunner().invoke(app, ["init", "--strategy", strategy])
    result = CliRunner().invoke(app, ["check"])
    assert result.exit_code == 0, result.output
    assert "warning" not in result.output


def test_the_file_shows_how_to_grow() -> None:
    CliRunner().invoke(app, ["init", "--path", "deep/down/routing.yaml"])
    text = Path("deep/down/routing.yaml").read_text()
    for word in ("mysql", "loki", "elasticsearch", "strategy: hybrid"):
        assert word in text


def test_a_file_that_is_there_is_kept_unless_forced() -> None:
    Path("routing.yaml").write_text("mine")
    refused = CliRunner().invoke(app, ["init"])
    assert refused.exit_code == 2
    assert "--force" in refused.output
    assert Path("routing.yaml").read_text() == "mine"
    assert CliRunner().invoke(app, ["init", "--force"]).exit_code == 0
    assert load_config("routing.yaml").strategy == "hybrid"


@pytest.mark.parametrize(
    "arguments", [["--strategy", "v9"], ["--path", ".", "--force"], ["--path", "file/x.yaml"]]
)
def test_wrong_arguments_give_exit_code_2(arguments: list[str]) -> None:
    Path("file").write_text("")
    result = CliRunner().invoke(app, ["init", *arguments])
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_an_editor_finds_the_schema_beside_the_file_without_a_network() -> None:
    result = CliRunner().invoke(app, ["init", "--path", "deep/routing.yaml"])
    assert "deep/routing.schema.json written, for editors" in result.output
    first = Path("deep/routing.yaml").read_text().splitlines()[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    schema = json.loads(Path("deep", named).read_text())
    jsonschema.validate(yaml.safe_load(Path("deep/routing.yaml").read_text()), schema)
    assert "loki" in json.dumps(schema)


def test_a_schema_that_is_there_is_kept_unless_forced() -> None:
    Path("routing.schema.json").write_text("mine")
    assert "routing.schema.json" not in CliRunner().invoke(app, ["init"]).output
    assert Path("routing.schema.json").read_text() == "mine"
    CliRunner().invoke(app, ["init", "--force"])
    assert json.loads(Path("routing.schema.json").read_text())["title"] == "logweir routing.yaml"
