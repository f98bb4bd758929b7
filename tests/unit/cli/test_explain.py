"""``logweir explain``: the rule that decided, each route and why, the sinks."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from logweir.cli.app import app

ROUTING = """\
classify:
  - {kind: audit, match: {event: "fund.*"}}
sinks:
  audit_db: {type: memory}
  logs: {type: "null"}
routes:
  - {name: audit, match: {kind: audit}, to: [audit_db]}
  - {name: admins, match: {kind: tracing, field: {name: role, regex: "[a-z]+[/x]"}}, to: [audit_db], continue: true}
  - {name: rest, match: {kind: tracing}, to: [logs]}
"""


@pytest.fixture(autouse=True)
def _routing() -> None:
    Path("routing.yaml").write_text(ROUTING)


def explain(event: str) -> Result:
    return CliRunner().invoke(app, ["explain", event], env={"COLUMNS": "160"})


def test_the_rule_that_decided_is_named() -> None:
    result = explain('{"event": "fund.refund"}')
    assert result.exit_code == 0
    assert 'kind: audit (rule 1 of classify, match: {"event": ["fund.*"]})' in result.stdout
    assert "sinks: audit_db\n" in result.stdout


def test_each_route_says_why_and_its_words_are_no_markup() -> None:
    result = explain('{"event": "x", "role": "[/b]"}')
    assert result.exit_code == 0
    assert "kind: tracing (no rule of classify matches)" in result.stdout
    assert "kind tracing is not audit" in result.stdout
    assert "field role is '[/b]', not a match of /[a-z]+[/x]/" in result.stdout
    assert "sinks: logs\n" in result.stdout


def test_a_route_that_continues_adds_its_sinks() -> None:
    assert "sinks: audit_db, logs\n" in explain('{"event": "x", "role": "a/"}').stdout


def test_what_is_masked_is_named_with_the_command_that_shows_it() -> None:
    shown = explain('{"event": "token=abc123", "user": {"password": "hunter2"}}').stdout

    assert "masked: event, user.password; logweir redact shows what is stored, and by which rules\n" in shown
    assert "hunter2" not in shown
    assert "masked" not in explain('{"event": "x"}').stdout


def test_what_the_event_says_itself_wins() -> None:
    assert "kind: audit (the event says so by kind or persist_db)" in explain('{"persist_db": true}').stdout


@pytest.mark.parametrize("event", ["", " ", "no json", "[1]", '"x"', "{", "\ud800"])
def test_what_is_no_event_gives_exit_code_2(event: str) -> None:
    result = explain(event)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert '{"event": "fund.refund"}' in result.output.replace("│", "").replace("\n", "").replace("  ", " ")


@pytest.mark.parametrize("event", ['{"event": "x", "level": "gold"}', '{"event": "x", "kind": "tracking"}'])
def test_x2_a_level_or_kind_that_nobody_knows_is_refused_with_those_that_are_known(event: str) -> None:
    result = explain(event)
    assert result.exit_code == 2
    said = " ".join(result.output.replace("│", "").split())
    assert "is none that is known; write" in said


def test_x2_a_rule_of_the_strategy_is_credited_to_it(tmp_path: Path) -> None:
    path = tmp_path / "routing.yaml"
    path.write_text(
        "strategy: hybrid\nclassify: [{kind: audit, match: {event: mine}}]\n"
        "sinks: {audit_db: {type: memory}, logs: {type: memory}}\n"
    )
    fund = CliRunner().invoke(app, ["explain", '{"event": "fund.transfer"}', "-c", str(path)]).stdout
    assert "kind: audit (rule 1 of strategy hybrid, match:" in fund
    mine = CliRunner().invoke(app, ["explain", '{"event": "mine"}', "-c", str(path)]).stdout
    assert "kind: audit (rule 1 of classify, match:" in mine
