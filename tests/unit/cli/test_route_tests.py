"""``logweir test``: cases pass or fail by what becomes of their events, and wrong files get one message each."""

import json
import os
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from logweir.cli.app import app

ROUTING = """\
env: prod
classify: [{kind: audit, match: {event: "fund.*"}}]
sinks:
  audit_db: {type: memory}
  logs: {type: loki, url: "http://${LOKI_HOST}:3100", labels: [env, level], static_labels: {job: shop}}
routes:
  - {name: audit, match: {kind: audit}, to: [audit_db]}
  - {name: errors, match: {kind: tracing, level: ">=error", logger: "app.*"}, to: [logs, audit_db]}
  - {name: some, match: {kind: tracing, level: info}, to: [logs], sample: 0.2}
"""


@pytest.fixture(autouse=True)
def _routing(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("routing.yaml").write_text(ROUTING)
    monkeypatch.setenv("LOKI_HOST", "loki")


def run(cases: str, *arguments: str) -> Result:
    Path("routes.test.yaml").write_text(cases)
    return CliRunner().invoke(app, ["test", *arguments], env={"COLUMNS": "160"})


def case(given: str, expect: str, more: str = "") -> str:
    return f"cases:\n  - name: the case\n    given: {given}\n    expect: {expect}\n{more}"


@pytest.mark.parametrize(
    ("given", "expect"),
    [
        ("{event: fund.refund}", "{kind: audit, outcome: routed, routes: audit, sinks: [audit_db]}"),
        ("{event: x, kind: audit}", "{kind: audit, sinks: audit_db, labels: {logs: {}}}"),
        ("{event: x, fields: {persist_db: true}}", "{kind: audit}"),
        ("{event: x, level: debug}", "{outcome: unrouted, routes: [], sinks: []}"),
        ("{event: x, level: error, logger: app.db}", "{routes: errors, sinks: [audit_db, logs]}"),
        ("{event: x, level: error, logger: lib}", "{outcome: unrouted}"),
        ("{event: x}", "{labels: {logs: {env: prod, level: info, job: shop}}}"),
        (
            '{event: "token=abc12345", fields: {user: {password: p4ss}, items: [{secret: s3}], n: 1}}',
            '{redacted: [event, user.password, "items[0].secret"]}',
        ),
        ("[{event: fund.a}, {event: fund.b, level: error}]", "{kind: audit, redacted: []}"),
    ],
)
def test_a_case_passes_where_everything_is_as_expected(given: str, expect: str) -> None:
    result = run(case(given, expect))
    assert (result.exit_code, result.stdout) == (0, "passed the case\n1 passed, 0 failed\n")


def test_a_case_that_fails_shows_each_difference_with_its_line_and_the_reason() -> None:
    given = "[{event: fund.a}, {event: boom, level: error, logger: app.db}]"
    expect = "{kind: audit,\n      sinks: [audit_db, logs],\n      redacted: [password]}"
    result = run(case(given, expect) + "  - {name: good, given: {event: fund.b}, expect: {kind: audit}}\n")
    assert result.exit_code == 1
    assert result.stdout == (
        "FAILED the case\n"
        "  routes.test.yaml:5: fund.a (event 1): sinks: not as expected\n"
        "      audit_db\n"
        "    - logs\n"
        "    route audit: matched: all its conditions hold\n"
        "    route errors: not reached: an earlier route took the event\n"
        "    route some: not reached: an earlier route took the event\n"
        "  routes.test.yaml:6: fund.a (event 1): redacted: not as expected\n"
        "    - password\n"
        "  routes.test.yaml:4: boom (event 2): kind: not as expected\n"
        "    - audit\n"
        "    + tracing\n"
        "    tracing: no rule of classify matches\n"
        "  routes.test.yaml:6: boom (event 2): redacted: not as expected\n"
        "    - password\n"
        "passed good\n"
        "1 passed, 1 failed\n"
    )


def test_labels_that_differ_are_shown_one_by_one() -> None:
    result = run(case("{event: x}", "{labels: {logs: {env: dev, level: info, job: shop}}}"))
    assert result.exit_code == 1
    for line in ("    - env=dev\n", "    + env=prod\n", "      level=info\n", "    labels of sink logs\n"):
        assert line in result.stdout


@pytest.mark.parametrize(("sampling", "outcome"), [("always", "routed"), ("never", "sampled")])
def test_sampling_is_fixed_for_the_file_or_a_case(sampling: str, outcome: str) -> None:
    cases = case("{event: x}", f"{{outcome: {outcome}}}")
    assert run(f"sampling: {sampling}\n" + cases).exit_code == 0
    other = {"always": "never", "never": "always"}[sampling]
    assert run(f"sampling: {other}\n" + cases).exit_code == 1
    assert run(f"sampling: {other}\n" + cases + f"    sampling: {sampling}\n").exit_code == 0


def passed(cases: str) -> set[str]:
    return {line for line in run(cases).stdout.splitlines() if line.startswith("passed ")}


def test_a_seed_keeps_a_share_and_always_the_same() -> None:
    rows = [
        f"  - {{name: case {number}, given: {{event: x}}, expect: {{outcome: routed}}}}\n"
        for number in range(100)
    ]
    kept = passed("sampling: 7\ncases:\n" + "".join(rows))
    assert 5 <= len(kept) <= 40
    assert passed("sampling: 7\ncases:\n" + "".join(reversed(rows))) == kept
    assert passed("sampling: 8\ncases:\n" + "".join(rows)) != kept


def test_a_trace_is_sampled_by_its_id_whatever_the_seed_is() -> None:
    rows = [
        f"  - {{name: case {number}, given: {{event: x, trace_id: '{number:032}'}}, expect: {{outcome: routed}}}}\n"
        for number in range(50)
    ]
    kept = passed("sampling: 7\ncases:\n" + "".join(rows))
    assert 0 < len(kept) < 50
    assert passed("sampling: 8\ncases:\n" + "".join(rows)) == kept


WRONG = {
    "nothing": ("", "the file is empty; write one with a list of cases"),
    "a list": ("- x\n", "1:1: the file must be a mapping of keys"),
    "no cases": ("cases: []\n", "1:8: cases: cases must not be empty"),
    "bad YAML": ("cases: [\n", "not valid YAML"),
    "an unknown key": (case("{event: x, levle: info}", "{kind: audit}"), "did you mean 'level'?"),
    "an unknown kind": (
        case("{event: x}", "{kind: audti}"),
        "4:20: cases[0].expect.kind: kind must be one of",
    ),
    "no expectation": (case("{event: x}", "{}"), "4:13: cases[0].expect: nothing is expected"),
    "an empty expectation": (case("{event: x}", "{sinks: }"), "sinks is empty; leave it out, or write []"),
    "a variable without a name": (
        'environment: {"": x}\n' + case("{event: x}", "{kind: audit}"),
        "1:14: environment: no variable can be ''",
    ),
    "a variable with an odd name": (
        "environment: {A=B: x}\n" + case("{event: x}", "{kind: audit}"),
        "1:14: environment: no variable can be 'A=B'",
    ),
    "a variable with an odd value": (
        'environment: {A: "a\\0b"}\n' + case("{event: x}", "{kind: audit}"),
        "1:14: environment: no variable can be 'A'",
    ),
    "an odd sampling": (
        "sampling: [1]\n" + case("{event: x}", "{kind: audit}"),
        "1:11: sampling: sampling must be always",
    ),
    "the same name": (
        case(
            "{event: x}", "{kind: audit}", "  - {name: the case, given: {event: x}, expect: {kind: audit}}\n"
        ),
        "5:12: cases[1].name: two cases are named 'the case'",
    ),
    "a route that is not": (
        case("{event: x}", "{routes: [audti]}"),
        "4:23: cases[0].expect.routes[0]: there is no route 'audti'; did you mean 'audit'?",
    ),
    "a sink that is not": (
        case("{event: x}", "{sinks: lgos}"),
        "there is no sink 'lgos'; did you mean 'logs'?",
    ),
    "labels of a sink that is not": (case("{event: x}", "{labels: {lgos: {}}}"), "there is no sink 'lgos'"),
    "labels where none are": (
        case("{event: x}", "{labels: {audit_db: {a: b}}}"),
        "sinks.audit_db is of type memory, which has no labels",
    ),
    "no routing file": (
        "config: nowhere.yaml\n" + case("{event: x}", "{kind: audit}"),
        "nowhere.yaml: there is no such file",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_in_the_file_gets_one_message_with_its_place(what: str) -> None:
    cases, message = WRONG[what]
    result = run(cases)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "routes.test.yaml" in result.stderr or what == "no routing file"
    assert result.stdout == ""


def test_the_routing_file_is_beside_the_tests_or_named(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "mine.yaml").write_text("sinks: {a: {type: memory}}\nroutes: [{name: all, to: [a]}]\n")
    (folder / "routes.test.yaml").write_text("config: mine.yaml\n" + case("{event: x}", "{sinks: a}"))
    path = str(folder / "routes.test.yaml")
    assert CliRunner().invoke(app, ["test", path]).exit_code == 0
    assert CliRunner().invoke(app, ["test", path, "-c", "routing.yaml"]).exit_code == 2  # it has no such sink


def test_variables_of_the_routing_file_may_stand_in_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOKI_HOST")
    cases = case("{event: x}", "{kind: tracing}")
    assert "LOKI_HOST is not set" in run(cases).stderr
    assert run("environment: {LOKI_HOST: nowhere}\n" + cases).exit_code == 0
    assert "LOKI_HOST" not in os.environ


def test_a_report_for_continuous_integration_holds_what_was_printed(tmp_path: Path) -> None:
    cases = case('{event: "x\\u0007<&>"}', "{sinks: [audit_db]}") + (
        '  - {name: "good <\\u0007&", given: {event: fund.b}, expect: {kind: audit}}\n'
    )
    result = run(cases, "--junit", "report.xml")
    assert result.exit_code == 1
    suites = ET.parse("report.xml").getroot()
    assert (suites.tag, suites.get("tests"), suites.get("failures")) == ("testsuites", "2", "1")
    (suite,) = suites
    assert suite.get("name") == "routes.test.yaml"
    bad, good = suite
    assert (bad.get("classname"), bad.get("name"), bad.get("line")) == ("routes.test", "the case", "2")
    (failure,) = bad
    assert failure.get("message") == "sinks: not as expected"
    assert "    + logs" in str(failure.text)
    assert str(failure.text) in result.stdout
    assert list(good) == []
    assert str(good.get("name")).startswith("good <\\x07&")


def test_a_report_that_cannot_be_written_is_wrong_input() -> None:
    result = run(case("{event: x}", "{kind: tracing}"), "--junit", "nowhere/report.xml")
    assert result.exit_code == 2
    assert "cannot be written" in " ".join(result.stderr.replace("│", "").split())


def test_several_files_are_one_run() -> None:
    Path("other.yaml").write_text(case("{event: y}", "{kind: audit}"))
    result = run(case("{event: x}", "{kind: tracing}"), "routes.test.yaml", "other.yaml", "--junit", "r.xml")
    assert result.exit_code == 1
    assert result.stdout.endswith("1 passed, 1 failed\n")
    assert len(ET.parse("r.xml").getroot()) == 2


def test_the_published_schema_of_tests_is_current_and_says_what_the_model_says() -> None:
    """To renew it: ``logweir schema --tests > docs/reference/routes-test.schema.json``."""
    published = Path(__file__).parents[3] / "docs" / "reference" / "routes-test.schema.json"
    printed = CliRunner().invoke(app, ["schema", "--tests"]).stdout
    assert json.loads(printed) == json.loads(published.read_text(encoding="utf-8"))
