"""What must hold of every history."""

from __future__ import annotations

from collections.abc import Iterator

from logweir.delivery.dead_letters import DeadLetter, DeadLetters
from logweir.delivery.queue import DropReason
from simulation.fallbacks import fallback_of, is_fallback
from simulation.history import History

__all__ = ["broken_laws"]

_AFTER_ACCEPTANCE = (DropReason.QUEUE_FULL_OLDEST, DropReason.SHUTDOWN)


def broken_laws(history: History) -> list[str]:
    """The laws that a history breaks, with the facts."""
    return [
        *history.world.violations,
        *_lost(history),
        *_doubled(history),
        *_both(history),
        *_order(history),
        *_waiting(history),
        *_counts(history),
    ]


def _lost(history: History) -> Iterator[str]:
    """What was acknowledged as durable or stored is in every store, or a dead letter."""
    world = history.world
    process = world.process
    assert process is not None
    letters = {letter.event().id for letter in _letters(history)}
    for (event_id, level), sinks in world.acknowledged.items():
        for sink in sinks:
            if level != "accepted" and event_id not in history.there(sink) and event_id not in letters:
                yield f"{int(event_id, 16)} was acknowledged as {level} and is not in {sink}"


def _doubled(history: History) -> Iterator[str]:
    """What was stored is sent again only where the answer was lost."""
    world = history.world
    for name, store in list(world.stores.items()):
        # A drain that is over while what a fallback answered is being noted leaves its events to the successor.
        if is_fallback(name) and history.reloads:
            continue
        other, again = world.store(fallback_of(name)), set[str]()
        if history.returns:  # what may be in the other one, because its answer was lost, comes here once more
            again |= other.again
        if history.returns and history.reloads:  # which cut a return off before its answer is noted
            again |= other.events.keys()
        if doubled := [each for each in store.doubled if each not in again]:
            yield f"{name} got twice without a reason: {[int(each, 16) for each in doubled[:5]]}"


def _both(history: History) -> Iterator[str]:
    """What may not be in both is in one; what returns is in the sink at last."""
    for name, store in list(history.world.stores.items()):
        other = history.world.store(fallback_of(name)).there if not is_fallback(name) else set[str]()
        if history.returns and name in history.lasting and other:
            yield f"{name}: {[int(each, 16) for each in sorted(other)[:5]]} never return from its fallback"
        both = sorted((store.there & other) - store.unsure)
        if both and not history.returns:
            yield f"{[int(each, 16) for each in both[:5]]} are in {name} and in its fallback"


def _order(history: History) -> Iterator[str]:
    """A sink with one worker that never failed stores events in the order of the calls."""
    if history.crashes or history.reloads or history.interruptions or history.returns is not None:
        return
    for name, store in history.world.stores.items():
        if not store.troubled and history.workers[name] == {1}:
            for caller in sorted(set(history.caller_of.values())):
                order = [each for each in store.order if history.caller_of[each] == caller]
                if order != sorted(order):
                    yield f"{name} stored events of one caller out of order"


def _waiting(history: History) -> Iterator[str]:
    """Nothing waits while it could move."""
    for name, count in history.behind.items():
        yield f"{name}: {count} events wait behind others that are put off"
    for name, waiting in history.unsettled.items():
        yield f"{name}: {waiting} events wait, and nothing is wrong any more"
    if history.stuck:
        yield f"{len(history.stuck)} callers never come back"
    if history.waiters:
        yield f"{history.waiters} flushes are still waited for"


def _counts(history: History) -> Iterator[str]:
    """Once nothing waits: accepted = stored + duplicate + dead + dropped after acceptance."""
    # What waited for a sink that a reload removed is a dead letter of no delivery.
    given_up = {letter.sink for letter in _letters(history) if "not configured" in letter.reason}
    for name, sink in history.metrics.items():
        if name in given_up:
            continue
        if sink.restarts:
            yield f"{name}: its workers failed {sink.restarts} times"
        dropped = sum(sink.dropped.get(reason, 0) for reason in _AFTER_ACCEPTANCE)
        ended = sink.stored + sink.duplicate + sink.dead + dropped
        if sink.accepted != ended + sink.queue_depth + sink.in_flight:
            yield f"{name}: accepted {sink.accepted}, and {ended} ended: {sink}"


def _letters(history: History) -> list[DeadLetter]:
    process = history.world.process
    assert process is not None
    return [letter for place in process.directory.glob("data*") for letter in DeadLetters(place).read()]
