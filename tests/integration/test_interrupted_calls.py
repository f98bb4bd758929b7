"""Finalisers and signal handlers log in the middle of anything: nothing is lost, doubled or left waiting."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import logweir
from logweir.sinks.memory import MemorySink
from support.interrupting import interrupt_at, steps
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
    closed = []

    class Session:
        def __init__(self, number):
            self.number = number
            self.itself = self

        def __del__(self):
            log.info("closed", persist_db=True, number=self.number)
            closed.append(self.number)

    logweir.start()
    for number in range(3000):
        Session(number)
        log.info("called", persist_db=True, number=number)
    while len(closed) < 3000:
        gc.collect()  # does nothing while another thread collects
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


@pytest.mark.busy
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


# -- at any instruction, and inside every lock -----------------------------------------------------------

QUEUES: dict[str, dict[str, Any]] = {
    "memory": {"type": "memory", "when_full": "block", "max_events": 100_000},
    "disk": {"type": "disk"},
    "spill": {"type": "memory", "when_full": "spill", "max_events": 20},
}


def structlog_call(name: str) -> None:
    logweir.get_logger("shop").info(name, persist_db=True, amounts=[1, 2])


def stdlib_call(name: str) -> None:
    logging.getLogger("interrupted").info(name, extra={"persist_db": True, "amounts": [1, 2]})


def audit_call(name: str) -> None:
    logweir.audit_sync(name, acknowledge="accepted", amounts=[1, 2])


def waiting_call(name: str) -> None:
    """Waits, but for itself; then it is refused, and stored."""
    try:
        logweir.audit_sync(name, acknowledge="durable", timeout=30.0)
    except logweir.AuditError as error:
        assert "interrupted" in str(error)


CALLS = [structlog_call, stdlib_call, audit_call, waiting_call]


@pytest.fixture
def handler() -> Iterator[None]:
    logweir.configure_structlog()
    handler = logweir.Handler()
    logger = logging.getLogger("interrupted")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield
    logger.removeHandler(handler)


def start(tmp_path: Path, queue: str) -> logweir.Runtime:
    return logweir.start(
        {
            "data_dir": str(tmp_path),
            "sinks": {"out": {"type": "memory", "queue": QUEUES[queue], "batch": {"linger": "1ms"}}},
            "routes": [{"name": "all", "to": ["out"]}],
        }
    )


@pytest.mark.soak
@pytest.mark.usefixtures("handler")
@pytest.mark.parametrize("queue", QUEUES)
@pytest.mark.parametrize("call", CALLS)
def test_c1_a_log_call_may_interrupt_another_at_any_instruction(
    tmp_path: Path, call: Callable[[str], None], queue: str
) -> None:
    runtime = start(tmp_path, queue)
    numbers = count()
    for step in steps(19):
        if not interrupt_at(step, lambda: call(str(next(numbers))), lambda: call(str(next(numbers)))):
            break
    assert runtime.flush(30.0)
    stored = Counter(event.name for event in MemorySink.of("out").events.values())
    assert stored == Counter(str(number) for number in range(next(numbers)))
    assert runtime.metrics().sinks["out"].accepted == stored.total()


class _Loud:
    """A re-entrant lock inside which, whenever it was just taken or is about to be released, a hook is called."""

    hook: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self) -> None:
        self._lock = _rlock()
        self._is_owned = self._lock._is_owned  # type: ignore[attr-defined]
        self._release_save = self._lock._release_save  # type: ignore[attr-defined]
        self._acquire_restore = self._lock._acquire_restore  # type: ignore[attr-defined]

    def acquire(self, *args: Any) -> bool:
        taken = self._lock.acquire(*args)
        if taken:
            type(self).hook()
        return taken

    def release(self) -> None:
        type(self).hook()
        self._lock.release()

    __enter__ = acquire

    def __exit__(self, *_error: object) -> None:
        self.release()


_rlock = threading.RLock


@pytest.mark.usefixtures("handler")
@pytest.mark.parametrize("queue", QUEUES)
@pytest.mark.parametrize("call", CALLS)
def test_c1_a_log_call_inside_every_lock_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[[str], None], queue: str
) -> None:
    """In every thread: the callers', the committer's and that of the delivery."""
    numbers = count()
    busy = threading.local()
    left = [None] * 300

    def hook() -> None:
        if getattr(busy, "now", False):
            return
        try:
            left.pop()
        except IndexError:
            return
        busy.now = True
        try:
            (audit_call if call is waiting_call else call)(str(next(numbers)))
        finally:
            busy.now = False

    monkeypatch.setattr(threading, "RLock", _Loud)
    monkeypatch.setattr(_Loud, "hook", staticmethod(lambda: None))
    runtime = start(tmp_path, queue)
    monkeypatch.setattr(_Loud, "hook", staticmethod(hook))
    threads = [
        threading.Thread(target=lambda: [call(str(next(numbers))) for _ in range(50)]) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    monkeypatch.setattr(_Loud, "hook", staticmethod(lambda: None))
    assert runtime.flush(30.0)
    stored = Counter(event.name for event in MemorySink.of("out").events.values())
    assert stored == Counter(str(number) for number in range(next(numbers)))
