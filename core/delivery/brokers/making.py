"""Making the broker of a queue; the only place that knows which there are."""

from __future__ import annotations

import os
import socket
from uuid import uuid4

from logweir.delivery.brokers.contract import Broker, Place
from logweir.errors import MissingDependency
from logweir.settings.brokers import missing_extra
from logweir.settings.delivery import QueueConfig
from logweir.sinks.contract import SinkContext

__all__ = ["make_broker", "place_of", "require_client"]


def make_broker(config: QueueConfig, place: Place) -> Broker:
    """Make the broker of a queue; nothing is connected yet.

    Raises:
        MissingDependency: Its client is not installed.
    """
    require_client(config)
    if config.type == "kafka":
        from logweir.delivery.brokers.kafka import KafkaBroker  # noqa: PLC0415 - as below

        return KafkaBroker(config, place)
    from logweir.delivery.brokers.redis import RedisBroker  # noqa: PLC0415 - who has no broker has no client

    return RedisBroker(config, place)


def require_client(config: QueueConfig) -> None:
    """See that the client of a queue's broker is installed.

    Raises:
        MissingDependency: It is not.
    """
    if extra := missing_extra(config.type):
        raise MissingDependency(f"queue type {config.type!r}", extra)


def place_of(kind: str, context: SinkContext, *, consumes: bool = False) -> Place:
    """Whose messages they are, the same for who publishes and who consumes.

    Args:
        kind: The sink's type.
        context: What the sink may know of the process: its name, the service and the environment.
        consumes: Whether the broker is for a worker, which gets a name of its own.
    """
    owner = f"sink {context.name} of type {kind}, service {context.service}, env {context.env}"
    consumer = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}" if consumes else ""
    return Place(context.name, context.service, context.env, owner, consumer)
