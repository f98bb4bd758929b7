"""How long a server asks us to wait."""

from datetime import UTC, datetime

import pytest

from logweir.sinks.shared.retry_after import seconds_to_wait


def test_retry_after_is_a_number_or_a_date() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert seconds_to_wait("7") == 7
    assert seconds_to_wait("Thu, 01 Jan 2026 00:01:00 GMT", now) == 60
    assert seconds_to_wait("Thu, 01 Jan 2020 00:01:00 GMT", now) == 0
    for nonsense in ("soon", "nan", "inf", "", None):
        assert seconds_to_wait(nonsense, now) is None


@pytest.mark.parametrize(
    ("text", "seconds"), [("7", 7.0), (" 7 ", 7.0), ("0.5", None), ("-1", None), ("9" * 400, None)]
)
def test_whole_seconds_are_all_that_the_rfc_knows_of_numbers(text: str, seconds: float | None) -> None:
    assert seconds_to_wait(text, fractions=False) == seconds


def test_where_dates_are_not_understood_they_ask_for_nothing() -> None:
    assert seconds_to_wait("Thu, 01 Jan 2099 00:01:00 GMT", dates=False) is None
    assert seconds_to_wait("0.5", dates=False) == 0.5
    assert seconds_to_wait("-1", dates=False) == 0


def test_a_date_without_a_zone_is_utc() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert seconds_to_wait("Thu, 01 Jan 2026 00:01:00 -0000", now) == 60
