"""Reading back the metrics that a process serves, and what happened to a sink between two looks."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from http.client import HTTPException
from urllib.error import URLError
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from logweir.delivery.histogram import Distribution
from logweir.errors import LogweirError
from logweir.redaction.reasons import masked

__all__ = ["Picture", "SinkRow", "look", "look_at_each", "url_of"]

_TIMEOUT = 5.0
#: Labels beside the sink, of which a metric has one at most.
_FURTHER = ("reason", "state", "partition")


@dataclass(frozen=True, slots=True)
class Picture:
    """The metrics at one moment.

    Attributes:
        at: When, monotonic seconds.
        values: Single values by name, sink and one label more.
        latency: How long writes took, by sink.
        sinks: Their names, in order.
    """

    at: float
    values: dict[tuple[str, str, str], float]
    latency: dict[str, Distribution]
    sinks: tuple[str, ...]

    def value(self, name: str, sink: str = "", label: str = "") -> float:
        """One value, 0 if it is not there."""
        return self.values.get((name, sink, label), 0.0)

    def sum(self, name: str, sink: str) -> float:
        """The sum over the further label."""
        return sum(value for (one, of, _), value in self.values.items() if (one, of) == (name, sink))

    def most(self, name: str, sink: str) -> float:
        """The highest over the further label, 0 if there is none."""
        return max(
            (value for (one, of, _), value in self.values.items() if (one, of) == (name, sink)), default=0
        )

    def state(self, name: str, sink: str) -> str:
        """The label of the state that the sink is in; empty if it is in none."""
        states = (
            label for (one, of, label), value in self.values.items() if (one, of) == (name, sink) and value
        )
        return next(states, "")

    def age(self, sink: str) -> float | None:
        """Seconds since the process read the sink's broker; None where it does not."""
        return self.values.get(("broker_read_age_seconds", sink, ""))


def url_of(host: str, port: int) -> str:
    """Where metrics that are served at this address are read on the same machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - read, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/metrics"


def look(url: str) -> Picture:
    """Read the metrics.

    Raises:
        LogweirError: Nobody answers there, or not with logweir's metrics.
    """
    return _picture(url, *_ask(url))


def look_at_each(url: str) -> dict[str, Picture]:
    """Read the metrics of each process that is behind them, by its id.

    Raises:
        LogweirError: As :func:`look` does; or the process is of a version that knows only the sum.
    """
    at, text = _ask(f"{url}?by=process")
    nothing, *parts = re.split(r"^# process (\d+)\n", text, flags=re.MULTILINE)
    if nothing or not parts:
        raise LogweirError(
            f"what {masked(url)} answers is not divided by process; "
            "leave out --processes, or upgrade what runs there"
        )
    return {number: _picture(url, at, part) for number, part in zip(parts[::2], parts[1::2], strict=True)}


def _ask(url: str) -> tuple[float, str]:
    at = time.monotonic()
    try:
        with urlopen(url, timeout=_TIMEOUT) as answer:  # noqa: S310 - its scheme was checked
            return at, answer.read().decode("utf-8", "replace")
    except (URLError, OSError, HTTPException, ValueError) as error:
        reason = masked(str(getattr(error, "reason", error)))
        raise LogweirError(
            f"no metrics at {masked(url)} ({reason}); is the process running, with metrics: {{port: …}}?"
        ) from None


def _picture(url: str, at: float, text: str) -> Picture:
    try:
        picture = _read(at, text)
    except Exception:  # noqa: BLE001 - the parser raises whatever it meets
        picture = None
    if picture is None or not picture.sinks:
        raise LogweirError(f"what {masked(url)} answers are not the metrics of logweir")
    return picture


def _read(at: float, text: str) -> Picture:
    values: dict[tuple[str, str, str], float] = {}
    buckets: dict[str, list[tuple[float, float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            sink = sample.labels.get("sink", "")
            if sample.name == "logweir_write_duration_seconds_bucket":
                buckets.setdefault(sink, []).append((float(sample.labels["le"]), sample.value))
            elif sample.name.startswith("logweir_"):
                label = next((sample.labels[name] for name in _FURTHER if name in sample.labels), "")
                values[sample.name.removeprefix("logweir_"), sink, label] = sample.value
    latency = {sink: _distribution(of) for sink, of in buckets.items()}
    return Picture(at, values, latency, tuple(latency))


def _distribution(buckets: list[tuple[float, float]]) -> Distribution:
    reached = [int(count) for _, count in buckets]
    counts = [after - before for before, after in zip([0, *reached], reached, strict=False)]
    return Distribution(tuple(bound for bound, _ in buckets[:-1]), tuple(counts))


@dataclass(frozen=True, slots=True)
class SinkRow:
    """What is shown of one sink; rates and latencies are those between two looks."""

    sink: str
    state: str
    waiting: float
    set_aside: float
    limit: float
    waiting_bytes: float
    oldest_seconds: float
    in_flight: float
    accepted_per_second: float
    stored_per_second: float
    retried_per_second: float
    write_p50: float | None
    write_p99: float | None
    failures: float
    dropped: float
    dead_letters: float
    broker_lag: float
    broker_pending: float
    broker_oldest_seconds: float
    broker_consumers: float
    claimed: float
    circuit: str
    in_fallback: float

    @classmethod
    def between(cls, sink: str, before: Picture, now: Picture) -> SinkRow:
        """Compare two looks."""
        seconds = max(now.at - before.at, 1e-9)

        def rate(name: str) -> float:
            return max(0.0, now.value(name, sink) - before.value(name, sink)) / seconds

        latency = _recent(sink, before, now)
        return cls(
            sink=sink,
            state=now.state("sink_state", sink) or "unknown",
            waiting=now.value("queue_events", sink),
            set_aside=now.value("queue_set_aside_events", sink),
            limit=now.value("queue_limit_events", sink),
            waiting_bytes=now.value("queue_bytes", sink),
            oldest_seconds=now.value("queue_oldest_event_age_seconds", sink),
            in_flight=now.value("queue_in_flight_events", sink),
            accepted_per_second=rate("events_accepted_total"),
            stored_per_second=rate("events_stored_total") + rate("events_duplicate_total"),
            retried_per_second=rate("events_retried_total"),
            write_p50=latency.quantile(0.5),
            write_p99=latency.quantile(0.99),
            failures=now.value("write_failures_total", sink),
            dropped=now.sum("events_dropped_total", sink),
            dead_letters=now.value("dead_letters", sink) + now.value("broker_dead_letters", sink),
            broker_lag=now.sum("broker_lag_events", sink),
            broker_pending=now.sum("broker_pending_events", sink),
            broker_oldest_seconds=now.most("broker_oldest_event_age_seconds", sink),
            broker_consumers=now.most("broker_consumers", sink),
            claimed=now.value("events_claimed_total", sink),
            circuit=now.state("sink_circuit", sink),
            in_fallback=now.value("fallback_events", sink),
        )


def _recent(name: str, before: Picture, now: Picture) -> Distribution:
    """Latencies between two looks; of all writes if there were none in between."""
    old, new = before.latency.get(name, Distribution()), now.latency.get(name, Distribution())
    if len(old.counts) != len(new.counts):
        return new
    counts = tuple(after - earlier for earlier, after in zip(old.counts, new.counts, strict=True))
    return Distribution(new.bounds, counts) if sum(counts) > 0 and min(counts) >= 0 else new
