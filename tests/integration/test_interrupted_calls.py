"""Finalisers and signal handlers log in the middle of anything: nothing is lost, doubled or left waiting."""

import faulthandler
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import logweir
from logweir.process import reentry
from logweir.sinks.memory import MemorySink
from support.interrupting import interrupt_at, interrupt_inside, steps
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


# -- two threads, each inside what the other one wants ---------------------------------------------------

_LONG = 20.0


def questions(runtime: logweir.Runtime) -> list[Callable[[], bool]]:
    """Whether the caller is inside the lock of a queue, for each of them."""
    queues = [channel.queue for channel in runtime._reload.all_channels()]
    # That of a queue which spills says the same of the spool.
    return [getattr(queue, "_memory", queue).is_interrupted for queue in queues]


@pytest.mark.usefixtures("handler")
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("pair", [("memory", "disk"), ("memory", "spill"), ("disk", "spill")], ids="-".join)
def test_threads_inside_the_locks_of_two_sinks_log_to_both_of_them(
    tmp_path: Path, call: Callable[[str], None], pair: tuple[str, str]
) -> None:
    """A finaliser in each: neither waits for the other, and nothing is lost."""
    sink = {"type": "memory", "batch": {"linger": "1ms"}}
    runtime = logweir.start(
        {
            "data_dir": str(tmp_path),
            "sinks": {name: {**sink, "queue": QUEUES[name]} for name in pair},
            "routes": [{"name": "all", "to": list(pair)}],
        }
    )
    numbers = count()
    call(str(next(numbers)))
    meeting = threading.Barrier(2)

    def work(inside: Callable[[], bool], entered: threading.Event) -> None:
        def interrupt() -> None:
            entered.set()
            meeting.wait(_LONG)
            call(str(next(numbers)))

        assert interrupt_inside(inside, 1, lambda: call(str(next(numbers))), interrupt)

    threads = []
    for inside in reversed(questions(runtime)):  # or the one would wait for the other on its way there
        entered = threading.Event()
        threads.append(threading.Thread(target=work, args=(inside, entered), daemon=True))
        threads[-1].start()
        assert entered.wait(_LONG)
    for thread in threads:
        thread.join(_LONG)
    if any(thread.is_alive() for thread in threads):
        faulthandler.dump_traceback(all_threads=True)
        pytest.fail("two threads wait for each other; their stacks are above")
    assert runtime.flush(30.0)
    expected = Counter(str(number) for number in range(next(numbers)))
    for name in pair:
        assert Counter(event.name for event in MemorySink.of(name).events.values()) == expected


def test_an_audit_call_inside_any_lock_of_the_delivery_does_not_wait(tmp_path: Path) -> None:
    """Whoever commits or delivers may need that lock; the event is stored all the same."""
    runtime = start(tmp_path, "disk")
    logweir.audit_sync("before", timeout=60.0)
    locks = [lock for reference in list(reentry._registered.values()) if (lock := reference()) is not None]
    assert len(locks) > 5
    refusals = 0
    for lock in locks:
        with lock:
            try:  # where nobody needs that lock, it may be durable before its caller looks
                logweir.audit_sync("inside", acknowledge="durable", timeout=_LONG)
            except logweir.AuditError as error:
                assert "interrupted the delivery" in str(error)
                refusals += 1
    assert refusals > 2
    assert runtime.flush(30.0)
    names = Counter(event.name for event in MemorySink.of("out").events.values())
    assert names == {"before": 1, "inside": len(locks)}


@pytest.mark.parametrize("queue", ["{type: disk}", "{type: memory}"])
def test_a_stop_or_a_flush_inside_the_lock_of_a_queue_waits_for_nobody(tmp_path: Path, queue: str) -> None:
    """The delivery needs that lock: the flush says no, and the stop comes when the lock is free."""
    code = """
    runtime = logweir.start()
    log.info("before", persist_db=True)
    (channel,) = runtime._reload.all_channels()
    with channel.queue._lock:
        log.info("inside", persist_db=True)
        begun = time.monotonic()
        print(logweir.flush(600), logweir.stop(600), runtime.stopped)
        print(time.monotonic() - begun < 60)
        runtime.metrics()
        (stopping,) = [thread for thread in threading.enumerate() if thread.name == "logweir-stop"]
    stopping.join()
    print(runtime.stopped, logweir.stop())
    """
    status, printed, errors = run_program(tmp_path, code, config=with_queue(queue), timeout=120)
    assert (status, printed.splitlines()) == (0, ["False False False", "True", "True True"]), errors
    assert sorted(names(tmp_path)) == ["before", "inside"]


def test_metrics_inside_the_lock_of_a_queue_do_not_wait_for_who_reads_them_elsewhere(tmp_path: Path) -> None:
    runtime = start(tmp_path, "memory")
    (channel,) = runtime._reload.all_channels()
    reading = threading.Event()
    answers: list[Any] = []

    def read() -> None:
        with runtime._reload._books:
            reading.set()
            answers.append(channel.statistics())

    reader = threading.Thread(target=read, daemon=True)

    def ask() -> None:
        with channel.queue._lock:
            reader.start()
            reading.wait(_LONG)
            answers.append(runtime.metrics())

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(_LONG)
    assert len(answers) > 0
    reader.join(_LONG)
    assert len(answers) == 2


def test_metrics_inside_the_locks_of_two_sinks_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """Two finalisers, each inside a lock that the counts of the other would need."""
    sink = {"type": "memory", "batch": {"linger": "1ms"}}
    runtime = logweir.start(
        {
            "data_dir": str(tmp_path),
            "sinks": {name: {**sink, "queue": QUEUES[name]} for name in ("memory", "disk")},
            "routes": [{"name": "all", "to": ["memory", "disk"]}],
        }
    )
    logweir.audit_sync("before", timeout=60.0)
    assert {sink.accepted for sink in runtime.metrics().sinks.values()} == {1}
    both = threading.Barrier(2)
    answers: list[set[int]] = []

    def ask(lock: Any) -> None:
        with lock:
            both.wait(_LONG)
            answers.append({sink.accepted for sink in runtime.metrics().sinks.values()})

    locks = [channel.queue._lock for channel in runtime._reload.all_channels()]
    asking = [threading.Thread(target=ask, args=(lock,), daemon=True) for lock in locks]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(_LONG)
    assert answers == [{1}, {1}]
