"""D3: an answer of a sink that can be none is a failed write: repeated, then in the dead letters, reported."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.delivery.test_worker import Bench

from logweir.delivery.answer_check import sound
from logweir.sinks.results import WriteResult

#: By what is wrong with them; made anew for each write, for some can be read once.
ODD: dict[str, Callable[[], Any]] = {
    "nothing": lambda: None,
    "a class": lambda: WriteResult,
    "retry is None": lambda: WriteResult(retry=None),
    "rejected is a list": lambda: WriteResult(rejected=[0]),
    "rejected is None": lambda: WriteResult(rejected=None),
    "an index is text": lambda: WriteResult(duplicate=frozenset({"0"})),
    "indexes of two types": lambda: WriteResult(retry=frozenset({0, "1"})),
    "an index is a boolean": lambda: WriteResult(retry=frozenset({True})),
    "an index is a fraction": lambda: WriteResult(rejected={0.0: "no"}),
    "an index is not hashable": lambda: WriteResult(duplicate=[[0]]),
    "beyond the batch": lambda: WriteResult(duplicate=frozenset({2})),
    "before the batch": lambda: WriteResult(duplicate=frozenset({-1})),
    "one event twice": lambda: WriteResult(duplicate=frozenset({0}), rejected={0: "no"}),
    "an index twice": lambda: WriteResult(retry=[0, 0]),
    "a reason is None": lambda: WriteResult(rejected={0: None}),
    "a reason is an exception": lambda: WriteResult(rejected={0: ValueError("x")}),
    "the pause is text": lambda: WriteResult(retry=frozenset({0}), retry_after="soon"),
    "the pause is not a number": lambda: WriteResult(retry=frozenset({0}), retry_after=float("nan")),
    "the pause is endless": lambda: WriteResult(retry=frozenset({0}), retry_after=float("inf")),
    "the reason to retry is bytes": lambda: WriteResult(retry=frozenset({0}), retry_reason=b"x"),
}


@pytest.mark.parametrize("odd", ODD)
async def test_d3_an_answer_that_can_be_none_is_repeated_and_then_a_dead_letter(
    tmp_path: Path, odd: str, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(lambda batch: ODD[odd](), tmp_path)
    bench.sink.write = _only_answering(bench)
    with caplog.at_level(logging.WARNING, "logweir"):
        await bench.deliver("a", "b")
    assert len(await bench.reasons()) == bench.counters.dead
    # "beyond the batch" is the batch of two; alone, each of the others is as odd as before.
    assert (bench.counters.dead, bench.counters.stored) == (2, 0)
    assert bench.sleeps
    assert bench.counters.failures >= 3
    assert "sink 'test' failed" in caplog.text
    assert "resumes" not in caplog.text


def _only_answering(bench: Bench) -> Any:
    async def write(batch: Any) -> Any:
        return bench.sink.answer(batch)

    return write


async def test_d3_a_generator_of_indexes_is_read_once_and_serves() -> None:
    result: Any = WriteResult(duplicate=(index for index in [1]), retry=[0])  # type: ignore[arg-type]
    assert sound(result, 2) == WriteResult(frozenset({1}), frozenset({0}))


@pytest.mark.parametrize(
    "error", [GeneratorExit(), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()]
)
async def test_d3_what_only_the_process_may_raise_is_a_failure_like_any_other(
    tmp_path: Path, error: BaseException
) -> None:
    errors = [error]

    def answer(_batch: object) -> WriteResult:
        if errors:
            raise errors.pop()
        return WriteResult.all_stored()

    bench = Bench(answer, tmp_path)
    await bench.deliver("a", "b")
    assert bench.sink.stored == ["a", "b"]
    assert bench.counters.failures == 1
    assert (
        type(error).__name__ in bench.counters.last_error or "cancelled itself" in bench.counters.last_error
    )
