"""Work in slices: who pauses, when, and that nothing is left out or done twice."""

import asyncio
import time
from typing import Any

import pytest

from logweir.process import pacing
from logweir.process.pacing import breathe, in_slices, in_slices_of_thread, leisure, paced


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    made: list[float] = []

    async def sleep(seconds: float) -> None:
        made.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(time, "sleep", made.append)
    return made


async def both(items: Any) -> tuple[list[Any], list[Any]]:
    return [part async for part in in_slices(items)], list(in_slices_of_thread(items))


async def test_work_that_nobody_paces_is_done_in_one_go(pauses: list[float]) -> None:
    items = list(range(200))
    assert await both(items) == ([items], [items])
    assert await both([]) == ([], [])
    assert not pauses


async def test_paced_work_pauses_between_slices_and_leaves_nothing_out(pauses: list[float]) -> None:
    items = range(150)
    with paced(lambda: True):
        parts, parts_in_thread = await both(items)
    assert [len(part) for part in parts] == [64, 64, 22]
    assert [item for part in parts for item in part] == list(items)
    assert parts_in_thread == parts
    assert pauses == [0.001] * 4


async def test_a_hurry_in_the_middle_ends_the_pauses(pauses: list[float]) -> None:
    answers = iter([True, True, False])
    with paced(lambda: next(answers)):
        parts = [part async for part in in_slices(range(1000))]
    assert [len(part) for part in parts] == [64, 64, 872]
    assert len(pauses) == 1


async def test_a_batch_of_one_slice_has_no_pause(pauses: list[float]) -> None:
    with paced(lambda: True):
        assert [len(part) async for part in in_slices(range(64))] == [64]
    assert not pauses


async def test_a_breath_is_taken_where_there_is_time_for_it(pauses: list[float]) -> None:
    await breathe()
    with paced(lambda: False):
        await breathe()
    assert not pauses
    with paced(lambda: True):
        await breathe()
    assert pauses == [0.001]


def test_what_paces_is_known_inside_alone() -> None:
    def decide() -> bool:
        return True

    with paced(decide):
        assert leisure() is decide
        with paced(None):
            assert leisure() is None
    assert leisure() is None


def test_the_application_runs_between_two_slices() -> None:
    """The pauses are real: another thread gets the interpreter in each of them."""
    with paced(lambda: True):
        begun = time.perf_counter()
        parts = list(in_slices_of_thread(range(400)))
    assert time.perf_counter() - begun >= pacing._PAUSE * (len(parts) - 1)
