"""Reading what the nodes answer."""

import json

import pytest

from logweir.sinks.elasticsearch.client import FastJson


@pytest.mark.parametrize(
    "answer",
    [
        b'{"errors":false,"items":[{"create":{"status":201}}]}',
        b'{"half a surrogate":"\\ud800"}',
        b'{"large":18446744073709551616,"beyond":1e400,"small":-0.0}',
        b'{"twice":1,"twice":2}',
    ],
)
def test_an_answer_is_read_as_python_reads_it(answer: bytes) -> None:
    assert FastJson().loads(answer) == json.loads(answer)


def test_what_is_no_json_is_the_clients_own_error() -> None:
    with pytest.raises(Exception, match="Unable to deserialize as JSON"):
        FastJson().loads(b"<html>")
