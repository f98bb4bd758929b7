"""Which queries the double of Loki understands, and what they let through."""

import pytest

from logweir.event import Kind
from logweir.sinks.contract import Query
from logweir.sinks.loki.query import logql, with_id_ending, with_own_time
from servers.loki_double.logql import ParseError, parse, parse_selector

LABELS = {"job": "j", "kind": "audit"}


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ('{job="j"}', True),
        (' { job = "j" , kind="audit" } ', True),
        ('{job="j", absent=""}', True),
        ('{job="k"}', False),
        ('{job="j"} |= "lin"', True),
        ('{job="j"}|="LIN"', False),
        ('{job="j"} |= `a "line"` |= "a"', True),
        ('{job="j"} |~ "l[aeiou]n|none"', True),
        ('{job="j"} |~ "^line"', False),
        ('{job="j"} | kind="audit"', True),
        ('{job="j"} | kind="tracing"', False),
        ('{job="j"} | absent=""', True),
        ('{job="j"} |= "line" | kind="audit" |~ "a"', True),
    ],
)
def test_what_a_query_lets_through(text: str, passes: bool) -> None:
    query = parse(text)
    found = query.selects(tuple(LABELS.items())) and query.passes('a "line"', LABELS)
    assert found is passes


@pytest.mark.parametrize(
    "text",
    [
        "", "job", "{", "{}", '{job=""}', '{job="j"', '{job=~"j"}', '{job!="j"}', "{job=j}", '{job="j" a="b"}', '{job="j",}', '{,job="j"}',
        '{job="j"} != "x"', '{job="j"} !~ "x"', '{job="j"} | json', '{job="j"} | logfmt | a="b"',
        '{job="j"} | kind=~"a"', '{job="j"} | n > 5', '{job="j"} |= "a" or "b"', '{job="j"} |= x',
        'count_over_time({job="j"}[1m])', 'sum by (a) (rate({job="j"}[1m]))', '{job="j"} |~ "("',
        '{job="j"} |~ "a(?=b)"', r'{job="j"} |~ "(a)\\1"', r'{job="j"} |= "\q"', '{job="j"} | line_format "x"',
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(ParseError, match="^parse error"):
        parse(text)


def test_an_error_says_where() -> None:
    with pytest.raises(ParseError, match="^parse error at line 2, col 3: syntax error: unexpected json"):
        parse('{job="j"}\n  json')


def test_series_take_a_selector_alone() -> None:
    assert parse_selector('{job="j"}').selects((("job", "j"),))
    with pytest.raises(ParseError):
        parse_selector('{job="j"} |= "x"')


def test_every_query_of_the_sink_is_understood() -> None:
    query = Query(
        ids=frozenset({"0190-a", "0190-b"}), name='na"me', text="te\nxt ß", fields={"a": "x\\y", "n": 5},
        kind=Kind.AUDIT, trace_id="4bf9",
    )  # fmt: skip
    for placed in ((), ("kind", "trace_id")):
        text = logql(query, {"job": 'j"', "env": "ß"}, placed)
        for each in (text, with_own_time(text), with_id_ending(text, "0f")):
            assert parse(each).matchers == (("job", 'j"'), ("env", "ß"))
