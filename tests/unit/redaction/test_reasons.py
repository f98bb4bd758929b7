"""What servers and plug-ins say is shown without the secrets that they quote."""

import logging
from typing import Any

import pytest

import logweir
from logweir import diagnostics
from logweir.delivery.counters import DeliveryCounters
from logweir.delivery.dead_letters.letter import DeadLetter
from logweir.redaction.reasons import masked
from logweir.testing.contract import make_event

SAID = "failed to parse [password=hunter2] for user bob"
SHOWN = "failed to parse [password=***] for user bob"


def test_a_reason_is_shown_without_the_secret_that_it_quotes() -> None:
    assert masked(SAID) == SHOWN


def test_a_dead_letter_has_the_reason_without_the_secret() -> None:
    assert DeadLetter.of_event("db", SAID, make_event()).reason == SHOWN
    assert DeadLetter.of_line("a.log:1", SAID, b"x").reason == SHOWN


def test_a_report_shows_what_it_quotes_without_secrets(
    caplog: pytest.LogCaptureFixture, tmp_path: Any
) -> None:
    config = {
        "sinks": {"m": {"type": "memory"}},
        "routes": [{"name": "all", "to": ["m"]}],
        "data_dir": str(tmp_path),
    }
    with logweir.running(config), caplog.at_level(logging.WARNING, "logweir"):
        diagnostics.report(
            "test reasons", "sink %s: %s (%r, %d of %.1f)", "m", SAID, ValueError(SAID), 3, 1.5
        )

    shown = [record.getMessage() for record in caplog.records]
    assert shown == [f"sink m: {SHOWN} (ValueError('{SHOWN}'), 3 of 1.5)"]


def test_the_last_error_of_a_sink_is_shown_without_the_secret() -> None:
    counters = DeliveryCounters()
    counters.failed(SAID)

    assert counters.last_error == SHOWN
