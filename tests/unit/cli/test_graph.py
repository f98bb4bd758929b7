"""``logweir graph``: a flowchart that Mermaid can read, of everything that routing.yaml says, without its secrets."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from logweir.cli.app import app

# The part of Mermaid's grammar that is used: nodes in their shapes, arrows, and subgraphs. A label in quotes
# holds letters, entities, line breaks and what means nothing to Mermaid; everything else would be structure.
LABEL = r'"(?:[a-zA-Z0-9 .,_\-/:*]|#[0-9]+;|<br/>|[^\x00-\x7f]|\(empty\))+"'
SHAPES = "|".join(
    re.escape(left) + LABEL + re.escape(right)
    for left, right in (("([", "])"), ("{", "}"), ("[(", ")]"), ("[/", "/]"))
)
LINES = [
    re.compile("flowchart TB"),
    re.compile(rf"    subgraph [a-z]+ \[{LABEL}\]"),
    re.compile("    end"),
    re.compile(rf" {{4,8}}(?P<node>[a-z]+[0-9]*)(?:{SHAPES})"),
    re.compile(rf"    (?P<start>[a-z]+[0-9]*) -\.?->(?:\|{LABEL}\|)? (?P<end>[a-z]+[0-9]*)"),
]

HOSTILE = r"""
classify:
  - {kind: audit, match: {field: {name: api_token, equals: sk_hidden_value}}}
  - {kind: audit, match: {any: [{event: ["a\"b`|end;", "%%{init: {}}%%"]}, {field: {name: user.password, in: [pw_hidden, 1]}}]}}
  - {kind: tracing, match: {not: {level: ">=error"}, logger: "end"}}
sinks:
  "end": {type: sqlite, url: "sqlite+aiosqlite:///hidden-place.db"}
  "x\"] --> y[\"<script>alert(1)</script>": {type: "null"}
  "": {type: memory, queue: {type: disk, deliver: elsewhere}}
  "日本\n\u0007": {type: memory, queue: {when_full: drop_newest}}
  spilled: {type: memory, queue: {when_full: spill}}
routes:
  - {name: "a`b", match: {kind: audit, call: "os.path:exists"}, to: ["end", ""], continue: true}
  - {name: "#quot;", match: {kind: tracing, field: {name: x, regex: "^[a-z]{2}\\d|$"}}, to: ["日本\n\u0007"], sample: 0.25}
  - {name: rest, match: {}, to: [spilled, "x\"] --> y[\"<script>alert(1)</script>"]}
"""


def graph(routing: str) -> str:
    Path("routing.yaml").write_text(routing)
    result = CliRunner().invoke(app, ["graph"])
    assert result.exit_code == 0, result.output
    return result.stdout


def parsed(text: str) -> tuple[set[str], list[tuple[str, str]]]:
    """The nodes and the arrows of a flowchart, every line of which must be one that Mermaid knows."""
    nodes, edges, depth = set[str](), [], 0
    for line in text.splitlines():
        match = next((found for form in LINES if (found := form.fullmatch(line))), None)
        assert match is not None, line
        names = match.groupdict()
        depth += line.startswith("    subgraph")
        depth -= line == "    end"
        assert depth in {0, 1}
        if "node" in names:
            assert names["node"] not in nodes
            nodes.add(names["node"])
        elif "start" in names:
            edges.append((names["start"], names["end"]))
    assert depth == 0
    assert {name for edge in edges for name in edge} <= nodes
    return nodes, edges


SIMPLE = """\
classify: [{kind: audit, match: {event: "fund.*"}}]
sinks: {db: {type: memory}, logs: {type: "null"}}
routes:
  - {name: audit, match: {kind: audit}, to: [db], continue: true}
  - {name: some, match: {kind: tracing}, to: [logs, db], sample: 0.5}
"""


def test_it_goes_from_the_log_call_by_rules_and_routes_to_queues_sinks_and_dead_letters() -> None:
    nodes, edges = parsed(graph(SIMPLE))
    assert nodes == {
        *("event", "said", "rule1", "audit", "tracing", "route1", "route2", "unrouted", "sampled"),
        *("queue1", "queue2", "sink1", "sink2", "dead"),
    }
    assert set(edges) == {
        *{("event", "said"), ("said", "audit"), ("said", "tracing"), ("said", "rule1"), ("rule1", "audit")},
        *{("rule1", "tracing"), ("audit", "route1"), ("tracing", "route1"), ("route1", "queue1")},
        *{("route1", "route2"), ("route2", "queue2"), ("route2", "queue1"), ("route2", "sampled")},
        *{
            ("route2", "unrouted"),
            ("queue1", "sink1"),
            ("queue2", "sink2"),
            ("sink1", "dead"),
            ("sink2", "dead"),
        },
    }


def test_it_says_what_queues_are_and_what_routes_ask_for() -> None:
    text = graph(SIMPLE)
    for label in (
        '"event is fund.*"',
        '"route some<br/>kind is tracing"',
        '"0.5 of the traces"',
        '"queue: disk<br/>at most 1000000 events<br/>when full: block"',
        '"queue: memory<br/>at most 50000 events<br/>when full: drop oldest"',
        '"db<br/>memory"',
    ):
        assert label in text


def test_nothing_that_is_named_or_matched_becomes_structure_and_no_secret_is_shown() -> None:
    text = graph(HOSTILE)
    nodes, _ = parsed(text)
    assert {"rule3", "route3", "sink5"} <= nodes
    assert "unrouted" not in nodes  # the last route takes everything
    assert "logweir worker" in text
    for secret in ("sk_hidden_value", "pw_hidden", "hidden-place"):
        assert secret not in text
    assert "field api_token is #39;***#39;" in text


@pytest.mark.parametrize("strategy", ["explicit", "hybrid", "separated"])
def test_the_rules_and_routes_of_a_strategy_are_in_it(strategy: str) -> None:
    nodes, _ = parsed(
        graph(
            f"strategy: {strategy}\nsinks: {{audit_db: {{type: memory}}, logs: {{type: memory}}, search: {{type: memory}}}}\n"
        )
    )
    assert "route2" in nodes
    assert ("rule1" in nodes) is (strategy != "explicit")


def test_a_fallback_is_an_arrow_from_its_sink() -> None:
    text = graph(
        "sinks: {a: {type: memory, fallback: {to: b}}, b: {type: memory}}\nroutes: [{name: all, to: a}]\n"
    )
    _, edges = parsed(text)
    assert ("sink1", "sink2") in edges
    assert "while it is down" in text


def test_a_wrong_routing_file_is_wrong_input() -> None:
    Path("routing.yaml").write_text("sinks: {}\n")
    result = CliRunner().invoke(app, ["graph"])
    assert (result.exit_code, result.stdout) == (2, "")
