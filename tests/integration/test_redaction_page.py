"""The page on redaction is true: each row of its tables, and its groups, commands and function."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from typer.testing import CliRunner

from logweir.capture.asking import snapshotter_of
from logweir.cli.app import app
from logweir.config.redact import Group, RedactConfig

PAGE = (Path(__file__).parents[2] / "docs/reference/redaction.md").read_text()
_TABLE = re.compile(
    r"^(?:With `redact: (?P<redact>.*)`:\n\n)?\| logged \| stored \|\n\|---\|---\|\n(?P<rows>(?:\| .*\n)+)",
    re.MULTILINE,
)
_ROW = re.compile(r"^\| `(.*)` \| `(.*)` \|$", re.MULTILINE)


def rows() -> list[tuple[dict[str, Any], str, str]]:
    """The settings of each row's table, what is logged and what is stored: fields as JSON, or a text."""
    return [
        (yaml.safe_load(table["redact"] or "{}"), *row)
        for table in _TABLE.finditer(PAGE)
        for row in _ROW.findall(table["rows"])
    ]


def stored(redact: dict[str, Any], logged: str) -> str:
    snapshot = snapshotter_of(RedactConfig(**redact))
    if not logged.startswith("{"):
        return snapshot.text(logged)
    return json.dumps(snapshot(json.loads(logged))[0], ensure_ascii=False)


def test_every_table_is_read() -> None:
    assert len(_TABLE.findall(PAGE)) == PAGE.count("| logged | stored |")
    assert len(rows()) == sum(len(table["rows"].splitlines()) for table in _TABLE.finditer(PAGE))
    assert len({str(redact) for redact, _, _ in rows()}) > 3


@pytest.mark.parametrize(("redact", "logged", "expected"), rows(), ids=[row[1][:60] for row in rows()])
def test_what_a_row_logs_is_stored_as_it_says(redact: dict[str, Any], logged: str, expected: str) -> None:
    assert stored(redact, logged) == expected
    assert stored(redact, expected) == expected, "masking twice changes something"


def test_the_groups_of_the_page_are_those_of_the_settings() -> None:
    groups = PAGE.partition("| group |")[2].partition("\n\n")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", groups, re.MULTILINE)) == get_args(Group)


def test_the_function_of_the_page_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"^```python\n# masks\.py[^\n]*\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    (tmp_path / "masks_of_the_page.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    redact = {"function": "masks_of_the_page:shorten_iban"}
    fields = '{"from": {"iban": "DE02120300000000202051"}, "n": 1}'
    assert stored(redact, fields) == '{"from": {"iban": "DE02…"}, "n": 1}'


def test_the_command_of_the_page_says_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("routing.yaml").write_text("sinks: {a: {type: memory}}\nroutes: [{name: all, to: [a]}]\n")
    (event,) = re.findall(r"^\$ logweir redact '(.*)'$", PAGE, re.MULTILINE)
    result = CliRunner().invoke(app, ["redact", event, "--json"])
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["fields"] == {"user": {"name": "bob", "password": "***"}}
    assert json.dumps(answer["masked"][0]) in PAGE
