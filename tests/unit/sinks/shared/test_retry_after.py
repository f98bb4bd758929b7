"""How long a server asks us to wait."""

from datetime import UTC, datetime

import elastic_transport
import pytest
from elasticsearch import ApiError

from logweir.errors import SinkUnavailable
from logweir.settings.delivery import LONGEST_WAIT
from logweir.sinks.elasticsearch.verdicts import failure
from logweir.sinks.http import verdicts as http
from logweir.sinks.loki.verdicts import read_answer
from logweir.sinks.otlp import verdicts as otlp
from logweir.sinks.shared.retry_after import seconds_to_wait
from logweir.testing.contract import make_event

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WAITS = {
    "7": 7.0,
    " 7 ": 7.0,
    "0": 0.0,
    "0.5": 0.5,
    "Thu, 01 Jan 2026 00:01:00 GMT": 60.0,
    "Thu, 01 Jan 2026 00:01:00 -0000": 60.0,  # without a zone, which is UTC
    "Thu, 01 Jan 2020 00:01:00 GMT": 0.0,
}
ENDLESS = [
    "1764100000",  # a moment, where seconds belong
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "1e300",
    "9" * 400,
    "86400",
]
NOTHING = ["soon", "nan", "inf", "-inf", "-1", "", "Thu, 01 Jan 99999 00:00:00 GMT", None]


@pytest.mark.parametrize(("text", "seconds"), WAITS.items())
def test_retry_after_is_a_number_of_seconds_or_a_date(text: str, seconds: float) -> None:
    assert seconds_to_wait(text, NOW) == seconds


@pytest.mark.parametrize("text", ENDLESS)
def test_b5_no_retry_after_parks_a_sink_for_longer_than_its_bound(text: str) -> None:
    assert seconds_to_wait(text, NOW) == LONGEST_WAIT


@pytest.mark.parametrize("text", NOTHING)
def test_what_is_no_time_to_wait_asks_for_nothing(text: str | None) -> None:
    assert seconds_to_wait(text, NOW) is None


@pytest.mark.parametrize("text", [*WAITS, *ENDLESS, "soon", "-1", "nan"])
def test_b5_every_sink_reads_the_header_in_the_same_way(text: str) -> None:
    node = elastic_transport.NodeConfig("http", "h", 1)
    headers = elastic_transport.HttpHeaders({"retry-after": text})
    refused = ApiError("no", elastic_transport.ApiResponseMeta(429, "1.1", headers, 0.1, node), None)
    waits = [getattr(failure(refused), "retry_after", "none")]
    for ask in (
        lambda: http.result_of(http.Answer(429, retry_after=text), [make_event()]),
        lambda: otlp.refused_of(otlp.Answer(429, retry_after=text)),
        lambda: read_answer(429, "slow down", {"retry-after": text}),
    ):
        with pytest.raises(SinkUnavailable) as raised:
            ask()
        waits.append(raised.value.retry_after)
    assert waits == [seconds_to_wait(text)] * 4
