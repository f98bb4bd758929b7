"""What the server's answers mean: next to nothing is an event's fault."""

import asyncio
from collections.abc import Sequence

import pytest

from logweir.errors import SinkUnavailable
from logweir.sinks.results import WriteResult
from logweir.sinks.victorialogs.encode import Line
from logweir.sinks.victorialogs.verdicts import Answer, Outcome, outcome_of
from logweir.sinks.victorialogs.writing import Push, store

TAKEN = Answer(200)
#: As VictoriaLogs 1.52 says them.
READ_ONLY = "cannot add rows into storage in read-only mode; the storage can be in read-only mode because of lack of free disk space"
NO_JSON = 'cannot process jsonline request; error: cannot parse JSON: unexpected char; line contents: "abc"'
OF_THE_SERVER = [
    Answer(429, text=READ_ONLY),
    Answer(400, text="requests to /insert/* are disabled with -insert.disable command-line flag"),
    Answer(400, text='cannot parse "x" as uint32: strconv.ParseUint: parsing "x": invalid syntax'),
    Answer(400, text='unsupported path requested: "/x/insert/jsonline"'),
    Answer(400, text="cannot process jsonline request; error: cannot read the next line: unexpected EOF"),
    Answer(400),
    Answer(401), Answer(403), Answer(404), Answer(405), Answer(407), Answer(302), Answer(409), Answer(422),
    Answer(500), Answer(502), Answer(503), Answer(504), Answer(507),
    Answer(200, text="<html>a proxy's page</html>"),
    Answer(200, seconds=60.0),
]  # fmt: skip


@pytest.mark.parametrize("answer", OF_THE_SERVER, ids=lambda answer: f"{answer.status} {answer.text[:20]}")
def test_an_answer_about_the_server_is_no_events_fault(answer: Answer) -> None:
    with pytest.raises(SinkUnavailable):
        outcome_of(answer, 60.0)


@pytest.mark.parametrize("answer", [TAKEN, Answer(204), Answer(200, text="\n"), Answer(200, seconds=59.0)])
def test_an_empty_answer_in_time_is_stored(answer: Answer) -> None:
    assert outcome_of(answer, 60.0) is Outcome.STORED


def test_a_wait_that_the_server_asks_for_is_passed_on() -> None:
    with pytest.raises(SinkUnavailable) as raised:
        outcome_of(Answer(429, retry_after="7"), 60.0)
    assert raised.value.retry_after == 7


def result_of(
    answers: Push, texts: Sequence[bytes], refused: dict[int, str] | None = None, largest: int = 10**6
) -> WriteResult:
    lines = [Line(index, text) for index, text in enumerate(texts)]
    return asyncio.run(store(lines, {} if refused is None else refused, answers, largest, 60.0))


def test_a_line_that_cannot_be_read_is_rejected_alone() -> None:
    async def push(body: bytes) -> Answer:
        return Answer(400, text=NO_JSON) if b"abc" in body else TAKEN

    result = result_of(push, [b"1", b"abc", b"3", b"4"])
    assert set(result.rejected) == {1}
    assert "line contents" in result.rejected[1]
    assert not result.retry


def test_a_request_that_is_too_large_for_a_proxy_is_halved_until_a_line_is_alone() -> None:
    async def push(body: bytes) -> Answer:
        return Answer(413, "Request Entity Too Large") if len(body) > 12 else TAKEN

    result = result_of(push, [b"12345", b"12345", b"x" * 20, b"12345"])
    assert set(result.rejected) == {2}


def test_a_batch_is_sent_in_requests_of_bounded_size() -> None:
    sizes: list[int] = []

    async def push(body: bytes) -> Answer:
        sizes.append(len(body))
        return TAKEN

    assert result_of(push, [b"12345"] * 10, largest=20) == WriteResult.all_stored()
    assert sizes == [18, 18, 18, 6]


def test_of_a_batch_in_parts_only_what_was_not_taken_is_to_be_sent_again() -> None:
    answers = [TAKEN, Answer(429, retry_after="3", text=READ_ONLY)]

    async def push(_body: bytes) -> Answer:
        return answers.pop(0)

    result = result_of(push, [b"12345"] * 9, largest=20)
    assert (result.retry, result.retry_after) == (frozenset(range(3, 9)), 3)
    assert "read-only" in result.retry_reason


def test_events_that_were_refused_before_have_their_verdict_when_the_server_is_away() -> None:
    async def push(_body: bytes) -> Answer:
        raise SinkUnavailable("away")

    lines = [Line(1, b"x")]
    result = asyncio.run(store(lines, {0: "too old"}, push, 100, 60.0))
    assert (result.rejected, result.retry) == ({0: "too old"}, {1})
    with pytest.raises(SinkUnavailable):
        asyncio.run(store(lines, {}, push, 100, 60.0))


def test_a_batch_of_which_nothing_can_be_sent_needs_no_request() -> None:
    async def push(_body: bytes) -> Answer:
        raise AssertionError("nothing is left to send")

    assert asyncio.run(store([], {0: "too old"}, push, 100, 60.0)).rejected == {0: "too old"}
