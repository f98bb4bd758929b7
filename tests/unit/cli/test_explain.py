"""``logweir explain``: the rule that decided, each route and why, the sinks."""

import json
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


def test_an_object_without_an_event_is_answered_with_a_word_about_it() -> None:
    for given in ('{"evnt": "fund.refund"}', '{"user_id": 7}'):
        result = explain(given)
        assert result.exit_code == 0
        assert 'the object names no event; write it as \'{"event": "fund.refund"}\'' in result.stderr
    assert explain('{"event": "fund.refund"}').stderr == ""


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


@pytest.mark.parametrize(
    ("key", "value", "advice"),
    [
        ("level", "gold", "there are debug, info, warning, error, critical"),
        ("kind", "tracking", "did you mean 'tracing'?"),
        ("level", ["gold"], "there are debug, info, warning, error, critical"),
        ("kind", {"audit": 1}, "there are audit, tracing"),
    ],
)
def test_x2_a_level_or_kind_that_nobody_knows_is_refused_with_those_that_are_known(
    key: str, value: object, advice: str
) -> None:
    result = explain(json.dumps({"event": "x", key: value}))
    assert result.exit_code == 2
    said = " ".join(result.output.replace("│", "").split())
    assert f"there is no {key} {str(value)!r}; {advice}" in said


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


def test_json_is_for_programs_and_holds_no_secret() -> None:
    event = '{"event": "fund.refund", "token": "s3cr3t-of-mine", "role": "a/"}'
    result = CliRunner().invoke(app, ["explain", "--json", event])
    assert result.exit_code == 0
    assert "s3cr3t-of-mine" not in result.stdout
    answer = json.loads(result.stdout)
    assert {key: answer[key] for key in ("event", "kind", "level", "outcome", "sinks")} == {
        "event": "fund.refund",
        "kind": "audit",
        "level": "info",
        "outcome": "routed",
        "sinks": ["audit_db"],
    }
    assert answer["why"].startswith("rule 1 of classify")
    assert [step["verdict"] for step in answer["routes"]] == ["matched", "not reached", "not reached"]
    assert answer["masked"] == [{"path": "token", "rule": "name: token"}]


def test_events_are_read_from_stdin_one_from_each_line() -> None:
    lines = '{"event": "fund.refund"}\n\n{"event": "\u00fc", "level": "error"}\n'
    result = CliRunner().invoke(app, ["explain", "--json", "-"], input=lines)
    assert result.exit_code == 0
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(answer["event"], answer["sinks"]) for answer in answers] == [
        ("fund.refund", ["audit_db"]),
        ("\u00fc", ["logs"]),
    ]
    shown = CliRunner().invoke(app, ["explain", "-"], input=lines).stdout
    assert shown.count("sinks: ") == 2


@pytest.mark.parametrize("wrong", [b"{", b"[1]", b"\xff", b'{"event": "x", "kind": "y"}'])
def test_a_line_of_stdin_that_is_no_event_is_named_by_its_number(wrong: bytes) -> None:
    result = CliRunner().invoke(app, ["explain", "--json", "-"], input=b'{"event": "fund.x"}\n' + wrong)
    assert result.exit_code == 2
    assert json.loads(result.stdout.splitlines()[0])["sinks"] == ["audit_db"]
    assert "line 2 of stdin" in " ".join(result.output.replace("│", "").split())


def test_rules_see_static_fields_and_what_enrichers_have_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "explained_enricher.py").write_text(
        "def add(_, level, event):\n    return {**event, 'role': 'admin'}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("routing.yaml").write_text(
        "classify: [{kind: audit, match: {field: {name: role, equals: admin}}}]\n"
        'enrich: ["explained_enricher:add"]\nfields: {region: eu}\nsinks: {a: {type: memory}, b: {type: memory}}\n'
        "routes: [{name: eu, match: {field: {name: region, equals: eu}}, to: [a]}, {name: rest, to: [b]}]\n"
    )
    answer = json.loads(CliRunner().invoke(app, ["explain", "--json", '{"event": "x"}']).stdout)
    assert (answer["kind"], answer["sinks"]) == ("audit", ["a"])


SECRETS = """\
classify:
  - {kind: audit, match: {field: {name: api_key, equals: "${ADMIN_KEY}"}}}
  - {kind: audit, match: {not: {any: [{field: {name: user.password, exists: true, in: [pw_hidden, 1]}}]}, event: never}}
sinks: {logs: {type: "null"}}
routes:
  - {name: by list, match: {field: {name: token, in: ["${ADMIN_KEY}"]}}, to: [logs]}
  - {name: by regex, match: {field: {name: token, regex: "^hidden[a-z]"}}, to: [logs]}
  - {name: by glob, match: {all: [{field: {name: session.secret, glob: "hidden*"}}]}, to: [logs]}
  - {name: by not, match: {not: {field: {name: token, exists: false}}}, to: [logs]}
  - {name: shown, match: {field: {name: role, equals: admin}}, to: [logs]}
  - {name: rest, to: [logs]}
"""


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_no_secret_of_a_condition_is_shown(options: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_KEY", "hidden-value-of-a-variable")
    Path("routing.yaml").write_text(SECRETS)
    event = '{"event": "x", "api_key": "hidden-value-of-a-variable"}'
    result = CliRunner().invoke(app, ["explain", *options, event], env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.output
    assert "hidden" not in result.stdout
    why = json.loads(result.stdout)["why"] if options else result.stdout
    assert 'rule 1 of classify, match: {"field": [{"name": "api_key", "equals": "***"}]}' in why
    for reason in (
        "field token is absent, not in '***'",
        "field token is absent, not a match of /***/",
        "field session.secret is absent, not ***",
        "field token is absent, which `not` refuses",
        "field role is absent, not 'admin'",
    ):
        assert reason in result.stdout


def test_a_secret_inside_of_several_conditions_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_KEY", "k")
    Path("routing.yaml").write_text(SECRETS)
    result = CliRunner().invoke(app, ["explain", "--json", '{"event": "never", "user": {}}'])
    rule, _, match = json.loads(result.stdout)["why"].partition(", match: ")
    assert rule == "rule 2 of classify"
    assert json.loads(match) == {
        "event": ["never"],
        "not": {"any": [{"field": [{"name": "user.password", "exists": True, "in": ["***"]}]}]},
    }
