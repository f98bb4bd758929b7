"""Errors: what they say, also where they come from another process."""

import pickle

import pytest

import logweir
from logweir.errors import ConfigProblem


@pytest.mark.parametrize(
    "error",
    [
        logweir.AuditError("a"),
        logweir.ConfigError([ConfigProblem("wrong", "sinks.a")]),
        logweir.MissingDependency("mysql", "mysql"),
        logweir.NotRunning("a"),
        logweir.SinkUnavailable("a", retry_after=2.0),
        logweir.SinkRejected("a"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_c8_errors_come_back_from_another_process(error: Exception) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
