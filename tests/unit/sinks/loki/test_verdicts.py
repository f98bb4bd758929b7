"""What Loki's answers mean; its texts are those of Loki 3.7."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.sinks.loki.encode import Encoder, Entry
from logweir.sinks.loki.labels import LabelGuard
from logweir.sinks.loki.verdicts import Answer, Fault, Outcome, read_answer, unreachable
from logweir.testing.contract import make_event

NOW = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)
STREAM = (
    '{env="test", job="logweir", level="info", service="contract-service", service_name="contract-service"}'
)


def nanos(moment: datetime) -> int:
    return int(moment.timestamp()) * 10**9


def entries(*events: Event) -> list[Entry]:
    labels = ("env", "service", "level")
    guard = LabelGuard(dict.fromkeys(labels, 100))
    return Encoder({"job": "logweir"}, labels, ("kind",), guard).entries(events)


def read(status: int, text: str = "", **headers: str) -> Answer:
    return read_answer(status, text, headers, NOW)


def blamed(answer: Answer, batch: Sequence[Entry]) -> dict[int, Fault]:
    return {position: refusal.fault for position, refusal in answer.blamed(batch).items()}


def test_only_lokis_own_answer_means_stored() -> None:
    assert read(204).outcome is Outcome.STORED
    assert read(200).outcome is Outcome.STORED
    for status, text in ((200, "<html>log in</html>"), (260, "ingestion blocked"), (202, ""), (302, "")):
        with pytest.raises(SinkUnavailable):
            read(status, text)


@pytest.mark.parametrize("status", [401, 403, 404, 407, 408, 429, 500, 502, 503, 504])
def test_what_a_later_try_may_fix_is_transient(status: int) -> None:
    with pytest.raises(SinkUnavailable) as raised:
        read(status, "no\n")
    assert str(status) in str(raised.value)


def test_wrong_credentials_say_what_to_check_and_lose_nothing() -> None:
    with pytest.raises(SinkUnavailable, match="check username and password"):
        read(401, "no org id")


@pytest.mark.parametrize(
    "said",
    [
        "no org id",
        "multiple org IDs present",
        "tenant ID contains unsupported character ' '",
        "unsupported content type: application/xml",
        "The plain HTTP request was sent to HTTPS port",
        "Client sent an HTTP request to an HTTPS server.",
    ],
)
def test_b1_a_400_about_the_tenant_or_the_connection_is_not_about_the_entries(said: str) -> None:
    with pytest.raises(SinkUnavailable):
        read(400, said)


def test_retry_after_is_seconds_or_a_date() -> None:
    later = (NOW + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    for text, seconds in (("7", 7.0), (later, 90.0), ("soon", None), ("", None)):
        with pytest.raises(SinkUnavailable) as raised:
            read(429, "slow down", **{"retry-after": text})
        assert raised.value.retry_after == seconds


def test_a_rate_limit_is_transient() -> None:
    text = (
        "ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec) while attempting to ingest '1000' "
        "lines totaling '300000' bytes, reduce log volume or contact your Loki administrator"
    )
    with pytest.raises(SinkUnavailable, match="rate limit exceeded"):
        read(429, text)


def test_a_message_that_is_too_large_is_to_be_split() -> None:
    for status, text in (
        (413, ""),
        (500, "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (10 vs. 4)"),
    ):
        assert read(status, text).outcome is Outcome.TOO_LARGE


def test_long_lines_are_recognised_by_their_length() -> None:
    batch = entries(make_event(), make_event(body="x" * 3000), make_event(body="x" * 2000), make_event())
    text = (
        f"1 errors like: max entry size '1000' bytes exceeded for stream '{STREAM}' while adding an entry with "
        f"length '{len(batch[1].line)}' bytes; 1 errors like: max entry size '1000' bytes exceeded for stream "
        f"'{STREAM}' while adding an entry with length '{len(batch[2].line)}' bytes\n"
    )
    answer = read(400, text)
    assert blamed(answer, batch) == {1: Fault.LINE_TOO_LONG, 2: Fault.LINE_TOO_LONG}
    assert answer.blamed(batch)[1].limit == 1000


def test_times_are_recognised_by_their_second_if_the_count_agrees() -> None:
    ahead = nanos(NOW + timedelta(hours=1))
    batch = entries(make_event(), make_event(time_ns=ahead + 5), make_event(time_ns=ahead + 9), make_event())
    for count, expected in ((2, {1: Fault.TOO_NEW, 2: Fault.TOO_NEW}), (1, {})):
        text = (
            f"{count} errors like: entry for stream '{STREAM}' has timestamp too new: 2026-11-25T03:00:00Z\n"
        )
        assert blamed(read(400, text), batch) == expected
    text = (
        f"entry for stream '{STREAM}' has timestamp too old: 2026-11-01T00:00:00Z, "
        "oldest acceptable timestamp is: 2026-11-18T02:00:00Z\n"
    )
    old = entries(make_event(time_ns=nanos(datetime(2026, 11, 1, tzinfo=UTC)) + 1), make_event())
    assert blamed(read(400, text), old) == {0: Fault.TOO_OLD}


def test_times_far_behind_are_recognised_by_the_oldest_acceptable_though_loki_names_but_ten() -> None:
    oldest = nanos(NOW - timedelta(hours=1))
    late = [make_event(time_ns=oldest - 1 - number) for number in range(12)]
    batch = entries(make_event(time_ns=nanos(NOW)), *late, make_event(time_ns=oldest + 5))
    line = (
        "entry with timestamp 2026-11-25 00:59:59.99999999{} +0000 UTC ignored, reason: 'entry too far behind, "
        "entry timestamp is: 2026-11-25T00:59:59Z, oldest acceptable timestamp is: 2026-11-25T01:00:00Z',\n"
    )
    named = "".join(line.format(9 - number) for number in range(10))
    answer = read(400, f"{named}user 'fake', total ignored: 12 out of 14 for stream: {STREAM}\n")
    assert blamed(answer, batch) == dict.fromkeys(range(1, 13), Fault.TOO_OLD)
    other = [
        msgspec.structs.replace(entry, stream=msgspec.structs.replace(entry.stream, labels=(("job", "x"),)))
        for entry in batch
    ]
    assert blamed(answer, other) == {}


def test_a_time_before_the_schema_is_recognised() -> None:
    batch = entries(make_event(time_ns=10**9), make_event())
    text = "rpc error: code = Unknown desc = failed to create stream: no schema config found for time 1\n"
    assert blamed(read(500, text), batch) == {0: Fault.TOO_OLD}


@pytest.mark.parametrize(
    ("status", "text", "fault"),
    [
        (400, f"entry for stream '{STREAM}' has 21 label names; limit 15", Fault.LABELS),
        (400, f"stream '{STREAM}' has label value too long: 'xxx'", Fault.LABELS),
        (
            429,
            f"maximum active stream limit exceeded when trying to create stream {STREAM}, reduce the number",
            Fault.STREAMS,
        ),
        (
            400,
            f"stream '{STREAM}' includes structured metadata, but this feature is disallowed. Please see",
            Fault.NO_METADATA,
        ),
    ],
)
def test_what_is_said_of_a_stream_is_said_of_all_its_entries(status: int, text: str, fault: Fault) -> None:
    batch = entries(make_event(), make_event())
    assert blamed(read(status, text), batch) == {0: fault, 1: fault}


def test_large_metadata_is_recognised_by_its_size() -> None:
    small, large = entries(make_event(), make_event())
    large = msgspec.structs.replace(large, names=("kind", "more"), values=("x" * 500, "y"))
    text = f"stream '{STREAM}' has structured metadata too large: '504' bytes, limit: '400' bytes. Please see"
    assert blamed(read(400, text), [small, large]) == {1: Fault.METADATA}
    text = f"stream '{STREAM}' has too many structured metadata labels: '2', limit: '1'. Please see"
    assert blamed(read(400, text), [small, large]) == {1: Fault.METADATA}


def test_an_unknown_refusal_blames_nobody() -> None:
    answer = read(400, "something new\n")
    assert answer.outcome is Outcome.REFUSED
    assert answer.reason == "something new"
    assert blamed(answer, entries(make_event())) == {}


@pytest.mark.parametrize(
    "text", ["missing required labels app for user fake", "ingestion blocked for user 'fake'"]
)
def test_what_only_an_operator_can_fix_waits(text: str) -> None:
    with pytest.raises(SinkUnavailable):
        read(400, text)


def test_long_reasons_are_cut() -> None:
    assert len(read(400, "x" * 100_000).reason) <= 400
    assert len(str(unreachable("OSError", "x" * 100_000))) < 600
