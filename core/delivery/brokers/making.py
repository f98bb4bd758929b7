"""Making the broker of a queue; the only place that knows which there are."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

from logweir.delivery.brokers.contract import Broker, Place
from logweir.errors import MissingDependency
from logweir.settings.delivery import QueueConfig

__all__ = ["make_broker", "missing_extra"]

#: By type: the extra, and the package that it brings.
_NEEDS = {"redis": ("redis", "redis")}


@cache
def missing_extra(kind: str | None) -> str | None:
    """The extra that is not installed for a type of queue; None if nothing is missing."""
    extra, package = _NEEDS.get(kind or "", ("", ""))
    return extra if package and find_spec(package) is None else None


def make_broker(config: QueueConfig, place: Place) -> Broker:
    """Make the broker of a queue; nothing is connected yet.

    Raises:
        MissingDependency: Its client is not installed.
    """
    if extra := missing_extra(config.type):
        raise MissingDependency(f"queue type {config.type!r}", extra)
    from logweir.delivery.brokers.redis import RedisBroker  # noqa: PLC0415 - who has no broker has no client

    return RedisBroker(config, place)
