"""Commands on narrow and wide terminals: names and numbers are read whole."""

import json
from pathlib import Path

import pytest
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
