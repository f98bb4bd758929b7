"""Celery's tasks carry their sender's trace: real workers, over a real Redis."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from logweir.event import Event
from servers.server import Server
from support.programs import run_program, stored

pytestmark = [pytest.mark.busy, pytest.mark.timeout(300)]

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

CONFIG = """\
service: shop
data_dir: data
sinks:
  out: {type: file, path: out.jsonl, batch: {linger: 3s}}
  audit: {type: file, path: audit.jsonl, batch: {linger: 5ms}}
routes:
  - {name: audit, match: {kind: audit}, to: [audit]}
  - {name: all, to: [out]}
drain_timeout: 20s
"""

SHOP = """
import logging, os, threading
import logweir
from celery import Celery, chain, chord
from celery.utils.log import get_task_logger
from logweir.integrations.celery import install

# What others keep in this Redis is not ours: each folder has keys of its own.
ours = {"global_keyprefix": f"shop-{os.stat('.').st_ino}-"}
app = Celery("shop", broker=os.environ["SHOP_REDIS"], backend=os.environ["SHOP_REDIS"])
app.conf.update(
    broker_transport_options=ours,
    result_backend_transport_options=ours,
    broker_connection_retry_on_startup=True,
    result_chord_retry_interval=0.1,
    task_time_limit=60,
)
logweir.configure_structlog()
logweir.start("routing.yaml")
install()
log = logweir.get_logger("shop")
task_log = get_task_logger("shop.tasks")

@app.task
def add(x, y):
    log.info("adding", x=x)
    task_log.info("adding by the standard library")
    return x + y

@app.task
def total(numbers):
    log.info("total", total=sum(numbers))
    return sum(numbers)

@app.task(bind=True)
@logweir.audit_log("order.ship")
def ship(self, order):
    if self.request.retries < 2:
        raise self.retry(exc=ValueError("no carrier"), countdown=0)
    log.info("shipped", order=order)
    return order

@app.task
@logweir.audit_log("order.refund")
def refund(order):
    raise KeyError("no such order")

@app.task
def dies():
    os.kill(os.getpid(), 9)

@app.task(time_limit=1)
def hangs():
    threading.Event().wait()

@app.task
def leaky():
    logweir.context.begin_trace(logweir.context.TraceParent("e" * 32, "e" * 16))
    import structlog
    structlog.contextvars.bind_contextvars(leaked=True)
    structlog.contextvars.clear_contextvars()
    log.info("cleared in the task")
"""

CLIENT = """
from shop import *
with logweir.context.extract({{"traceparent": "00-{trace}-00f067aa0ba902b7-01", "x-request-id": "r-17"}}, user_id=7):
    one = ship.delay("o-1")
    two = refund.delay("o-2")
    three = chord([add.s(1, 2), add.s(3, 4)], total.s()).delay()
    four = (add.s(1, 1) | add.s(5)).delay()
    five = leaky.delay()
alone = add.delay(0, 0)
assert one.get(timeout=90) == "o-1"
assert three.get(timeout=90) == 10
assert four.get(timeout=90) == 7
five.get(timeout=90)
alone.get(timeout=90)
try:
    two.get(timeout=90)
except KeyError:
    print("refund failed")
"""


@pytest.fixture(autouse=True)
def _broker(redis: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_REDIS", redis.url)


@contextmanager
def worker(directory: Path, *options: str) -> Iterator[Path]:
    """A worker of the shop, which is ended as a supervisor ends it; yields where it prints."""
    (directory / "routing.yaml").write_text(CONFIG)
    (directory / "shop.py").write_text(SHOP)
    printed = directory / "printed.txt"
    with printed.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "shop", "worker", "--loglevel", "INFO", *options],
            cwd=directory,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield printed
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # a pool whose worker has died too
        process.wait()


def by_name(events: list[Event]) -> dict[str, list[Event]]:
    return {
        name: [event for event in events if event.name == name] for name in {event.name for event in events}
    }


LONG = os.environ.get("LOGWEIR_SOAK") == "long"


@pytest.mark.parametrize(
    "pool",
    [
        pytest.param(("prefork", "--max-tasks-per-child", "2"), id="prefork"),
        pytest.param(("threads",), id="threads"),
        pytest.param(
            ("gevent",),
            id="gevent",
            marks=[pytest.mark.soak, pytest.mark.skipif(not LONG, reason="a pool more, in the long form")],
        ),
    ],
)
def test_tasks_carry_their_senders_trace_through_retries_chains_and_chords(
    tmp_path: Path, pool: tuple[str, ...]
) -> None:
    with worker(tmp_path, "--concurrency", "2", "--pool", *pool) as printed:
        status, out, errors = run_program(tmp_path, CLIENT.format(trace=TRACE), config=CONFIG, timeout=110)
        assert status == 0, errors + printed.read_text()
        assert out == "refund failed\n"
    text = printed.read_text()
    events, audits = by_name(stored(tmp_path)), stored(tmp_path, "audit.jsonl")

    # One trace through all that was sent within it, each execution a span of its own; user and task ids go along.
    assert [len(events[name]) for name in ("adding", "total", "shipped")] == [5, 1, 1], text
    within = [event for event in events["adding"] if event.trace_id == TRACE]
    assert len(within) == 4
    for event in (*within, *events["total"], *events["shipped"], *audits):
        assert (event.trace_id, event.fields["request_id"], event.fields["user_id"]) == (TRACE, "r-17", 7)
        assert event.fields["task_name"].startswith("shop.")
    assert len({event.fields["task_id"] for event in within}) == 4
    assert len({event.span_id for event in (*within, *events["total"], *events["shipped"])}) == 6

    # A task sent outside of a trace has its own; nothing leaks from one task into the next.
    (alone,) = [event for event in events["adding"] if event.trace_id != TRACE]
    assert alone.trace_id is not None
    assert not [event for event in (*within, alone) if "leaked" in event.fields]
    assert events["cleared in the task"][0].trace_id == TRACE

    # The audit records say success, failure and retry.
    statuses = Counter((event.name, event.fields["status"]) for event in audits)
    assert statuses == {
        ("order.ship", "retry"): 2,
        ("order.ship", "success"): 1,
        ("order.refund", "failed"): 1,
    }
    states = Counter(
        (event.fields["task_name"], event.fields["task_state"]) for event in events["celery.task"]
    )
    assert states["shop.ship", "RETRY"] == 2
    assert states["shop.refund", "FAILURE"] == 1
    assert states["shop.add", "SUCCESS"] == 5

    # Celery's own records are events too, with the trace of their task, and are printed once.
    assert len(events["adding by the standard library"]) == 5
    assert {event.trace_id for event in events["adding by the standard library"]} == {TRACE, alone.trace_id}
    assert text.count("adding by the standard library") == 5
    (failure,) = [
        event
        for name in events
        for event in events[name]
        if name.startswith("Task shop.refund") and "raised" in name
    ]
    assert (failure.trace_id, failure.level) == (TRACE, "error")
    assert sum(name.startswith("celery@") and name.endswith(" ready.") for name in events) == 1
    assert text.count(" ready.") == 1


def test_eager_tasks_are_spans_of_their_callers_trace(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    code = f"""
    from shop import *
    app.conf.task_always_eager = True
    with logweir.context.extract({{"traceparent": "00-{TRACE}-00f067aa0ba902b7-01"}}, user_id=7):
        ship.delay("o-1")
        add.delay(1, 2)
        log.info("the caller")
    add.delay(3, 4)
    log.info("outside")
    """
    status, _, errors = run_program(tmp_path, code, config=CONFIG)
    assert status == 0, errors
    events = by_name(stored(tmp_path))
    assert [event.trace_id == TRACE for event in events["adding"]] == [True, False]
    assert (events["shipped"][0].trace_id, events["shipped"][0].fields["user_id"]) == (TRACE, 7)
    assert events["the caller"][0].span_id != events["shipped"][0].span_id
    assert "task_id" not in events["the caller"][0].fields
    assert events["outside"][0].trace_id is None


KILLED = {"dies": "WorkerLostError", "hangs": "TimeLimitExceeded"}


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, redis: Server) -> Path:
    """Where a worker has logged the tasks whose process was killed, one after the other."""
    folder = tmp_path_factory.mktemp("killed")
    code = f"""
    from shop import *
    with logweir.context.extract({{"traceparent": "00-{TRACE}-00f067aa0ba902b7-01"}}, user_id=7):
        lost = [dies.delay(), hangs.delay()]
    for each in lost:
        try:
            each.get(timeout=90)
        except Exception as error:
            print(type(error).__name__)
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOP_REDIS", redis.url)
        with worker(folder, "--concurrency", "1", "--pool", "prefork") as printed:
            status, out, errors = run_program(folder, code, config=CONFIG, timeout=110)
            assert (status, out.split()) == (0, [*KILLED.values()]), errors + printed.read_text()
    return folder


@pytest.mark.parametrize(("task", "error"), KILLED.items())
def test_a_task_whose_process_is_killed_is_logged_as_failed_with_its_trace(
    killed: Path, task: str, error: str
) -> None:
    # A process that took too long is asked to end first, and may log its own end.
    events = by_name(stored(killed))["celery.task"]
    assert {event.trace_id for event in events} == {TRACE}
    (event,) = [event for event in events if event.fields.get("error_type") == error]
    fields = event.fields
    assert (event.trace_id, event.level, fields["user_id"], fields["task_name"]) == (
        TRACE,
        "error",
        7,
        f"shop.{task}",
    )
    assert (fields["task_state"], fields["error_type"]) == ("FAILURE", error)
