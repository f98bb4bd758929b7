"""The pictures of several processes as one."""

import json
from dataclasses import fields, replace

import pytest

from logweir.delivery.brokers.contract import LetterTotals, PartitionState
from logweir.delivery.counters import SinkState
from logweir.delivery.fallback.circuit import CircuitState
from logweir.delivery.histogram import BATCH_SIZES, Histogram
from logweir.delivery.queue import DropReason
from logweir.telemetry.model import BrokerMetrics, DeadLetterMetrics, Metrics, SinkMetrics
from logweir.telemetry.summing import counts_of, document_of, picture_of, states_of, summed


def picture(number: int, state: SinkState = SinkState.HEALTHY) -> Metrics:
    sizes = Histogram(BATCH_SIZES)
    sizes.observe(number)
    sink = SinkMetrics(
        accepted=number,
        stored=number,
        dropped={DropReason.SHUTDOWN: number},
        queue_depth=number,
        queue_max_events=100,
        oldest_seconds=float(number),
        batch_sizes=sizes.picture(),
        state=state,
        last_error=f"error {number}",
    )
    letters = DeadLetterMetrics({"out": number}, number, 1.0, {"out": number})
    held = [PartitionState(0, number, 2, 0.5, 3), PartitionState(1, number, 2, 0.5, 3, 4)]
    broker = BrokerMetrics.of(held, LetterTotals(number, 10), age=float(number))
    return Metrics(
        {"out": sink}, unrouted=number, sampled=number, dead_letters=letters, brokers={"out": broker}
    )


def test_counts_are_added_of_states_the_worst_counts_and_what_all_share_counts_once() -> None:
    all_of_them = summed([picture(1), picture(2, SinkState.DOWN), picture(3)], counts_of([picture(4)]))
    sink = all_of_them.sinks["out"]
    assert (sink.accepted, sink.stored, sink.dropped[DropReason.SHUTDOWN]) == (10, 10, 10)
    assert (sink.queue_depth, sink.queue_max_events, sink.oldest_seconds) == (6, 300, 3.0)
    assert (sink.state, sink.last_error) == (SinkState.DOWN, "error 2")
    assert (sink.batch_sizes.count, sink.batch_sizes.total) == (4, 10.0)
    assert (all_of_them.unrouted, all_of_them.sampled, all_of_them.processes) == (10, 10, 3)
    assert (all_of_them.dead_letters.waiting, all_of_them.dead_letters.expired) == ({"out": 1}, {"out": 10})


def test_of_a_broker_that_all_read_the_latest_reading_is_taken() -> None:
    together = summed([picture(3), picture(1), picture(2)], counts_of([picture(4)]))
    assert together.brokers == picture(1).brokers
    assert together.brokers["out"].lag == 2


def test_every_count_of_the_process_is_added() -> None:
    numbers = [
        item.name for item in fields(Metrics) if item.type in {"int", int} and item.name != "processes"
    ]
    assert len(numbers) > 4
    one = Metrics({}, **dict.fromkeys(numbers, 1))
    together = summed([one, one], counts_of([one, one]))
    assert {name: getattr(together, name) for name in numbers} == dict.fromkeys(numbers, 4)


def test_the_states_of_a_process_and_what_it_left_are_the_process_once() -> None:
    one = picture(3)
    assert summed([states_of(one)], counts_of([one])) == replace(one, processes=0)


def test_a_picture_survives_json() -> None:
    assert picture_of(json.loads(json.dumps(document_of(picture(7))))) == picture(7)


def test_a_newer_version_may_know_more_but_not_other_buckets() -> None:
    document = json.loads(json.dumps(document_of(picture(7))))
    document["sinks"]["out"]["new"] = document["new"] = 5
    assert picture_of(document) == picture(7)
    document["sinks"]["out"]["batch_sizes"]["bounds"][0] = 0.5
    with pytest.raises(ValueError, match="other buckets"):
        picture_of(document)


def test_of_circuits_the_one_that_is_open_counts_and_what_is_in_the_fallback_counts_once() -> None:
    closed = Metrics({"out": SinkMetrics(circuit=CircuitState.CLOSED, diverted=1, in_fallback=5)})
    opened = Metrics({"out": SinkMetrics(circuit=CircuitState.OPEN, diverted=2, returned=3, in_fallback=5)})
    sink = summed([closed, picture_of(json.loads(json.dumps(document_of(opened))))]).sinks["out"]
    assert (sink.circuit, sink.diverted, sink.returned, sink.in_fallback) == (CircuitState.OPEN, 3, 3, 5)


def test_what_went_to_the_overflow_is_added_and_of_destinations_the_most_count() -> None:
    one = Metrics({"out": SinkMetrics(overflowed=1, destinations=3)})
    other = Metrics({"out": SinkMetrics(overflowed=2, destinations=5)})
    sink = summed([one, other]).sinks["out"]
    assert (sink.overflowed, sink.destinations) == (3, 5)
