"""What a VictoriaLogs takes, from the page of its flags."""

import pytest

from logweir.sinks.victorialogs.limits import UNSEEN, Flags, flags_of, is_page_of_flags, limits_at

DAY = 86_400 * 10**9
#: 2026-11-26T18:00:00Z
NOW = 1_795_716_000 * 10**9
MIDNIGHT = NOW // DAY * DAY


def test_a_server_without_flags_has_the_defaults() -> None:
    flags = flags_of('-httpListenAddr=":9428"\n')
    assert flags == Flags(
        seen=True, retention=7 * 86_400, future=2 * 86_400, longest_line=262_144, queue_wait=60, deletes=False
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7d", 7 * 86_400), ("100y", 100 * 365 * 86_400), ("24h", 86_400), ("1w2d", 9 * 86_400), ("2", 62 * 86_400),
        ("1.5d", 129_600), ("odd", 7 * 86_400),
    ],
)  # fmt: skip
def test_a_retention_is_read_as_the_server_reads_it(text: str, seconds: float) -> None:
    assert flags_of(f'-retentionPeriod="{text}"').retention == seconds


def test_flags_of_lines_and_requests_are_read() -> None:
    page = '-delete.enable="true"\n-insert.maxLineSizeBytes="1MB"\n-insert.maxQueueDuration="1m30s"\n'
    flags = flags_of(page + '-maxBackfillAge="1h"\n')
    assert (flags.deletes, flags.longest_line, flags.queue_wait, flags.backfill) == (True, 10**6, 90, 3600)


def test_a_cluster_does_not_say_what_its_nodes_keep() -> None:
    page = '-storageNode="a:9491,b:9491"\n-retentionPeriod="7d"\n'
    assert flags_of(page).retention is None
    assert flags_of(page, 86_400.0).retention == 86_400
    assert flags_of('-retentionPeriod="7d"', 86_400.0).retention == 7 * 86_400


def test_whole_days_are_taken_and_a_minute_less_than_that() -> None:
    limits = limits_at(flags_of(""), NOW)
    assert limits.oldest == MIDNIGHT - 7 * DAY
    assert limits.newest == MIDNIGHT + 3 * DAY - 1
    # In the last minute of a day, what goes with it is not taken any more, and what comes with the next not yet.
    late = limits_at(flags_of(""), MIDNIGHT + DAY - 30 * 10**9)
    assert late.oldest == MIDNIGHT - 6 * DAY
    early = limits_at(flags_of(""), MIDNIGHT + 30 * 10**9)
    assert early.newest == MIDNIGHT + 2 * DAY - 1


def test_a_bound_of_what_comes_late_counts_to_the_nanosecond() -> None:
    limits = limits_at(flags_of('-maxBackfillAge="1h"'), NOW)
    assert limits.oldest == NOW - 3600 * 10**9 + 60 * 10**9
    assert "-maxBackfillAge" in limits.refusal_of(NOW - DAY)


@pytest.mark.parametrize(
    ("page", "is_it"),
    [
        ("", True),
        ('-httpListenAddr=":9428"\n', True),
        ('<html><a href="-x">sign in</a></html>', False),
        ('{"status":"error"}', False),
    ],
)
def test_the_page_of_somebody_else_is_not_taken_for_flags(page: str, is_it: bool) -> None:
    assert is_page_of_flags(page) is is_it


def test_a_server_that_shows_nothing_is_sent_any_time_and_lines_of_the_default_length() -> None:
    limits = limits_at(UNSEEN, NOW)
    assert limits.oldest <= -(2**63)
    assert limits.newest >= 2**63 - 1
    assert limits.longest_line == 256 * 1024 - 1


def test_an_entry_is_never_longer_than_the_store_keeps_whatever_the_flag_says() -> None:
    assert limits_at(flags_of('-insert.maxLineSizeBytes="64MB"'), NOW).longest_line < 2 * 2**20


def test_a_refusal_names_the_flag_and_the_next_step() -> None:
    limits = limits_at(flags_of(""), NOW)
    assert "-retentionPeriod, 7 days, not before 2026-11-19T00:00:00Z" in limits.refusal_of(0)
    assert "-futureRetention, 2 days" in limits.refusal_of(NOW + 9 * DAY)
    assert "replay" in limits.refusal_of(0)
