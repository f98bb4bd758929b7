"""What answers mean."""

import json

import pytest

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.sinks.http.verdicts import Answer, FailedOnIt, result_of
from logweir.sinks.results import WriteResult
from logweir.testing.contract import make_event


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_2xx_is_stored(status: int) -> None:
    assert result_of(Answer(status, body=b"thank you"), [make_event()]) == WriteResult.all_stored()


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 401, 403, 407, 301, 302, 307, 308])
def test_what_may_pass_or_be_fixed_is_tried_again(status: int) -> None:
    with pytest.raises(SinkUnavailable, match=str(status)):
        result_of(Answer(status), [make_event()])


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_was_sent_is_refused_with_the_servers_words(status: int) -> None:
    with pytest.raises(SinkRejected, match=f"{status} Bad: no such field"):
        result_of(Answer(status, "Bad", body=b"no such\n field"), [make_event(), make_event()])


@pytest.mark.parametrize("status", [402, 404, 405, 410, 411, 415, 421, 423, 431, 451])
def test_b1_an_address_or_an_account_that_is_not_served_costs_no_event(status: int) -> None:
    with pytest.raises(SinkUnavailable, match=f"fix the url or the account: the server answered {status}"):
        result_of(Answer(status), [make_event()])


@pytest.mark.parametrize(
    "said",
    [
        b"<center>The plain HTTP request was sent to HTTPS port</center><hr><center>nginx</center>",
        b"<center>No required SSL certificate was sent</center>",
        b"Client sent an HTTP request to an HTTPS server.\n",
    ],
)
def test_b1_a_gateways_400_that_is_about_the_connection_costs_no_event(said: bytes) -> None:
    with pytest.raises(SinkUnavailable, match="fix the url"):
        result_of(Answer(400, "Bad Request", body=said), [make_event(), make_event()])


def test_a_conflict_is_a_duplicate_where_it_can_only_be_about_one_event() -> None:
    assert result_of(Answer(409), [make_event()]).duplicate == {0}
    with pytest.raises(SinkRejected):
        result_of(Answer(409), [make_event(), make_event()])


def test_the_receiver_may_answer_event_by_event() -> None:
    events = [make_event() for _ in range(5)]
    verdicts = {
        "duplicate": [events[0].id, events[1].id, "unknown"],
        "retry": [events[1].id, events[2].id],
        "rejected": {events[2].id: "no", "unknown": "x"},
    }
    result = result_of(Answer(200, body=json.dumps(verdicts).encode()), events)
    assert (result.duplicate, result.retry, result.rejected) == ({0}, {1}, {2: "no"})


@pytest.mark.parametrize(
    "body", [b"", b"ok", b"[]", b"{", b'{"rejected": 0}', b'{"duplicate": "all"}', b"\xff{", b'{"ok": true}']
)
def test_any_other_body_of_a_success_says_nothing(body: bytes) -> None:
    assert result_of(Answer(200, body=body), [make_event()]) == WriteResult.all_stored()


def test_verdicts_that_were_cut_are_no_success() -> None:
    events = [make_event(), make_event()]
    body = json.dumps({"rejected": {event.id: "no" for event in events}}).encode()
    with pytest.raises(FailedOnIt, match=r"send less at once: batch\.max_events"):
        result_of(Answer(200, body=body[:60], is_cut=True), events)
    assert result_of(Answer(200, body=b"thank you", is_cut=True), events) == WriteResult.all_stored()


def test_the_servers_wish_to_wait_is_passed_on() -> None:
    with pytest.raises(SinkUnavailable) as raised:
        result_of(Answer(503, retry_after="12"), [make_event()])
    assert raised.value.retry_after == 12
