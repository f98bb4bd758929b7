"""Whether a caller runs on an event loop."""

import asyncio
import threading

import pytest

from logweir.process.threads import on_event_loop


def test_a_loop_runs_under_who_is_on_it_and_under_nobody_else() -> None:
    async def asks() -> tuple[bool, bool]:
        return on_event_loop(), await asyncio.to_thread(on_event_loop)

    assert asyncio.run(asks()) == (True, False)
    assert not on_event_loop()


def test_the_loop_of_another_greenlet_of_the_same_thread_is_not_the_callers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def asks() -> bool:
        # As gevent has it: what Python takes for another thread finds the loop that runs in this one.
        monkeypatch.setattr(threading, "get_ident", lambda: -1)
        return on_event_loop()

    assert asyncio.run(asks()) is False
