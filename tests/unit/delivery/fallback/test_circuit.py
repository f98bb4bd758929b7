"""The circuit: when events go round a sink, and when they go to it again."""

from collections.abc import Callable

from logweir.delivery.fallback.circuit import Circuit, CircuitState
from logweir.settings.delivery import RetryConfig
from logweir.settings.fallback import FallbackConfig

CLOSED, HALF_OPEN, OPEN = CircuitState.CLOSED, CircuitState.HALF_OPEN, CircuitState.OPEN


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def made(time: Time, filled: Callable[[], float] = lambda: 0.0, **settings: object) -> Circuit:
    config = FallbackConfig.model_validate({"to": "other", **settings})
    return Circuit(config, RetryConfig(initial=1.0, max=8.0), time, filled)


def opened(time: Time) -> Circuit:
    circuit = made(time, after=0)
    circuit.failed("away")
    assert not circuit.takes_sink()
    return circuit


def half_opened(time: Time) -> Circuit:
    circuit = opened(time)
    time.now += 1.0
    assert circuit.asks()
    circuit.answered(None)
    assert circuit.state is HALF_OPEN
    return circuit


def test_events_go_to_the_sink_until_nothing_has_passed_for_as_long_as_after_says() -> None:
    time = Time()
    circuit = made(time, after="60s")
    for _ in range(60):
        assert circuit.takes_sink()
        circuit.failed("away")
        time.now += 1.0
    assert circuit.is_due()
    assert not circuit.takes_sink()
    assert (circuit.state, circuit.reason) == (OPEN, "away")


def test_a_minute_is_what_it_takes_where_nothing_is_said() -> None:
    time = Time()
    circuit = made(time)
    circuit.failed("away")
    time.now += 59.9
    assert circuit.takes_sink()
    time.now += 0.2
    assert not circuit.takes_sink()


def test_one_success_and_the_time_begins_anew() -> None:
    time = Time()
    circuit = made(time, after="60s")
    circuit.failed("away")
    time.now += 50.0
    circuit.succeeded()
    circuit.failed("away again")
    time.now += 50.0
    assert circuit.takes_sink()


def test_a_filled_queue_opens_it_earlier_but_only_while_nothing_passes() -> None:
    time, share = Time(), 0.0
    circuit = made(time, lambda: share, queue="80%", after="60s")
    share = 0.9
    assert circuit.takes_sink()  # slow, and not down
    share = 0.79
    circuit.failed("away")
    assert circuit.takes_sink()
    share = 0.8
    assert not circuit.takes_sink()


def test_where_only_the_queue_is_given_time_opens_nothing() -> None:
    time, share = Time(), 0.5
    circuit = made(time, lambda: share, queue=0.8)
    circuit.failed("away")
    time.now += 1e6
    assert circuit.takes_sink()
    share = 0.85
    assert not circuit.takes_sink()


def test_the_pauses_between_two_questions_grow_up_to_the_longest() -> None:
    time = Time()
    circuit = opened(time)
    asked = []
    for _ in range(20):
        began = time.now
        while not circuit.asks():
            time.now += 0.01
        asked.append(time.now - began)
        circuit.answered("still away")
        assert circuit.state is OPEN
    assert max(asked[:1]) <= 2.1
    assert 2.0 < max(asked) <= 8.1
    assert circuit.reason == "still away"


def test_half_open_one_write_at_a_time_is_tried_and_one_that_passes_closes_it() -> None:
    circuit = half_opened(Time())
    assert circuit.takes_sink()
    assert not circuit.takes_sink()
    assert not circuit.takes_sink()
    circuit.succeeded()
    assert circuit.state is CLOSED
    assert circuit.takes_sink()
    assert circuit.takes_sink()


def test_half_open_a_write_that_fails_opens_it_again() -> None:
    circuit = half_opened(Time())
    assert circuit.takes_sink()
    circuit.failed("away once more")
    circuit.trial_over()
    assert (circuit.state, circuit.reason) == (OPEN, "away once more")
    assert not circuit.takes_sink()


def test_half_open_a_write_that_shows_nothing_leaves_the_trial_to_the_next() -> None:
    circuit = half_opened(Time())
    assert circuit.takes_sink()
    circuit.trial_over()
    assert circuit.state is HALF_OPEN
    assert circuit.takes_sink()


def test_an_answer_that_comes_too_late_changes_nothing() -> None:
    circuit = half_opened(Time())
    circuit.takes_sink()
    circuit.succeeded()
    circuit.answered("away")
    assert circuit.state is CLOSED
    assert not circuit.asks()
