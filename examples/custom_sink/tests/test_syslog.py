"""The syslog sink keeps logweir's contract, and says what RFC 5424 asks for."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError
from receiver import Receiver, parse

from logweir import Event, Kind
from logweir.errors import SinkUnavailable
from logweir.sinks.results import WriteResult
from logweir.testing import SinkContract
from logweir.testing.contract import make_event
from logweir_syslog import SyslogConfig, SyslogSink
from logweir_syslog.encode import Encoder


class Counted(SyslogSink):
    """Counts what was sent: TCP does not report when the other side has read it."""

    sent = 0

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        result = await super().write(batch)
        type(self).sent += len(batch) - len(result.rejected)
        return result


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    Counted.sent = 0
    async with Receiver() as running:
        yield running


def sink_to(receiver: Receiver, **options: Any) -> Counted:
    return Counted(SyslogConfig(host="127.0.0.1", port=receiver.port, **options))


def bare(event: Event) -> Event:
    """The event without its estimated size, which is not sent."""
    return msgspec.structs.replace(event, size=0)


class TestContract(SinkContract):
    idempotent = False  # syslog has no ids
    reports_duplicates = False

    @pytest.fixture(autouse=True)
    def _server(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def make_sink(self, tmp_path: Path) -> SyslogSink:
        return sink_to(self.receiver)

    async def stored(self, sink: Any, ids: Sequence[str] | None = None) -> list[Event]:
        await self.receiver.until(Counted.sent)
        return [bare(message.event) for message in self.receiver.messages]


async def test_the_header_says_what_servers_sort_by() -> None:
    encoder = Encoder(SyslogConfig(audit_facility="audit"), "db 1.example", 42)
    event = make_event("fund.refund", {"user_id": 7}, kind=Kind.AUDIT, time_ns=1_767_268_800_123_456_789)
    event = msgspec.structs.replace(event, level="error", env='a"b\\c]d')
    message = parse(encoder.message(event))
    assert message.priority == 13 * 8 + 3
    assert message.time == "2026-01-01T12:00:00.123456Z"
    assert (message.host, message.app, message.process) == ("db_1.example", "contract-service", "42")
    assert message.id == "fund.refund"
    assert message.data == (
        f'[logweir@32473 id="{event.id}" kind="audit" env="a\\"b\\\\c\\]d" '
        f'trace_id="{event.trace_id}" span_id="{event.span_id}"]'
    )
    assert bare(message.event) == bare(event)


@pytest.mark.parametrize(("name", "said"), [("", "-"), ("ein Fehler\n", "ein_Fehler_"), ("x" * 50, "x" * 32)])
def test_any_name_becomes_a_word(name: str, said: str) -> None:
    message = parse(Encoder(SyslogConfig(), "host", 1).message(make_event(name)))
    assert message.id == said
    assert message.event.name == name


async def test_a_message_that_the_server_would_cut_is_rejected_alone(receiver: Receiver) -> None:
    sink = sink_to(receiver, max_message_bytes=2048)
    await sink.open()
    result = await sink.write([make_event("a"), make_event(body="x" * 3000), make_event("b")])
    await sink.close()
    assert list(result.rejected) == [1]
    assert "takes 2,048; see max_message_bytes" in result.rejected[1]
    await receiver.until(2)
    assert [message.id for message in receiver.messages] == ["a", "b"]


async def test_a_server_that_went_away_is_reported_and_found_again(receiver: Receiver) -> None:
    sink = sink_to(receiver)
    await sink.open()
    await sink.write([make_event("before")])
    await receiver.until(1)
    await receiver.stop()
    with pytest.raises(SinkUnavailable, match=r"syslog at 127\.0\.0\.1:"):  # noqa: PT012 - see below
        while True:  # the kernel takes some before it hears of it
            await sink.write([make_event("into the void")])
            await asyncio.sleep(0)
    assert (await sink.check()).status == "down"
    await receiver.listen()
    await sink.write([make_event("after")])
    await sink.close()
    await receiver.until(2)
    assert receiver.messages[-1].id == "after"


def test_a_wrong_structured_data_id_is_refused() -> None:
    with pytest.raises(ValidationError, match="is no SD-ID"):
        SyslogConfig(structured_data_id="no good")
