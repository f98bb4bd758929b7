"""The contract suite of brokers on a double that keeps the contract, and on doubles that break it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from logweir.delivery.brokers.contract import Broker, Entry, KeptLetter, Message, Place
from logweir.testing import BrokerContract
from support.broker_double import BrokerDouble


class TestDouble(BrokerContract):
    claim_after = 0.2

    def make_broker(self, place: Place) -> Broker:
        return BrokerDouble(place, partitions=self.partitions, claim_after=self.claim_after)


class Forgets(BrokerDouble):
    async def publish(self, batch: Sequence[Message]) -> Mapping[int, str]:
        return await super().publish(batch[:-1])


class HandsOutTwice(BrokerDouble):
    async def lease(self, limit: int, timeout: float) -> list[Entry]:
        entries = await super().lease(limit, timeout)
        self._shared.waiting += entries
        return entries


class SettlesNothing(BrokerDouble):
    async def settle(self, entries: Sequence[Entry]) -> None:
        pass


class SettlesUpTo(BrokerDouble):
    """Commits a position, as one who takes Kafka's offsets for settlements."""

    async def settle(self, entries: Sequence[Entry]) -> None:
        last = max((entry.position for entry in entries), default="")
        for key in [key for key in self._shared.held if key[1] <= last]:
            del self._shared.held[key]


class ClaimsFromTheLiving(BrokerDouble):
    async def hold(self, entries: Sequence[Entry]) -> None:
        pass


class KeepsFromOthers(BrokerDouble):
    async def claim(self, limit: int) -> list[Entry]:
        return []


class SpreadsAKey(BrokerDouble):
    async def publish(self, batch: Sequence[Message]) -> Mapping[int, str]:
        return await super().publish([message._replace(key=message.body.decode()) for message in batch])


class LosesLetters(BrokerDouble):
    async def keep_letters(self, bodies: Sequence[bytes]) -> None:
        await super().keep_letters(bodies[1:])


class KeepsOneOfEqualLetters(BrokerDouble):
    async def keep_letters(self, bodies: Sequence[bytes]) -> None:
        kept = {body for _, body in self._shared.letters.values()}
        await super().keep_letters([body for body in bodies if body not in kept])


class DeliversLetters(BrokerDouble):
    async def keep_letters(self, bodies: Sequence[bytes]) -> None:
        await super().keep_letters(bodies)
        await self.publish([Message("", body) for body in bodies])


class PagesByNumber(BrokerDouble):
    """As one who counts from the first letter that is there, wherever that is by now."""

    async def letters(self, after: str = "", limit: int = 1000) -> list[KeptLetter]:
        return (await super().letters("", 10_000))[int(after or 0) :][:limit]


@pytest.mark.parametrize(
    ("broken", "test", "arguments"),
    [
        (Forgets, "test_what_was_published_is_leased_whole", {"size": 10}),
        (HandsOutTwice, "test_consumers_share_what_there_is", {}),
        (SettlesNothing, "test_what_is_settled_is_gone_for_good", {}),
        (SettlesUpTo, "test_what_is_settled_out_of_order_leaves_exactly_the_rest", {}),
        (ClaimsFromTheLiving, "test_what_a_living_consumer_holds_is_not_claimed", {}),
        (KeepsFromOthers, "test_what_a_dead_consumer_had_is_claimed_and_counted", {}),
        (LosesLetters, "test_letters_are_kept_in_order_until_they_are_removed", {}),
        (KeepsOneOfEqualLetters, "test_a_letter_that_is_kept_again_is_another_one", {}),
        (DeliversLetters, "test_a_letter_may_be_any_bytes_and_is_no_message", {}),
        (PagesByNumber, "test_letters_are_read_page_by_page_while_some_are_removed", {}),
        (SpreadsAKey, "test_messages_of_one_key_stay_together_and_in_their_order", {}),
    ],
)
async def test_a_broker_that_breaks_the_contract_fails_the_suite(
    broken: type[BrokerDouble], test: str, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Suite(TestDouble):
        claim_after = 0.1

        def make_broker(self, place: Place) -> Broker:
            return broken(place, partitions=self.partitions, claim_after=self.claim_after)

    monkeypatch.setattr("logweir.testing.broker_contract._PATIENCE", 0.5)
    place = replace(Place("broken", owner="suite"), sink=f"broken-{test}")
    with pytest.raises(AssertionError):
        await getattr(Suite(), test)(place, **arguments)
