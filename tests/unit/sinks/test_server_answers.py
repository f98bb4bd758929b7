"""The tables of docs/reference/server-answers.md say what the code does."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pymysql
import pytest
from elastic_transport import ApiError, ApiResponseMeta, HttpHeaders, NodeConfig
from elasticsearch import UnsupportedProductError
from pymongo.errors import BulkWriteError
from sqlalchemy.exc import OperationalError

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.sinks.elasticsearch import verdicts as elasticsearch
from logweir.sinks.http import verdicts as http
from logweir.sinks.loki.verdicts import Outcome, read_answer
from logweir.sinks.mongodb.verdicts import Failures
from logweir.sinks.opensearch import client as opensearch
from logweir.sinks.otlp import verdicts as otlp
from logweir.sinks.shared.search_engine.verdicts import Verdict, item_verdict, refusal
from logweir.sinks.sql.verdicts import DuplicateKey, verdict
from logweir.testing.contract import make_event

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "server-answers.md"


def answers(section: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """What each row of a section's table says: codes, the words beside them, whose fault they are by column."""
    text = PAGE.read_text().split(f"## {section}\n")[1].split("\n## ")[0]
    for row in re.findall(r"^\| (.+?) \|$", text, re.MULTILINE):
        said, *whose = re.split(r" \| ", row)
        if whose[0] not in {"stored", "event", "waits"}:
            continue
        words = re.findall(r"`([^`]+)`", said)
        for code in re.findall(r"\b[0-9A-Z]{1,5}\b", re.split(r"[:`]", said)[0]):
            yield code, words, whose


def rows(section: str) -> Any:
    found = list(answers(section))
    assert found, section
    return pytest.mark.parametrize(("code", "words", "whose"), found, ids=str)


def of_errors(ask: Callable[[], object]) -> str:
    try:
        ask()
    except SinkUnavailable:
        return "waits"
    except SinkRejected:
        return "event"
    return "stored"


@rows("HTTP: `http`, `otlp`")
def test_of_http(code: str, words: list[str], whose: list[str]) -> None:
    status, body = int(code), "".join(words).encode()
    two = [make_event(), make_event()]
    found = [
        of_errors(lambda: http.result_of(http.Answer(status, body=body), two)),
        of_errors(lambda: otlp.refused_of(otlp.Answer(status, body=body))),
    ]
    assert found == whose


@rows("Elasticsearch and OpenSearch")
def test_of_a_search_engine(code: str, words: list[str], whose: list[str]) -> None:
    error = {"type": words[0] if words else "", "reason": words[1] if len(words) > 1 else "why"}
    found, _ = item_verdict({"status": int(code), "error": error if words else None})
    names = {Verdict.STORED: "stored", Verdict.DUPLICATE: "stored", Verdict.RETRY: "waits"}
    assert [names.get(found, "event")] == whose


@rows("Elasticsearch and OpenSearch: a whole request")
def test_of_a_whole_request_to_a_search_engine(code: str, words: list[str], whose: list[str]) -> None:
    status = int(code)
    error = {"type": words[0], "reason": words[-1]} if words else "Bad Request"
    body = {"error": error, "status": status}
    node = NodeConfig("http", "h", 9200)
    raised = ApiError("words", ApiResponseMeta(status, "1.1", HttpHeaders(), 0.1, node), body)
    answer = opensearch.read(httpx.Response(status, json=body))
    found = [
        of_errors(lambda: _raise(elasticsearch.failure(raised))),
        of_errors(lambda: _raise(refusal(answer.status, answer.body, answer.retry_after))),
    ]
    assert found == whose


def test_each_of_the_two_search_engines_waits_where_the_other_answers() -> None:
    product = UnsupportedProductError(
        "no", ApiResponseMeta(200, "1.1", HttpHeaders(), 0, NodeConfig("http", "h", 1)), None
    )
    assert of_errors(lambda: _raise(elasticsearch.failure(product))) == "waits"
    theirs = httpx.Response(200, json={}, headers={"x-elastic-product": "Elasticsearch"})
    assert of_errors(lambda: opensearch.read(theirs)) == "waits"


def of_sql(error: Exception) -> str:
    found = verdict(error)
    if isinstance(found, DuplicateKey):
        return "stored"
    return of_errors(lambda: _raise(found))


def _raise(error: Exception) -> None:
    raise error


@rows("MySQL and MariaDB")
def test_of_mysql(code: str, words: list[str], whose: list[str]) -> None:
    raised = pymysql.err.OperationalError(int(code), words[0] if words else "words")
    assert [of_sql(OperationalError("INSERT", None, raised))] == whose


@rows("PostgreSQL")
def test_of_postgresql(code: str, words: list[str], whose: list[str]) -> None:
    raised = type("Postgres", (Exception,), {"sqlstate": code})("words")
    assert [of_sql(OperationalError("INSERT", None, raised))] == whose


@rows("MongoDB")
def test_of_mongodb(code: str, words: list[str], whose: list[str]) -> None:
    entry = {"index": 0, "code": int(code), "errmsg": "E11000 index: _id_ why"}
    failures = Failures()
    failures.add_bulk(BulkWriteError({"writeErrors": [entry]}), [0])
    found = [
        name
        for name, events in (
            ("stored", failures.duplicate),
            ("waits", failures.retry),
            ("event", failures.rejected.keys() | failures.misshapen.keys()),
        )
        if events
    ]
    assert found == whose


@rows("Loki")
def test_of_loki(code: str, words: list[str], whose: list[str]) -> None:
    def ask() -> None:
        answer = read_answer(int(code), "".join(words), {})
        if answer.outcome is not Outcome.STORED and answer.refusals:
            raise SinkRejected(answer.reason)

    assert [of_errors(ask)] == whose
