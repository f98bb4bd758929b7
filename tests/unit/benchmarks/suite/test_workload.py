"""The workload is the same for the same seed, and its truth is the truth."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from logweir.benchmarks.suite.truth import CLASSES, Aggregation, questions
from logweir.benchmarks.suite.workload import SeededWorkload, describe, workload_of
from logweir.encoding.events import encode_event
from logweir.errors import LogweirError
from logweir.event import Kind

WORKLOAD = SeededWorkload(first_ns=1_760_000_000 * 10**9, step_ns=10**9)


def test_the_same_seed_makes_the_same_events_wherever_one_begins() -> None:
    events = list(WORKLOAD.events(0, 2500))
    again = SeededWorkload(first_ns=WORKLOAD.first_ns, step_ns=10**9)
    assert list(again.events(1234, 2222)) == events[1234:2222]
    assert [event for batch in again.batches(10, 2500, 333) for event in batch] == events[10:]
    other = SeededWorkload(first_ns=WORKLOAD.first_ns, step_ns=10**9, seed=8)
    assert next(other.events(0, 1)) != events[0]


def test_ids_are_unique_and_rise_with_time() -> None:
    events = list(WORKLOAD.events(0, 5000))
    assert all(a.id < b.id and a.time < b.time for a, b in pairwise(events))


def test_the_shapes_are_those_of_life() -> None:
    events = list(WORKLOAD.events(0, 5000))
    audit = sum(event.kind is Kind.AUDIT for event in events)
    assert 400 < audit < 600
    assert {event.level for event in events} == {"debug", "info", "error", "critical"}
    users = [event.fields["user_id"] for event in events]
    busiest = sorted(set(users), key=users.count, reverse=True)[:100]
    assert sum(user in busiest for user in users) > len(users) / 8
    assert any("Traceback" in event.fields.get("exception", "") for event in events)
    assert any("Überweisung" in event.fields.get("message", "") for event in events)


def test_a_described_workload_comes_back() -> None:
    assert workload_of(describe(WORKLOAD)) == WORKLOAD


def test_own_lines_are_redacted_and_repeated(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"event": "a", "password": "x", "n": 1}\n{"event": "b"}\n')
    own = workload_of({"file": str(path), "first_ns": 10**18, "step_ns": 10, "seed": 7})
    events = list(own.events(0, 3))
    assert [event.name for event in events] == ["a", "b", "a"]
    assert events[0].fields == {"password": "***", "n": 1}
    assert len({event.id for event in events}) == 3


@pytest.mark.parametrize("content", [None, "", "{no JSON}\n"])
def test_lines_that_are_no_events_are_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "own.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(LogweirError, match=r"own\.jsonl"):
        workload_of({"file": str(path), "first_ns": 1, "step_ns": 1, "seed": 7})


def test_every_class_of_question_has_an_answer_that_is_true() -> None:
    volume = 3000
    events = {event.id: event for event in WORKLOAD.events(0, volume)}
    asked = questions(WORKLOAD, volume, 3, seed=1)
    assert {question.kind for question in asked} == set(CLASSES)
    for question in asked:
        if isinstance(question.ask, Aggregation):
            assert sum(question.counts.values()) == volume
        else:
            assert question.ids
            assert question.ids == sorted(question.ids)
        if question.kind == "full_text":
            (found,) = question.ids
            assert question.ask.text in json.loads(encode_event(events[found]))["fields"]["message"]  # type: ignore[union-attr]
    assert [question.ask for question in questions(WORKLOAD, volume, 3, seed=1)] == [q.ask for q in asked]
