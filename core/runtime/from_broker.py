"""The channel of a worker process whose sink's events come over a broker."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Coroutine
from typing import Any, cast

from logweir.config.models import RoutingConfig
from logweir.config.sinks import context_of
from logweir.delivery.brokers.dead_letters import BrokerLetters
from logweir.delivery.brokers.making import make_broker, place_of
from logweir.delivery.channel import Channel
from logweir.delivery.dead_letters import DeadLetters, LetterBox
from logweir.delivery.queues.broker import BrokerQueue
from logweir.errors import ConfigError, ConfigProblem, SinkRejected, SinkUnavailable
from logweir.runtime.fallbacks import with_fallback
from logweir.runtime.pipeline import Surroundings
from logweir.settings.delivery import Bounds
from logweir.sinks import registry
from logweir.sinks.threaded import as_async

__all__ = ["channel_from_broker", "letters_of_broker", "refuse_others_streams"]

#: Batches in hand for each worker: one is written and one is settled while the next ones come.
_AHEAD = 8


def channel_from_broker(
    name: str, config: RoutingConfig, around: Surroundings, dead_letters: LetterBox
) -> Channel:
    """Make the channel that delivers from the broker to the sink itself; nothing is opened yet.

    Whoever cancels it instead of letting it finish awaits :meth:`BrokerQueue.end` of its queue, so that
    others get at once what it held.

    Raises:
        MissingDependency: The broker's client, or the sink's, is not installed.
    """
    sink = config.sinks[name]
    context = context_of(name, config, workers=sink.workers)
    room = Bounds(_AHEAD * sink.workers * sink.batch.max_events, _AHEAD * sink.workers * sink.batch.max_bytes)
    queue = BrokerQueue(
        make_broker(sink.queue, place_of(sink.type, context, consumes=True)),
        name,
        sink.queue.claim_after,
        room,
        sink.retry,
        dead_letters,
        around.wake,
        clock=around.clock.monotonic,
    )
    sink_class = cast(Any, registry.resolve(sink.type))
    return Channel(
        name,
        sink,
        with_fallback(name, config, as_async(sink_class(sink, context)), around.clock),
        queue,
        None,
        room,
        dead_letters,
        around.receipts,
        around.clock,
    )


def letters_of_broker(
    name: str,
    config: RoutingConfig,
    local: DeadLetters,
    on_loop: Callable[[Coroutine[Any, Any, None], float], None],
    expired: Counter[str],
) -> BrokerLetters:
    """The dead letters of a sink behind a broker; see :class:`BrokerLetters`."""
    sink = config.sinks[name]
    broker = make_broker(sink.queue, place_of(sink.type, context_of(name, config)))
    return BrokerLetters(broker, name, local, config.dead_letters, on_loop, expired)


def refuse_others_streams(config: RoutingConfig, names: Collection[str]) -> None:
    """Ask the brokers of these sinks whether they hold what belongs to this configuration; blocks.

    A broker that is away is not asked: its queue tries to open it again and again.

    Raises:
        ConfigError: One refuses: the stream is another's, partitions were lowered, or the login is wrong.
    """
    problems = [
        ConfigProblem(reason, f"sinks.{name}.queue")
        for name in names
        if config.sinks[name].queue.goes_over_a_broker and (reason := asyncio.run(_refusal(name, config)))
    ]
    if problems:
        raise ConfigError(problems)


async def _refusal(name: str, config: RoutingConfig) -> str:
    sink = config.sinks[name]
    broker = make_broker(sink.queue, place_of(sink.type, context_of(name, config)))
    try:
        async with asyncio.timeout(sink.retry.timeout):
            await broker.open()
    except SinkRejected as error:
        return str(error)
    except (SinkUnavailable, TimeoutError):
        return ""
    finally:
        await broker.close()
    return ""
