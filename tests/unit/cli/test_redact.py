"""``logweir redact``: what would be stored, which rule masks what, and that bad input gets one message."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from logweir.cli.app import app

ROUTING = """\
redact:
  keys: [customer]
  except: [session_token, audit.secret]
  hash: {key: not-a-real-key-of-anybody, paths: [client_ip]}
sinks: {logs: {type: memory}}
routes: [{name: all, to: [logs]}]
"""


@pytest.fixture(autouse=True)
def _routing() -> None:
    Path("routing.yaml").write_text(ROUTING)


def redact(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(app, ["redact", *arguments], input=stdin, env={"COLUMNS": "160"})


EVENT = {
    "event": "login by Bearer abcdef123456",
    "user": {"password": "hunter2", "name": "bob"},
    "items": [{"customer": "hunter3"}],
    "session_token": "kept",
    "audit": {"secret": "kept too"},
    "client_ip": "203.0.113.7",
}


def test_the_event_is_shown_as_it_would_be_stored_with_the_rule_of_each_secret() -> None:
    result = redact(json.dumps(EVENT), "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["event"] == "login by Bearer ***"
    fields = answer["fields"]
    assert fields["user"] == {"password": "***", "name": "bob"}
    assert fields["items"] == [{"customer": "***"}]
    assert (fields["session_token"], fields["audit"]) == ("kept", {"secret": "kept too"})
    assert fields["client_ip"].startswith("hmac:")
    masked = {place["path"]: place["rule"] for place in answer["masked"]}
    assert masked.keys() == {"event", "user.password", "items[0].customer", "client_ip"}
    assert masked["user.password"] == "name: password"
    assert masked["client_ip"] == "path: hash"
    assert "hunter" not in result.output


def test_people_get_the_event_and_a_table() -> None:
    result = redact(json.dumps(EVENT))
    assert result.exit_code == 0, result.output
    shown, _, table = result.stdout.partition("\n}\n")
    assert json.loads(shown + "}")["fields"]["user"] == {"password": "***", "name": "bob"}
    assert "items[0].customer" in table
    assert "name: password" in table


def test_a_text_is_masked_as_a_message_is() -> None:
    result = redact("--text", "GET /x with Bearer abcdef123456")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("GET /x with Bearer ***\n")


def test_standard_input_is_read_for_a_dash() -> None:
    result = redact("-", "--json", stdin='{"event": "x", "password": "hunter2"}\n')
    assert json.loads(result.stdout)["fields"] == {"password": "***"}


def test_an_event_without_secrets_says_so() -> None:
    assert "nothing is masked" in redact('{"event": "x", "n": 1}').stdout


@pytest.mark.parametrize("event", ["", " ", "no json", "[1]", '"x"', "{", "\ud800"])
def test_what_is_no_event_gives_exit_code_2(event: str) -> None:
    result = redact(event)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_a_wrong_routing_file_gives_exit_code_2() -> None:
    Path("routing.yaml").write_text(ROUTING.replace("anybody", "x").replace("not-a-real-key-of-", ""))
    result = redact('{"event": "x"}')
    assert result.exit_code == 2
    assert "redact.hash" in result.output
