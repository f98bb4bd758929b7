"""The metrics as Prometheus reads them."""

import re
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from logweir.delivery.brokers.contract import LetterTotals, PartitionState
from logweir.delivery.counters import SinkState
from logweir.delivery.histogram import BATCH_SIZES, WRITE_SECONDS, Histogram
from logweir.delivery.queue import DropReason
from logweir.telemetry.model import BrokerMetrics, DeadLetterMetrics, Metrics, SinkMetrics
from logweir.telemetry.prometheus import expose

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"


def metrics() -> Metrics:
    sizes, seconds = Histogram(BATCH_SIZES), Histogram(WRITE_SECONDS)
    for size in (1, 500, 20_000):
        sizes.observe(size)
        seconds.observe(0.02)
    sink = SinkMetrics(
        accepted=20_600,
        stored=20_500,
        duplicate=1,
        retried=7,
        put_off=3,
        dead=2,
        dropped={DropReason.BLOCK_TIMEOUT: 3},
        queue_depth=94,
        set_aside=6,
        queue_bytes=9400,
        queue_max_events=100,
        in_flight=5,
        oldest_seconds=1.5,
        batch_sizes=sizes.picture(),
        write_latency=seconds.picture(),
        failures=4,
        state=SinkState.DEGRADED,
        last_error='a "secret\n',
        worker_silent=75.0,
        claimed=17,
    )
    letters = DeadLetterMetrics({"db": 2, "": 6}, 800, 60.0, {"db": 9})
    partitions = [PartitionState(0, 21, 22, 2.5, 3), PartitionState(1, 31, 32, 3.5, 3, 4)]
    brokers = {"db": BrokerMetrics.of(partitions, LetterTotals(5, 600, 7.0), 1.25)}
    return Metrics({"db": sink, 'od"d\\\n': SinkMetrics()}, 11, 12, 13, 14, letters, 15, 16, brokers)


def samples(text: str) -> dict[str, float]:
    return {
        f"{sample.name}{dict(sorted(sample.labels.items())) or ''}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_count_is_there_under_its_name() -> None:
    body, content_type = expose(metrics())
    found = samples(body.decode())
    assert content_type.startswith("text/plain; version=0.0.4")
    sink = "{'sink': 'db'}"
    expected = {
        "events_accepted_total": 20_600,
        "events_stored_total": 20_500,
        "events_duplicate_total": 1,
        "events_retried_total": 7,
        "events_put_off_total": 3,
        "events_dead_total": 2,
        "events_claimed_total": 17,
        "broker_dead_letters": 5,
        "broker_dead_letters_bytes": 600,
        "broker_read_age_seconds": 1.25,
        "write_failures_total": 4,
        "queue_events": 94,
        "queue_set_aside_events": 6,
        "queue_bytes": 9400,
        "queue_limit_events": 100,
        "queue_in_flight_events": 5,
        "queue_oldest_event_age_seconds": 1.5,
        "worker_silent_seconds": 75.0,
        "batch_events_count": 3,
        "batch_events_sum": 20_501,
        "write_duration_seconds_count": 3,
        "dead_letters": 2,
        "dead_letters_expired_total": 9,
    }
    assert {name: found[f"logweir_{name}{sink}"] for name in expected} == expected
    assert found["logweir_events_unrouted_total"] == 11
    assert found["logweir_events_sampled_total"] == 12
    assert found["logweir_events_truncated_total"] == 13
    assert found["logweir_events_late_total"] == 14
    assert found["logweir_events_left_out_total"] == 15
    assert found["logweir_enrich_errors_total"] == 16
    assert found["logweir_dead_letters{'sink': ''}"] == 6
    assert found["logweir_events_dropped_total{'reason': 'block_timeout', 'sink': 'db'}"] == 3
    assert found["logweir_events_dropped_total{'reason': 'shutdown', 'sink': 'db'}"] == 0
    assert found["logweir_sink_state{'sink': 'db', 'state': 'degraded'}"] == 1
    assert found["logweir_sink_state{'sink': 'db', 'state': 'healthy'}"] == 0
    assert found["logweir_batch_events_bucket{'le': '500.0', 'sink': 'db'}"] == 2
    assert found["logweir_batch_events_bucket{'le': '+Inf', 'sink': 'db'}"] == 3
    first, second = (f"{{'partition': '{number}', 'sink': 'db'}}" for number in (0, 1))
    assert found[f"logweir_broker_lag_events{first}"] == 21
    assert found[f"logweir_broker_lag_events{second}"] == 31
    assert found[f"logweir_broker_pending_events{second}"] == 32
    assert found[f"logweir_broker_oldest_event_age_seconds{second}"] == 3.5
    assert found[f"logweir_broker_consumers{first}"] == 3
    assert found[f"logweir_broker_missing_events{second}"] == 4


def test_messages_and_secrets_are_no_labels() -> None:
    assert "secret" not in expose(metrics())[0].decode()


def test_openmetrics_is_spoken_to_who_asks_for_it() -> None:
    body, content_type = expose(metrics(), "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert {family.name for family in read_openmetrics(body.decode())} >= {
        "logweir_events_stored",
        "logweir_build",
    }


def test_names_keep_to_the_conventions_and_are_all_documented() -> None:
    page = PAGE.read_text()
    families = list(text_string_to_metric_families(expose(metrics())[0].decode()))
    assert len(families) > 20
    for family in families:
        assert re.fullmatch(r"logweir_[a-z_]+", family.name)
        assert family.documentation.endswith((".", ";")) or ";" in family.documentation
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert f"`{name}" in page, name
    for value in re.findall(r'(?:reason|state)="(\w+)"', expose(metrics())[0].decode()):
        assert f"`{value}`" in page, value
    documented = set(re.findall(r"`(logweir_[a-z_]+)", page))
    shown = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    assert documented - shown == set()
