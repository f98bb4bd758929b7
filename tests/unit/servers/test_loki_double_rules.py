"""What the double of Loki refuses of a push, each beside a neighbour that it takes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from servers.loki_double import rules
from servers.loki_double.entries import Entry, RawStream, Stream, metadata_size
from servers.loki_double.labels import parse_labels
from servers.loki_double.limits import Limits

SECOND = 10**9
NOW = int(datetime(2026, 11, 25, 2, tzinfo=UTC).timestamp()) * SECOND
HOUR = 3600 * SECOND
SHOWN = '{job="j", service_name="j"}'
STREAM = Stream(parse_labels(SHOWN), [])


def limits(**more: Any) -> Limits:
    return replace(Limits(), **more)


def refused(labels: str, *entries: Entry, **more: Any) -> list[str]:
    """What is refused of one stream; as many entries as are not named must remain."""
    good, errors = rules.validated([RawStream(labels, entries or [Entry(NOW, "x")])], limits(**more), NOW)
    assert sum(len(stream.entries) for stream in good) == (
        (len(entries) or 1) - len(errors) if labels == '{job="j"}' else not errors
    )
    return errors


LONG_NAME, LONG_VALUE = "n" * 1025, "v" * 2049
SIXTEEN = ", ".join(f'l{number:02}="x"' for number in range(16))


@pytest.mark.parametrize(
    ("bad", "good", "text"),
    [
        ("{}", '{a="1"}', "error at least one label pair is required per stream"),
        ('{a=""}', '{a="1",b=""}', "error at least one label pair is required per stream"),
        ('{a-b="1"}', '{a_b="1"}', "error parsing labels '{a-b=\"1\"}' with error: 1:2: parse error"),
        (f"{{{SIXTEEN}}}", f'{{{SIXTEEN.removesuffix(", l15=" + chr(34) + "x" + chr(34))}}}', "16 label names; limit 15"),
        (f'{{{LONG_NAME}="1"}}', f'{{{LONG_NAME[1:]}="1"}}', "has label name too long: 'nnn"),
        (f'{{a="{LONG_VALUE}"}}', f'{{a="{LONG_VALUE[1:]}"}}', "has label value too long: 'vvv"),
        ('{a="1", a="2"}', '{a="1", b="2"}', "has duplicate label name: 'a'"),
    ],
    ids=["none", "empty", "name", "many", "long name", "long value", "twice"],
)  # fmt: skip
def test_labels_are_refused_with_their_stream(bad: str, good: str, text: str) -> None:
    [error] = refused(bad)
    assert text in error
    assert refused(good) == []


def test_a_text_names_the_stream_with_its_service() -> None:
    [error] = refused('{job="j", a="1"}', max_label_names_per_series=1)
    assert error == 'entry for stream \'{a="1", job="j", service_name="j"}\' has 2 label names; limit 1'
    [error] = refused('{job="j", a="1"}', max_label_names_per_series=1, discover_service_name=False)
    assert "service_name" not in error


def test_a_long_line_is_refused_alone() -> None:
    errors = refused(
        '{job="j"}', Entry(NOW, "ß" * 5), Entry(NOW, "x" * 10), Entry(NOW, "x" * 11), max_line_size=10
    )
    assert errors == [
        f"max entry size '10' bytes exceeded for stream '{SHOWN}' while adding an entry with length '11' bytes"
    ]


def test_times_have_bounds_on_both_sides() -> None:
    week, minutes = 7 * 24 * HOUR, 600 * SECOND
    assert refused('{job="j"}', Entry(NOW - week, ""), Entry(NOW - week - 1, "")) == [
        f"entry for stream '{SHOWN}' has timestamp too old: 2026-11-18T01:59:59Z, "
        "oldest acceptable timestamp is: 2026-11-18T02:00:00Z"
    ]
    assert refused('{job="j"}', Entry(NOW - 100 * week, ""), reject_old_samples=False) == []
    assert refused('{job="j"}', Entry(NOW + minutes, ""), Entry(NOW + minutes + SECOND, "")) == [
        f"entry for stream '{SHOWN}' has timestamp too new: 2026-11-25T02:10:01Z"
    ]


def test_structured_metadata_has_a_size_a_number_and_a_switch() -> None:
    one, two = Entry(NOW, "", (("a", "ß"),)), Entry(NOW, "", (("a", "ß"), ("b", "")))
    assert metadata_size(two) == 4
    [error] = refused('{job="j"}', one, two, max_structured_metadata_size=3)
    assert error.startswith(
        f"stream '{SHOWN}' has structured metadata too large: '4' bytes, limit: '3' bytes. Please"
    )
    [error] = refused('{job="j"}', one, two, max_structured_metadata_entries_count=1)
    assert error.startswith(
        f"stream '{SHOWN}' has too many structured metadata labels: '2', limit: '1'. Please see"
    )
    [error] = refused('{job="j"}', one, Entry(NOW, ""), allow_structured_metadata=False)
    assert error.startswith(
        f"stream '{SHOWN}' includes structured metadata, but this feature is disallowed. Please"
    )


def test_what_is_said_more_than_once_is_said_with_its_number() -> None:
    assert rules.grouped(["a"]) == "a"
    assert rules.grouped(["a", "b", "a"]) == "2 errors like: a; 1 errors like: b"


def test_a_rate_and_a_message_have_lokis_words() -> None:
    refusal = rules.over_tenant_rate("fake", 1000, 300_000, limits())
    assert refusal.status == 429
    assert refusal.text.startswith(
        "ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec) while attempting to ingest '1000' "
        "lines totaling '300000' bytes, reduce log volume"
    )
    assert rules.message_error(4_194_304, limits()) is None
    refusal = rules.message_error(4_194_305, limits()) or refusal
    assert (refusal.status, refusal.text) == (
        500,
        "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (4194305 vs. 4194304)",
    )


def test_a_stream_begins_within_the_schema_and_the_limit_of_streams() -> None:
    def error(stamp: int, known: int, **more: Any) -> rules.Refusal | None:
        return rules.stream_error(
            replace(STREAM, entries=[Entry(stamp, "")]), "fake", known, limits(**more), SECOND * 10
        )

    assert error(10 * SECOND, 4999) is None
    early, many = error(SECOND, 0), error(10 * SECOND, 5000)
    assert early == rules.Refusal(
        500, "rpc error: code = Unknown desc = failed to create stream: no schema config found for time 1"
    )
    assert many is not None
    assert many.status == 429
    assert f"when trying to create stream {SHOWN}, reduce the number" in many.text
    assert error(10 * SECOND, 2, max_streams_per_user=2)
    assert error(10 * SECOND, 10**6, max_global_streams_per_user=0) is None


def judged(*entries: Entry, newest: int | None = None, allows: Callable[[int], bool] = lambda _: True) -> Any:
    stream = replace(STREAM, entries=entries)
    pairs = list(rules.judged(stream, newest, limits(), allows))
    failed = [(entry, refusal) for entry, refusal in pairs if refusal is not None]
    return [entry for entry, refusal in pairs if refusal is None], rules.summed(stream, "fake", failed)


def test_what_is_too_far_behind_its_stream_is_refused_and_ten_are_named() -> None:
    oldest = NOW - HOUR
    late = [Entry(oldest - 1 - number, "") for number in range(12)]
    good, refusal = judged(Entry(oldest, ""), *late, Entry(NOW, ""), newest=NOW)
    assert good == [Entry(oldest, ""), Entry(NOW, "")]
    assert refusal.status == 400
    lines = refusal.text.split("\n")
    assert lines[0] == (
        "entry with timestamp 2026-11-25 00:59:59.999999999 +0000 UTC ignored, reason: 'entry too far behind, entry "
        "timestamp is: 2026-11-25T00:59:59Z, oldest acceptable timestamp is: 2026-11-25T01:00:00Z',"
    )
    assert len(lines) == 11
    assert lines[10] == f"user 'fake', total ignored: 12 out of 14 for stream: {SHOWN}"


def test_an_entry_moves_the_window_of_those_after_it() -> None:
    assert judged(Entry(NOW - 5 * HOUR, ""), Entry(NOW, ""))[1] is None
    assert judged(Entry(NOW, ""), Entry(NOW - 5 * HOUR, ""))[1].status == 400


def test_of_a_stream_that_is_too_fast_what_fits_is_taken() -> None:
    good, refusal = judged(Entry(NOW, "x"), Entry(NOW, "xxx"), Entry(NOW, "y"), allows=lambda size: size == 1)
    assert [entry.line for entry in good] == ["x", "y"]
    assert refusal.status == 429
    assert (
        f"Per stream rate limit exceeded (limit: 3MB/sec) while attempting to ingest for stream '{SHOWN}' totaling 3B"
        in refusal.text
    )


def test_the_last_refusal_of_a_stream_gives_the_status() -> None:
    entries = (Entry(NOW, "xxx"), Entry(NOW - 5 * HOUR, ""))
    assert judged(*entries, newest=NOW, allows=lambda size: size == 0)[1].status == 400
    assert judged(*entries[::-1], newest=NOW, allows=lambda size: size == 0)[1].status == 429


def test_times_are_written_as_go_does() -> None:
    assert rules.long_time(NOW) == "2026-11-25 02:00:00 +0000 UTC"
    assert rules.long_time(NOW + 120_000_000) == "2026-11-25 02:00:00.12 +0000 UTC"
    assert rules.long_time(-1) == "1969-12-31 23:59:59.999999999 +0000 UTC"
