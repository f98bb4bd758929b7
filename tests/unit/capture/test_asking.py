"""Events of those who have a function of their own: its answers are stored, and are masked and bounded too."""

from datetime import date
from typing import Any

import pytest

from logweir.capture.asking import AskingSnapshotter, snapshotter_of
from logweir.capture.snapshot import Snapshotter
from logweir.config.models import LimitsConfig
from logweir.config.redact import RedactConfig
from logweir.redaction.own_function import OwnFunction
from logweir.redaction.redactor import Redactor


def snapshot(function: Any, fields: dict[str, Any], **limits: Any) -> tuple[dict[str, Any], int]:
    own = OwnFunction("my:function", function, clock=lambda: 0.0)
    return AskingSnapshotter(Redactor(), LimitsConfig(**limits), own)(fields)


def test_without_a_function_nothing_is_asked() -> None:
    assert type(snapshotter_of(RedactConfig())) is Snapshotter
    assert type(snapshotter_of(RedactConfig(function="operator:add"))) is AskingSnapshotter


def test_the_function_sees_what_the_model_left_and_not_what_is_masked() -> None:
    seen = {}

    def look(path: str, value: Any) -> Any:
        seen[path] = value
        return value

    fields = {"password": "hunter2", "user": {"born": date(1999, 1, 2), "token": "hunter3"}, "n": 1}
    copy, size = snapshot(look, fields)
    assert copy == {"password": "***", "user": {"born": "1999-01-02", "token": "***"}, "n": 1}
    assert seen == {"user.born": "1999-01-02", "n": 1}
    assert (copy, size) == Snapshotter(Redactor())(fields)


def test_an_answer_is_encoded_masked_and_bounded_like_what_is_logged() -> None:
    answers = {
        "day": date(1999, 1, 2),
        "header": "Bearer abcdef123456",
        "entry": {"password": "hunter2"},
        "long": "x" * 100,
    }
    copy, _ = snapshot(answers.get, dict.fromkeys(answers, 1), max_string=40)
    assert copy["day"] == "1999-01-02"
    assert copy["header"] == "Bearer ***"
    assert copy["entry"] == {"password": "***"}
    assert "truncated" in copy["long"]


def test_the_size_is_that_of_what_is_stored() -> None:
    answered = snapshot(lambda _path, _value: "x" * 50, {"a": 1})
    assert answered == Snapshotter(Redactor())({"a": "x" * 50})


def test_the_callers_fields_stay_as_they_are() -> None:
    fields = {"a": [1, {"b": 2}]}
    assert snapshot(lambda _path, _value: "x", fields)[0] == {"a": ["x", {"b": "x"}]}
    assert fields == {"a": [1, {"b": 2}]}


def test_where_nobody_can_be_asked_all_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> bool:
        raise RecursionError

    monkeypatch.setattr(OwnFunction, "ask", fails)
    assert snapshot(lambda _path, value: value, {"a": "hunter2"})[0] == {"a": "***"}
