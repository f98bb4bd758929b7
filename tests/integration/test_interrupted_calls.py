"""Finalisers and signal handlers log in the middle of anything: nothing is lost, doubled or left waiting."""

from collections import Counter
from pathlib import Path

import pytest

from support.programs import CONFIG, names, run_program, stored

_QUEUES = [
    "{type: disk}",
    "{type: memory, when_full: block}",
    "{type: memory, max_events: 50, when_full: spill}",
]


def with_queue(queue: str) -> str:
    return CONFIG.replace("batch:", f"queue: {queue}, batch:")


@pytest.mark.parametrize("queue", _QUEUES)
def test_c1_finalisers_that_audit_beside_audit_calls_lose_nothing(tmp_path: Path, queue: str) -> None:
    code = """
    import gc
    gc.set_threshold(50)

    class Session:
        def __init__(self, number):
            self.number = number
            self.itself = self

        def __del__(self):
            log.info("closed", persist_db=True, number=self.number)

    logweir.start()
    for number in range(3000):
        Session(number)
        log.info("called", persist_db=True, number=number)
    gc.collect()
    print(logweir.stop(60.0))
    """
    status, printed, errors = run_program(tmp_path, code, config=with_queue(queue))
    assert (status, printed.split()) == (0, ["True"]), errors
    assert "failed" not in errors
    counts = Counter((event.name, event.fields["number"]) for event in stored(tmp_path))
    assert set(counts.values()) == {1}
    assert len(counts) == 6000


@pytest.mark.parametrize("queue", _QUEUES)
def test_c1_a_signal_handler_that_audits_loses_nothing(tmp_path: Path, queue: str) -> None:
    code = """
    import signal
    ticks = 0

    def tick(_number, _frame):
        global ticks
        log.info("tick", persist_db=True, number=ticks)
        ticks += 1

    logweir.start()
    signal.signal(signal.SIGALRM, tick)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    number = 0
    while ticks < 300:
        log.info("called", persist_db=True, number=number)
        number += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(logweir.stop(60.0), ticks, number)
    """
    status, printed, errors = run_program(tmp_path, code, config=with_queue(queue))
    assert status == 0, errors
    answer, ticks, called = printed.split()
    assert answer == "True", errors
    events = stored(tmp_path)
    assert Counter(event.name for event in events) == {"tick": int(ticks), "called": int(called)}
    assert len({event.id for event in events}) == len(events)


def test_c1_an_audit_call_that_interrupts_the_queue_does_not_wait_for_itself(tmp_path: Path) -> None:
    """The answer would need the very lock that its thread holds; the event is stored all the same."""
    code = """
    runtime = logweir.start()
    spool = runtime._reload.spools[0]
    logweir.audit_sync("before")
    with spool.lock:
        started = time.monotonic()
        try:
            logweir.audit_sync("inside", acknowledge="durable", timeout=30)
        except logweir.AuditError as error:
            print("interrupted" in str(error), time.monotonic() - started < 10)
        print(logweir.audit_sync("accepted", acknowledge="accepted").level)
    logweir.audit_sync("after")
    print(logweir.stop(30.0))
    """
    config = with_queue("{type: disk}")
    status, printed, errors = run_program(tmp_path, code, config=config)
    assert (status, printed.splitlines()) == (0, ["True True", "accepted", "True"]), errors
    assert names(tmp_path) == ["before", "inside", "accepted", "after"]
