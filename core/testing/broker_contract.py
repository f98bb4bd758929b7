"""The contract suite of brokers: what every broker must hold, as tests that a broker's author inherits.

::

    class TestMyBroker(BrokerContract):
        def make_broker(self, place):
            return MyBroker(url, place, partitions=self.partitions, claim_after=self.claim_after)

Each test has a place of its own; in one test ``make_broker`` is called for several consumers of it. The tests
are asynchronous: run them with pytest-asyncio in ``auto`` mode, or with anyio.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import ClassVar
from uuid import uuid4

import pytest

from logweir.delivery.brokers.contract import Broker, Entry, LetterTotals, Message, Place
from logweir.errors import SinkRejected
from logweir.testing.conduct import cancelled_at

__all__ = ["BrokerContract"]

#: At most so many awaits of one call are cancelled, each in a call of its own.
_MOST_AWAITS = 40
#: How long something that has to come about may take, in seconds.
_PATIENCE = 30.0


class BrokerContract:
    """Inherit, override :meth:`make_broker`, and set what differs.

    Attributes:
        partitions: How many there are.
        claim_after: The claim time that brokers are to be made with, in seconds.
    """

    partitions: ClassVar[int] = 4
    claim_after: ClassVar[float] = 1.0

    def make_broker(self, place: Place) -> Broker:
        """Return a new broker for a place; does no IO."""
        raise NotImplementedError

    @pytest.fixture
    def place(self) -> Place:
        """A place that no other test has."""
        return Place(f"sink-{uuid4().hex}", owner="suite", consumer="a")

    @asynccontextmanager
    async def opened(self, place: Place, consumer: str = "a") -> AsyncIterator[Broker]:
        """An open broker for one consumer."""
        broker = self.make_broker(replace(place, consumer=consumer))
        await broker.open()
        try:
            yield broker
        finally:
            await broker.close()

    # -- life ---------------------------------------------------------------------------------------

    async def test_opening_twice_is_opening_once(self, place: Place) -> None:
        async with self.opened(place) as broker:
            await broker.open()
            await publish(broker, 3)
            assert len(await lease_all(broker, 3)) == 3

    async def test_closing_twice_is_closing_once_and_it_can_be_opened_again(self, place: Place) -> None:
        async with self.opened(place) as broker:
            await broker.close()
            await broker.close()
            await broker.open()
            await publish(broker, 1)
            assert len(await lease_all(broker, 1)) == 1

    async def test_what_another_configuration_owns_is_refused(self, place: Place) -> None:
        async with self.opened(place):
            other = self.make_broker(replace(place, owner="another"))
            with pytest.raises(SinkRejected, match="another"):
                await other.open()
            await other.close()

    async def test_health_is_known_before_and_after_opening(self, place: Place) -> None:
        broker = self.make_broker(place)
        assert (await broker.health()).status in {"ok", "degraded"}
        await broker.open()
        try:
            health = await broker.health()
        finally:
            await broker.close()
        assert health.status in {"ok", "degraded"}, health.detail
        assert health.durability, "what a confirmation means is not said"

    # -- publishing and leasing ---------------------------------------------------------------------

    async def test_an_empty_batch_is_nothing(self, place: Place) -> None:
        async with self.opened(place) as broker:
            assert not await broker.publish([])
            await broker.settle([])
            await broker.hold([])
            await broker.release([])
            assert await broker.lease(10, 0.0) == []

    @pytest.mark.parametrize("size", [1, 10, 1_500])
    async def test_what_was_published_is_leased_whole(self, place: Place, size: int) -> None:
        async with self.opened(place) as broker:
            sent = await publish(broker, size)
            entries = await lease_all(broker, size)
            assert sorted(entry.body for entry in entries) == sorted(message.body for message in sent)
            assert {entry.deliveries for entry in entries} == {1}
            assert {entry.version for entry in entries} == {1}
            assert len({(entry.partition, entry.position) for entry in entries}) == size

    async def test_any_bytes_of_any_version_pass(self, place: Place) -> None:
        bodies = [bytes(range(256)), b"x" * 1_000_000, "ß\u2028".encode(), b"{}"]
        async with self.opened(place) as broker:
            assert not await broker.publish(
                [Message("", body, version) for version, body in enumerate(bodies, 1)]
            )
            entries = await lease_all(broker, len(bodies))
        assert sorted((entry.version, entry.body) for entry in entries) == list(enumerate(bodies, 1))

    async def test_what_was_published_before_there_was_a_consumer_is_leased(self, place: Place) -> None:
        async with self.opened(place, "") as publisher:
            await publish(publisher, 20)
        async with self.opened(place, "b") as broker:
            assert len(await lease_all(broker, 20)) == 20

    async def test_messages_of_one_key_stay_together_and_in_their_order(self, place: Place) -> None:
        async with self.opened(place) as broker:
            for number in range(20):
                batch = [Message(f"key {key}", f"{key}:{number}".encode()) for key in range(10)]
                assert not await broker.publish(batch)
            entries = await lease_all(broker, 200)
        for key in range(10):
            own = [entry for entry in entries if entry.body.startswith(f"{key}:".encode())]
            assert len({entry.partition for entry in own}) == 1
            assert [entry.body for entry in own] == [f"{key}:{number}".encode() for number in range(20)]
        assert len({entry.partition for entry in entries}) > 1

    @pytest.mark.parametrize("limit", [1, 3, 7, 50])
    async def test_a_lease_has_no_more_than_was_asked_for(self, place: Place, limit: int) -> None:
        async with self.opened(place) as broker:
            await publish(broker, 60)
            taken = 0
            while taken < 60:
                entries = await broker.lease(limit, _PATIENCE)
                assert 0 < len(entries) <= limit
                taken += len(entries)

    async def test_a_lease_waits_for_what_is_published(self, place: Place) -> None:
        async with self.opened(place, "") as publisher, self.opened(place, "b") as broker:
            leasing = asyncio.ensure_future(lease_all(broker, 1))
            await asyncio.sleep(0.05)
            await publish(publisher, 1)
            assert len(await leasing) == 1

    async def test_a_lease_of_nothing_ends_after_its_time(self, place: Place) -> None:
        async with self.opened(place) as broker:
            started = time.monotonic()
            assert await broker.lease(10, 0.2) == []
            assert time.monotonic() - started >= 0.15
            assert await broker.lease(10, 0.0) == []

    async def test_consumers_share_what_there_is(self, place: Place) -> None:
        async with self.opened(place, "a") as one, self.opened(place, "b") as other:
            await publish(one, 400)
            first = await one.lease(100, 1.0)
            more, others = await lease_both(other, one, 400 - len(first))
            found = [*first, *more, *others]
            found += [*await one.lease(1_000, 0.0), *await other.lease(1_000, 0.0)]
            assert len({(entry.partition, entry.position) for entry in found}) == len(found) == 400

    async def test_many_publish_at_once(self, place: Place) -> None:
        async with self.opened(place) as broker:
            batches = [[Message(f"{n}", f"{worker}.{n}".encode()) for n in range(50)] for worker in range(8)]
            assert not any(await asyncio.gather(*(broker.publish(batch) for batch in batches)))
            assert len({entry.body for entry in await lease_all(broker, 400)}) == 400

    # -- settling, and what is not settled ----------------------------------------------------------

    async def test_what_is_settled_is_gone_for_good(self, place: Place) -> None:
        async with self.opened(place, "a") as broker:
            await publish(broker, 50)
            await broker.settle(await lease_all(broker, 50))
            assert await broker.lease(10, 0.0) == []
        async with self.opened(place, "b") as broker:
            await asyncio.sleep(self.claim_after * 1.2)
            assert await broker.claim(100) == []
            assert await broker.lease(10, 0.0) == []
            assert {(s.lag, s.pending, s.missing) for s in await broker.states()} == {(0, 0, 0)}

    async def test_what_is_settled_out_of_order_leaves_exactly_the_rest(self, place: Place) -> None:
        async with self.opened(place, "a") as broker:
            await publish(broker, 60)
            entries = await lease_all(broker, 60)
            await broker.settle(entries[::-2])
        rest = {entry.body for entry in entries[::2]}
        async with self.opened(place, "b") as broker:
            assert {entry.body for entry in await claim_all(broker, 30)} == rest

    async def test_settling_again_or_what_others_hold_is_no_error(self, place: Place) -> None:
        async with self.opened(place, "a") as one, self.opened(place, "b") as other:
            await publish(one, 40)
            entries, others = await lease_both(one, other, 40)
            await other.settle(entries[:5])
            await one.settle([*others, *entries])
            await one.settle(entries)
            await other.settle(others)
            assert sum(state.pending for state in await one.states()) == 0

    async def test_what_a_dead_consumer_had_is_claimed_and_counted(self, place: Place) -> None:
        async with self.opened(place, "a") as broker:
            sent = await publish(broker, 40)
            await lease_all(broker, 40)
        async with self.opened(place, "b") as broker:
            assert await broker.lease(10, 0.0) == []
            entries = await claim_all(broker, 40)
            assert sorted(entry.body for entry in entries) == sorted(message.body for message in sent)
            assert {entry.deliveries for entry in entries} == {2}
            await broker.hold(entries)
            assert await broker.claim(10) == [], "what is held is claimed again"

    async def test_what_a_living_consumer_holds_is_not_claimed(self, place: Place) -> None:
        async with self.opened(place, "a") as one, self.opened(place, "b") as other:
            await publish(one, 40)
            entries, _ = await lease_both(one, other, 40)
            for _ in range(8):
                await asyncio.sleep(self.claim_after / 4)
                await one.hold(entries[:5])
                taken = [*await other.claim(10), *await one.claim(10)]
                assert not {entry.body for entry in taken} & {entry.body for entry in entries[:5]}

    async def test_holding_what_is_settled_does_not_bring_it_back(self, place: Place) -> None:
        async with self.opened(place, "a") as one, self.opened(place, "b") as other:
            await publish(one, 40)
            for each, entries in zip((one, other), await lease_both(one, other, 40), strict=True):
                await each.settle(entries)
                await each.hold(entries)
                await each.release(entries)
            for each in (one, other):
                assert await each.claim(10) == []
                assert await each.lease(10, 0.0) == []

    async def test_what_is_released_is_claimed_at_once(self, place: Place) -> None:
        async with self.opened(place, "a") as one, self.opened(place, "b") as other:
            await publish(one, 60)
            entries, _ = await lease_both(one, other, 60)
            await one.hold(entries[:5])
            await one.release(entries[5:])
            # Who has their partition may be the one to claim, or anybody.
            taken = [*await other.claim(100), *await one.claim(100)]
            assert {entry.body for entry in taken} == {entry.body for entry in entries[5:]}

    @pytest.mark.parametrize("limit", [1, 7])
    async def test_a_claim_has_no_more_than_was_asked_for_of_whatever_partition(
        self, place: Place, limit: int
    ) -> None:
        async with self.opened(place, "a") as one, self.opened(place, "b") as other:
            await publish(one, 30)
            for each, entries in zip((one, other), await lease_both(one, other, 30), strict=True):
                await each.release(entries)
            taken: set[bytes] = set()
            deadline = time.monotonic() + _PATIENCE
            while len(taken) < 30:
                assert time.monotonic() < deadline, f"{len(taken)} of 30 came"
                for each in (other, one):
                    entries = await each.claim(limit)
                    assert len(entries) <= limit
                    taken |= {entry.body for entry in entries}
                    await each.settle(entries)

    # -- being looked at, and being disturbed -------------------------------------------------------

    async def test_the_states_count_what_waits_and_what_is_leased(self, place: Place) -> None:
        async with self.opened(place) as broker:
            await publish(broker, 100)
            await lease_all(broker, 30)
            states = await broker.states()
        assert [state.partition for state in states] == list(range(self.partitions))
        assert sum(state.lag + state.pending for state in states) == 100
        # A broker may have leased one of each partition ahead.
        assert 30 <= sum(state.pending for state in states) <= 30 + self.partitions
        assert max(state.consumers for state in states) == 1
        assert all(0 <= state.oldest < _PATIENCE for state in states)
        assert sum(state.missing for state in states) == 0

    async def test_the_consumers_are_known_with_what_they_hold(self, place: Place) -> None:
        async with self.opened(place, "a") as one, self.opened(place, "b") as other:
            await publish(one, 40)
            leased = await lease_both(one, other, 30)
            for each, entries in zip((one, other), leased, strict=True):
                await each.hold(entries)
            consumers = await one.consumers()
            # A broker may have leased ahead.
            assert sum(map(len, leased)) <= sum(state.pending for state in consumers) <= 40
            assert all(state.name for state in consumers)
            assert all(state.idle is None or 0 <= state.idle < _PATIENCE for state in consumers)
            for each, entries in zip((one, other), leased, strict=True):
                await each.settle(entries)

    # -- dead letters -------------------------------------------------------------------------------

    async def test_letters_are_kept_in_order_until_they_are_removed(self, place: Place) -> None:
        bodies = [f"letter {number}".encode() for number in range(30)]
        async with self.opened(place, "a") as one:
            assert await one.letters() == []
            assert (await one.letter_totals()).count == 0
            await one.keep_letters([])
            await one.keep_letters(bodies[:10])
            await one.keep_letters(bodies[10:])
        async with self.opened(place, "") as other:  # another host, which consumes nothing
            kept = await other.letters()
            assert [letter.body for letter in kept] == bodies
            totals = await other.letter_totals()
            assert (totals.count, totals.size) == (30, sum(map(len, bodies)))
            assert 0 <= totals.oldest < _PATIENCE
            assert await other.remove_letters([letter.position for letter in kept[::2]]) == 15
            assert [letter.body for letter in await other.letters()] == bodies[1::2]
            assert await other.remove_letters([letter.position for letter in kept]) == 15
            assert await other.remove_letters([letter.position for letter in kept]) == 0
            assert await other.remove_letters([]) == 0
            assert await other.letters() == []
            assert await other.letter_totals() == LetterTotals()

    async def test_letters_are_read_page_by_page_while_some_are_removed(self, place: Place) -> None:
        bodies = [f"letter {number}".encode() for number in range(25)]
        async with self.opened(place, "a") as broker:
            await broker.keep_letters(bodies)
            found: list[bytes] = []
            after = ""
            while page := await broker.letters(after, 7):
                assert len(page) <= 7
                found += [letter.body for letter in page]
                after = page[-1].position
                await broker.remove_letters([letter.position for letter in page])
            assert found == bodies

    async def test_a_letter_that_is_kept_again_is_another_one(self, place: Place) -> None:
        async with self.opened(place, "a") as broker:
            await broker.keep_letters([b"the same"])
            first = await broker.letters()
            await broker.keep_letters([b"the same"])
            assert await broker.remove_letters([letter.position for letter in first]) == 1
            left = await broker.letters()
            assert [letter.body for letter in left] == [b"the same"]
            assert left[0].position != first[0].position

    async def test_a_letter_may_be_any_bytes_and_is_no_message(self, place: Place) -> None:
        bodies = [bytes(range(256)), b"x" * 1_000_000, b""]
        async with self.opened(place, "a") as broker:
            await broker.keep_letters(bodies)
            assert [letter.body for letter in await broker.letters()] == bodies
            assert await broker.lease(10, 0.0) == []
            assert sum(state.lag + state.pending for state in await broker.states()) == 0

    async def test_a_publish_may_be_cancelled_at_every_await(self, place: Place) -> None:
        async with self.opened(place) as broker:
            for number in range(1, _MOST_AWAITS + 1):
                batch = [Message("", f"{number}.{item}".encode()) for item in range(3)]
                whole, _ = await cancelled_at(number, partial(broker.publish, batch))
                if not whole:
                    assert not await broker.publish(batch)
                found = {entry.body for entry in await lease_all(broker, 3)}
                assert {message.body for message in batch} <= found
                await drain(broker)
                if whole:
                    break

    async def test_a_lease_may_be_cancelled_at_every_await(self, place: Place) -> None:
        async with self.opened(place, "a") as one, self.opened(place, "b") as other:
            for number in range(1, _MOST_AWAITS + 1):
                await publish(one, 5)
                whole, _ = await cancelled_at(number, partial(one.lease, 5, 0.0))
                found: set[bytes] = set()
                deadline = time.monotonic() + _PATIENCE
                while len(found) < 5:  # some may be leased by the call that was cancelled
                    assert time.monotonic() < deadline, "what a cancelled call had leased is lost"
                    for each in (other, one):
                        taken = [*await each.lease(10, 0.0), *await each.claim(10)]
                        found |= {entry.body for entry in taken}
                        await each.settle(taken)
                if whole:
                    break


async def publish(broker: Broker, number: int) -> Sequence[Message]:
    """Publish so many messages, each with a key of its own."""
    batch = [Message(f"key {item}", f"body {item} {uuid4().hex}".encode()) for item in range(number)]
    assert not await broker.publish(batch)
    return batch


async def lease_all(broker: Broker, number: int) -> list[Entry]:
    """Lease so many."""
    return await _gather(lambda left: broker.lease(left, 0.1), number)


async def lease_both(one: Broker, other: Broker, number: int) -> tuple[list[Entry], list[Entry]]:
    """Lease so many from two, each of which has whatever it can have; the first has some."""
    found: tuple[list[Entry], list[Entry]] = ([], [])

    async def take(left: int) -> list[Entry]:
        entries = await one.lease(left, 0.1)
        found[0].extend(entries)
        more = await other.lease(left - len(entries), 0.1) if len(entries) < left else []
        found[1].extend(more)
        return [*entries, *more]

    await _gather(take, number)
    assert len(found[0]) > 5, "the first was given next to nothing"
    return found


async def claim_all(broker: Broker, number: int) -> list[Entry]:
    """Claim so many, which may take the claim time, and hold what came first meanwhile."""
    held: list[Entry] = []

    async def claim(left: int) -> list[Entry]:
        await asyncio.sleep(0.05)
        await broker.hold(held)
        taken = await broker.claim(left)
        held.extend(taken)
        return taken

    return await _gather(claim, number)


async def _gather(take: Callable[[int], Awaitable[list[Entry]]], number: int) -> list[Entry]:
    found: list[Entry] = []
    deadline = time.monotonic() + _PATIENCE
    while len(found) < number:
        assert time.monotonic() < deadline, f"{len(found)} of {number} came"
        found += await take(number - len(found))
    return found


async def drain(broker: Broker) -> None:
    """Settle whatever there is."""
    while entries := await broker.lease(1_000, 0.0):
        await broker.settle(entries)
