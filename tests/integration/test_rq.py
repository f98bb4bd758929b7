"""RQ: jobs carry their sender's trace by inject and extract, over a real Redis."""

import warnings
from typing import Any
from uuid import uuid4

import redis as client

import logweir
from logweir.context import extract, inject
from logweir.testing import Captured
from servers import Server

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what it still imports is deprecated elsewhere
    from rq import Queue, SimpleWorker, get_current_job
    from rq.timeouts import TimerDeathPenalty

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADERS = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "x-request-id": "r-17"}
log = logweir.get_logger("jobs")


class InThisThread(SimpleWorker):
    """A worker that runs jobs where it is, whatever thread that is."""

    death_penalty_class = TimerDeathPenalty


def work(number: int) -> int:
    job = get_current_job()
    assert job is not None
    with extract(job.meta, job_id=job.id):
        log.info("working", number=number)
    return number


def test_a_job_carries_the_trace_of_whoever_sent_it(redis: Server, logweir_capture: Captured) -> None:
    logweir.configure_structlog()
    connection: Any = client.Redis.from_url(redis.url)
    try:
        queue = Queue(f"q-{uuid4().hex}", connection=connection)
        with extract(HEADERS):
            log.info("sending")
            within = queue.enqueue(work, 1, meta=inject())
        alone = queue.enqueue(work, 2, meta=inject())
        assert InThisThread([queue], connection=connection).work(burst=True, logging_level="WARNING")
        queue.delete(delete_jobs=True)
    finally:
        connection.close()

    sent = next(event for event in logweir_capture.events if event.name == "sending")
    one, two = (event for event in logweir_capture.events if event.name == "working")
    assert (one.trace_id, one.fields["request_id"], one.fields["job_id"]) == (TRACE, "r-17", within.id)
    assert one.span_id != sent.span_id
    assert (two.fields["number"], two.fields["job_id"]) == (2, alone.id)
    assert two.trace_id not in {None, TRACE}
