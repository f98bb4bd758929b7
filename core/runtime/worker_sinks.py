"""Which sinks a worker process serves, alone or as one of several that divide them. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from logweir.config.models import RoutingConfig
from logweir.config.queue_plan import delivered_elsewhere
from logweir.errors import ConfigError, ConfigProblem
from logweir.settings.suggestions import no_such

__all__ = ["Share", "divided", "sinks_to_deliver"]


_NONE_DELIVERED = (
    "no sink is delivered elsewhere; add queue: {type: disk, deliver: elsewhere}, or a queue over a broker, "
    "to one"
)
_NONE_FORWARDED = (
    "no sink is forwarded by a worker; add deliver: elsewhere to a queue over a broker, or leave out "
    "--forward"
)


class Share(NamedTuple):
    """One process of several.

    All of them deliver to each sink behind a broker, which shares its events among them. Sinks that are
    delivered from this host's disk have one worker at a time: these are divided.

    Attributes:
        number: Which one, from 0 on.
        of: How many there are.
    """

    number: int
    of: int


def sinks_to_deliver(
    config: RoutingConfig,
    wanted: Collection[str] = (),
    share: Share | None = None,
    *,
    forward: bool = False,
) -> list[str]:
    """The sinks that a worker is for: those delivered elsewhere, or of these the wanted ones.

    Args:
        config: The configuration.
        wanted: The wanted ones.
        share: Whose part of them is asked for, if several processes divide them.
        forward: Whether it is to forward to brokers what applications of this host put on its disk.

    Raises:
        ConfigError: There is none, or one wanted is not delivered, or forwarded, elsewhere.
    """
    if forward:
        elsewhere = {name for name, sink in config.sinks.items() if sink.queue.is_forwarded_elsewhere}
    else:
        elsewhere = delivered_elsewhere(config)
    problems = [
        ConfigProblem(_why_not(name, config, forward=forward), "sinks")
        for name in wanted
        if name not in elsewhere
    ]
    if not elsewhere:
        problems.append(ConfigProblem(_NONE_FORWARDED if forward else _NONE_DELIVERED, "sinks"))
    if problems:
        raise ConfigError(problems)
    names = [name for name in config.sinks if name in (wanted or elsewhere)]
    if share is None:
        return names
    all_divided = divided(config, names, forward=forward)
    mine = all_divided[share.number :: share.of]
    return [name for name in names if name in mine or name not in all_divided]


def divided(config: RoutingConfig, names: Collection[str], *, forward: bool = False) -> list[str]:
    """Those of these sinks that have one worker at a time on a host; the processes of a group divide them."""
    return [name for name in names if forward or not config.sinks[name].queue.goes_over_a_broker]


def _why_not(name: str, config: RoutingConfig, *, forward: bool) -> str:
    if name not in config.sinks:
        return no_such("sink", name, config.sinks)
    if forward:
        return (
            f"sink {name!r} is not forwarded by a worker; add deliver: elsewhere to its queue over a broker, "
            "or leave it out"
        )
    return (
        f"sink {name!r} is delivered by the application itself; add deliver: elsewhere to its queue, "
        "or leave it out here"
    )
