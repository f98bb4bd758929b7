"""Waiting for a commit on an event loop."""

import asyncio

import pytest

from logweir.delivery.commit_future import commit_future
from support.interrupting import interrupt_at, steps


@pytest.mark.soak
async def test_c1_an_answer_that_interrupts_another_leaves_nobody_waiting() -> None:
    for step in steps(1):
        (first, answer_first), (second, answer_second) = commit_future(10.0), commit_future(10.0)
        reached = interrupt_at(step, lambda: answer_first(None), lambda: answer_second(None))  # noqa: B023 - called now
        if not reached:
            answer_second(None)
        await asyncio.gather(first, second)
        if not reached:
            break


async def test_who_is_cut_off_while_it_answers_leaves_no_later_answer_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A caller that commits for others, in its own thread, may be ended by a time limit there."""
    (first, answer_first), (second, answer_second) = commit_future(10.0), commit_future(10.0)

    def cut_off(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(asyncio.get_running_loop(), "call_soon_threadsafe", cut_off)
        with pytest.raises(KeyboardInterrupt):
            answer_first(None)
    answer_second(None)
    await asyncio.gather(first, second)
