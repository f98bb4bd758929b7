"""Errors as texts: as Python writes them, unless that is far more than anybody reads."""

import traceback
from typing import Any

import pytest

from logweir.capture import tracebacks
from logweir.capture.capture import _format
from logweir.capture.tracebacks import format_error


def raised(error: BaseException, *, depth: int = 0) -> BaseException:
    """The error with a traceback."""

    def deeper(left: int) -> None:
        if left:
            deeper(left - 1)
        raise error

    try:
        deeper(depth)
    except BaseException as caught:  # noqa: BLE001 - of whatever kind
        return caught


def chained(count: int, *, depth: int = 0) -> BaseException:
    error = raised(ValueError("cause 0"))
    for number in range(1, count):
        following = ValueError(f"cause {number}")
        following.__cause__ = error
        error = raised(following, depth=depth)
    return error


def group(count: int) -> BaseExceptionGroup[BaseException]:
    return BaseExceptionGroup("many", [raised(ConnectionError(f"peer {number}")) for number in range(count)])


def noted(count: int) -> BaseException:
    error = raised(ValueError("noted"))
    for number in range(count):
        error.add_note(f"note {number}")
    return error


def nested(count: int) -> BaseException:
    error: BaseException = raised(ValueError("inner"))
    for _ in range(count):
        error = BaseExceptionGroup("outer", [error])
    return error


@pytest.mark.parametrize(
    "error",
    [raised(KeyError("x")), chained(5), group(40), noted(50), raised(ValueError(), depth=200), nested(3)],
    ids=lambda error: type(error).__name__,
)
def test_what_people_meet_is_what_python_writes(error: BaseException) -> None:
    assert format_error(error) == "".join(traceback.format_exception(error)).rstrip("\n")


def test_a_log_call_writes_it_so() -> None:
    assert "and 9,985 more" in _format(group(10_000))


@pytest.mark.parametrize(
    ("error", "kept", "left_out"),
    [
        (group(10_000), ["many (10000 sub-exceptions)", "peer 0", "peer 14", "and 9,985 more"], "peer 15"),
        (noted(100_000), ["ValueError: noted", "note 0", "note 14"], "note 15"),
        (chained(200), ["cause 199", "cause 190", "was the direct cause", "is left out"], "cause 189"),
        (chained(3, depth=600), ["frames left out", "cause 2"], "nothing of this"),
        (nested(500), ["outer (1 sub-exception)", "and 1 more"], "inner"),
        (BaseExceptionGroup("all", [group(40)] * 40), ["all (40 sub-", "peer 3", "more"], "peer 39"),
    ],
    ids=["members", "notes", "causes", "frames", "groups", "tree"],
)
def test_of_far_more_the_rest_is_left_out_before_it_is_written(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, kept: list[str], left_out: str
) -> None:
    def refuse(*_: Any, **__: Any) -> list[str]:
        raise AssertionError("Python would write all of it")

    monkeypatch.setattr(tracebacks.traceback, "format_exception", refuse)
    text = format_error(error)
    assert all(part in text for part in kept), text[-2000:]
    assert left_out not in text
    assert text.count("Traceback (most recent call last)") < 70
    assert len(text) < 50_000
