"""A function of the user's: what it is asked, what its answers become, and what happens when it fails."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from logweir.redaction.own_function import OwnFunction


class Clock:
    """Seconds that pass only where a function lets them."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(
        "logweir.redaction.own_function.report", lambda _key, message, *args: said.append(message % args)
    )
    return said


def asked(function: Callable[[str, Any], Any], fields: dict[str, Any], clock: Clock) -> dict[str, Any]:
    OwnFunction("my.module:mask", function, clock).ask(fields)
    return fields


def test_it_is_asked_about_each_value_that_the_model_left(clock: Clock) -> None:
    seen: list[tuple[str, Any]] = []
    pseudonym = "hmac:" + "0f" * 16
    fields = {
        "user": {"email": "a@b.c", "id": 7, "x.y": None, "password": "***"},
        "items": [{"n": 1.5}, [True]],
        "ip": pseudonym,
        "none": {},
    }
    before = repr(fields)
    own = OwnFunction("my.module:mask", lambda path, value: seen.append((path, value)) or value, clock)
    assert own.ask(fields) is False
    assert seen == [
        ("user.email", "a@b.c"),
        ("user.id", 7),
        ("user.x.y", None),
        ("items[0].n", 1.5),
        ("items[1][0]", True),
    ]
    assert repr(fields) == before


def test_what_it_returns_is_stored_and_said(clock: Clock) -> None:
    found: list[str] = []
    fields = {"a": "x", "b": [1, "x"], "c": "y"}
    own = OwnFunction("m:f", lambda _path, value: {"is": "x"} if value == "x" else value, clock)
    assert own.ask(fields, found.append) is True
    assert fields == {"a": {"is": "x"}, "b": [1, {"is": "x"}], "c": "y"}
    assert found == ["a", "b[1]"]
    assert own.rule == "function: m:f"


def test_true_in_place_of_one_is_another_answer(clock: Clock) -> None:
    assert asked(lambda _path, _value: True, {"a": 1}, clock)["a"] is True


def test_one_that_raises_is_reported_without_its_words_and_its_value_is_masked(
    clock: Clock, reports: list[str]
) -> None:
    def refuse(path: str, value: Any) -> Any:
        if path == "b":
            raise ValueError(f"cannot read {value}")
        return value

    assert asked(refuse, {"a": 1, "b": "hunter2", "c": 3}, clock) == {"a": 1, "b": "***", "c": 3}
    assert reports == ["my.module:mask raised ValueError for 'b'; this value is masked"]


def test_one_that_is_slow_twice_is_reported_and_the_rest_of_the_event_is_masked(
    clock: Clock, reports: list[str]
) -> None:
    calls: list[str] = []

    def wait(path: str, value: Any) -> Any:
        calls.append(path)
        clock.now += 0.0011 if path == "b" else 0.0009
        return value

    fields = asked(wait, {"a": 1, "b": 2, "c": {"d": 3}}, clock)
    assert fields == {"a": 1, "b": "***", "c": {"d": "***"}}
    assert calls == ["a", "b", "b"]
    (said,) = reports
    assert said.startswith("my.module:mask takes longer than a millisecond for 'b'")
    assert asked(lambda _path, value: value, {"a": 1}, clock) == {"a": 1}, (
        "the next event is asked about again"
    )


def test_one_that_a_busy_machine_held_up_once_keeps_its_answer(clock: Clock, reports: list[str]) -> None:
    delays = iter([0.5, 0.0001])

    def answer(_path: str, value: Any) -> Any:
        clock.now += next(delays)
        return value

    assert asked(answer, {"a": 1}, clock) == {"a": 1}
    assert reports == []


def test_what_it_logs_itself_is_masked_and_does_not_go_round_for_ever(clock: Clock) -> None:
    inner: list[dict[str, Any]] = []

    def logs(_path: str, value: Any) -> Any:
        fields = {"value": value}
        own.ask(fields)
        inner.append(fields)
        return value

    own = OwnFunction("m:f", logs, clock)
    fields = {"a": "secret", "b": "other"}
    assert own.ask(fields) is False
    assert inner == [{"value": "***"}, {"value": "***"}]


def test_what_ends_the_program_passes_and_the_next_event_is_asked_about(clock: Clock) -> None:
    def interrupted(_path: str, _value: Any) -> Any:
        raise KeyboardInterrupt

    own = OwnFunction("m:f", interrupted, clock)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            own.ask({"a": 1})


def test_reports_are_few(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    def fails(_path: str, _value: Any) -> Any:
        raise RuntimeError("hunter2")

    with caplog.at_level(logging.WARNING, "logweir"):
        for _ in range(100):
            OwnFunction("few:reports", fails, clock).ask({"a": 1})
    mine = [record.getMessage() for record in caplog.records if "few:reports" in record.getMessage()]
    assert mine == ["few:reports raised RuntimeError for 'a'; this value is masked"]
