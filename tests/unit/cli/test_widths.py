"""Commands on narrow and wide terminals: names and numbers are read whole."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from logweir.cli.app import app

WIDTHS = [60, 80, 120]
ROUTING = """
service: shop
data_dir: data
classify: [{kind: audit, match: {event: "fund.*"}}]
sinks:
  audit_database: {type: file, path: a-folder-with-a-long-name/and-another-one-in-it/audit-events.jsonl}
  logs: {type: memory}
  bad: {type: stdout, stream: stderr}
routes:
  - {name: audit, match: {kind: audit}, to: [audit_database]}
  - {name: errors-and-worse-from-everywhere, match: {level: error}, to: [bad, logs]}
  - {name: rest, to: [logs]}
"""


@pytest.fixture(autouse=True)
def _routing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "routing.yaml").write_text(ROUTING)
    (tmp_path / "events.jsonl").write_text('{"event": "fund.transfer"}\n{"event": "order.placed"}\n')


def shown(width: int, *arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": str(width)})
    assert result.exit_code == 0, result.output
    return result.output  # what a command did stands on stderr, what it found on stdout


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Each command below, and the names of its options."""
    context = typer.Context(command)
    shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    names = [name for parameter in shown for name in (*parameter.opts, *parameter.secondary_opts)]
    yield path, [name for name in names if name.startswith("--")]
    for name in getattr(command, "commands", ()):
        yield from leaves(command.get_command(context, name), (*path, name))


def columns(text: str) -> int:
    return max(len(line.rstrip()) for line in text.splitlines())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "events.jsonl"], ["audit_database", "accepted", "1 ", "stored"]),
        (["check"], ["audit_database", "health"]),
        (["explain", json.dumps({"event": "x", "level": "error"})], ["verdict", "not reached"]),
        (["redact", json.dumps({"event": "x", "customer": {"password": "x" * 30}})], ["customer.password"]),
    ],
    ids=lambda value: value[0],
)
def test_nothing_is_cut_and_words_stay_whole(width: int, arguments: list[str], words: list[str]) -> None:
    text = shown(width, *arguments)
    assert "…" not in text
    assert columns(text) <= width
    for word in words:
        assert word in text


def test_a_path_that_is_wider_than_its_column_is_folded() -> None:
    shown(80, "run", "events.jsonl")
    joined = "".join(shown(60, "check").replace("│", " ").split())
    assert "/and-another-one-in-it/audit-events.jsonl" in joined


@pytest.mark.parametrize("width", WIDTHS)
def test_the_help_of_every_command_names_its_options_and_defaults_whole(width: int) -> None:
    for path, options in leaves(typer.main.get_command(app)):
        text = shown(width, *path, "--help")
        assert [name for name in options if name not in text] == [], path
        assert "…" not in text, path
        assert "``" not in text, path
    assert "[default: routing.yaml]" in " ".join(shown(width, "check", "--help").replace("│", " ").split())
