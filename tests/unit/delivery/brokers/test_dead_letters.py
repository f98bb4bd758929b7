"""Dead letters of a worker behind a broker: kept there, and on its own disk while that is not possible."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from logweir.delivery.brokers.contract import Place
from logweir.delivery.brokers.dead_letters import BrokerLetters
from logweir.delivery.dead_letters import DeadLetter, DeadLetters
from logweir.errors import SinkUnavailable
from logweir.process.lasting import LastingTask
from logweir.process.loop_thread import LoopThread
from logweir.settings.operations import DeadLettersConfig
from logweir.testing.contract import make_event
from support.broker_double import BrokerDouble
from support.waiting import eventually


class Comes(BrokerDouble):
    """Takes letters when it is there."""

    away = False

    async def keep_letters(self, bodies: Sequence[bytes]) -> None:
        if self.away:
            raise SinkUnavailable("connection refused")
        await super().keep_letters(bodies)


class Host:
    """A worker's letters with the loop that they need."""

    def __init__(self, folder: Path) -> None:
        self.broker = Comes(Place(f"sink-{uuid4().hex}"), partitions=1, claim_after=1.0)
        self.local = DeadLetters(folder)
        self.expired: Counter[str] = Counter()
        self.loop = LoopThread(lambda: None)

    def letters(self, **bounds: Any) -> BrokerLetters:
        def on_loop(work: Coroutine[Any, Any, None], seconds: float) -> None:
            self.loop.run(work, seconds)

        config = DeadLettersConfig.model_validate(bounds)
        return BrokerLetters(self.broker, "sink", self.local, config, on_loop, self.expired, period=0.01)

    def running(self, letters: BrokerLetters) -> LastingTask:
        task = LastingTask("letters", letters.run)
        self.loop.call_soon(task.start)
        return task

    def kept(self) -> list[DeadLetter]:
        found = self.loop.run(self.broker.letters(), 10)
        return [DeadLetter.from_bytes(letter.body) for letter in found]

    def until(self, condition: Callable[[], object]) -> None:
        eventually(condition, found=lambda: (self.kept(), self.local.read()))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path)
    yield host
    host.loop.stop()


def letter(number: int, *, time_ns: int | None = None) -> DeadLetter:
    event = make_event(f"event-{number}")
    return DeadLetter("sink", "too long", b"x" * 100, "", f"{event.id}:sink", time_ns or time.time_ns())


def test_letters_go_to_the_broker_and_not_to_this_host(host: Host) -> None:
    given = [letter(number) for number in range(3)]
    host.letters().add(given)
    assert host.kept() == given
    assert not host.local.path.exists()


def test_letters_stay_here_while_the_broker_is_away_and_are_moved_when_it_is_back(host: Host) -> None:
    letters = host.letters()
    host.broker.away = True
    given = [letter(number) for number in range(250)]
    letters.add(given)
    assert host.local.count() == 250
    host.running(letters)
    host.broker.away = False
    host.until(lambda: not host.local.count())
    assert sorted(each.id for each in host.kept()) == sorted(each.id for each in given)
    host.until(lambda: letters.totals.count == 250)


def test_what_an_earlier_worker_left_here_is_moved_and_other_sinks_letters_are_not(host: Host) -> None:
    other = DeadLetter("other", "too long", b"{}", "", "2", time.time_ns())
    host.local.add([mine := letter(1), other])
    host.running(host.letters())
    host.until(lambda: host.kept() == [mine])
    host.until(lambda: host.local.read() == [other])


def test_letters_beyond_the_bounds_are_deleted_from_the_broker_oldest_first(host: Host) -> None:
    old = time.time_ns() - 3_600_000_000_000
    given = [letter(number, time_ns=old if number < 2 else None) for number in range(6)]
    host.letters().add(given)
    host.running(host.letters(keep="30m"))
    host.until(lambda: host.kept() == given[2:])
    size = sum(len(each.to_bytes()) for each in given[3:])
    host.running(host.letters(max_bytes=size))
    host.until(lambda: host.kept() == given[3:])
    host.until(lambda: host.expired == {"sink": 3})


async def test_a_letter_is_kept_here_when_no_thread_is_left_to_ask_the_broker(tmp_path: Path) -> None:
    host = Host(tmp_path)

    def on_loop(work: Coroutine[Any, Any, None], seconds: float) -> None:
        work.close()
        raise TimeoutError

    letters = BrokerLetters(host.broker, "sink", host.local, DeadLettersConfig(), on_loop, host.expired)
    await asyncio.to_thread(letters.add, [given := letter(1)])
    assert await asyncio.to_thread(host.local.read) == [given]


@pytest.mark.parametrize("body", [b"{}", bytes(range(256)), "\u2028 ß".encode(), b""])
def test_a_letter_is_read_as_it_was_written(body: bytes) -> None:
    given = DeadLetter("sink", 'a "reason"', body, "file:1", "id", 7, 3)
    assert DeadLetter.from_bytes(given.to_bytes()) == given


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"format": 2}', b'{"format": "x"}', b"7"])
def test_what_is_no_letter_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        DeadLetter.from_bytes(data)
