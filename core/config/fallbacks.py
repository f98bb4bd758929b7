"""What a `fallback` must not be: rules that span sinks, each with the key to fix. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from logweir.config.models import RoutingConfig
from logweir.config.queue_plan import audit_routes, delivered_elsewhere
from logweir.config.yaml_document import Path
from logweir.errors import MissingDependency
from logweir.settings.suggestions import did_you_mean
from logweir.sinks.contract import SinkConfig, lacking_for_retention
from logweir.sinks.tamper_evidence import Chained

__all__ = ["Contradiction", "find_impossible_fallbacks", "find_wrong_fallbacks"]

#: The path of the key to fix, and what is wrong.
Contradiction = tuple[Path, str]


def find_wrong_fallbacks(sinks: Mapping[str, SinkConfig]) -> Iterator[Contradiction]:
    """Yield what the names alone show: a sink that is not there, and a circle."""
    for name, sink in sinks.items():
        if sink.fallback is None:
            continue
        to = sink.fallback.to
        path = ("sinks", name, "fallback", "to")
        if to not in sinks:
            hint = did_you_mean(to, sinks) or "declare it under sinks"
            yield path, f"the fallback of the sink {name!r} is {to!r}, which is not declared; {hint}"
        elif circle := _circle(name, sinks):
            if name == min(circle, key=[*sinks].index):
                way = " → ".join(repr(one) for one in (*circle, name))
                yield path, f"the fallbacks form a circle: {way}; let the last of them have none"
        elif sinks[to].fallback is not None:
            what = f"the fallback {to!r} has a fallback of its own, which would not be used: what goes round "
            yield path, f"{what}{name!r} is written to {to!r} directly; name one sink that has none"


def find_impossible_fallbacks(
    config: RoutingConfig, resolve: Callable[[str], Any]
) -> Iterator[Contradiction]:
    """Yield what the sinks' kinds, their queues and the routes show."""
    for name, sink in config.sinks.items():
        if sink.fallback is not None and sink.fallback.to in config.sinks:
            yield from _chained(name, config, resolve)
            yield from _apart(name, config)
            if sink.fallback.return_:
                yield from _no_return(name, config, resolve)


def _circle(name: str, sinks: Mapping[str, SinkConfig]) -> list[str]:
    """The sinks of the circle that a sink is part of; empty if it is part of none."""
    way = [name]
    while (fallback := sinks[way[-1]].fallback) is not None and fallback.to in sinks:
        if fallback.to == name:
            return way
        if fallback.to in way:
            break
        way.append(fallback.to)
    return []


def _chained(name: str, config: RoutingConfig, resolve: Callable[[str], Any]) -> Iterator[Contradiction]:
    fallback = config.sinks[name].fallback
    audited = {sink for route in audit_routes(config.routes) for sink in route.to}
    if not config.audit.chain or fallback is None or name not in audited:
        return
    path = ("sinks", name, "fallback")
    if issubclass(resolve(config.sinks[name].type), Chained):
        problem = (
            f"audit.chain links the rows of the sink {name!r}, and rows that go elsewhere for a while are "
        )
        advice = (
            "missing from their chain; remove the fallback (a queue on disk keeps what waits), or the chain"
        )
        yield path, problem + advice
    elif fallback.return_ and issubclass(resolve(config.sinks[fallback.to].type), Chained):
        problem = (
            f"audit.chain links the rows of the fallback {fallback.to!r}, and return deletes them there, "
        )
        yield (*path, "return"), problem + "which shows as tampering; remove return, or the chain"


def _apart(name: str, config: RoutingConfig) -> Iterator[Contradiction]:
    """Whether the process that delivers to the sink can write to the fallback, and knows the queue."""
    fallback = config.sinks[name].fallback
    if fallback is None:
        return
    path = ("sinks", name, "fallback")
    elsewhere = delivered_elsewhere(config)
    if fallback.to in elsewhere and name not in elsewhere:
        problem = f"the fallback {fallback.to!r} is delivered by worker processes (deliver: elsewhere, or a "
        advice = f"broker), and {name!r} by the application, which has to write to both; deliver both alike"
        yield (*path, "to"), problem + advice
    if fallback.queue is not None and name in elsewhere:
        problem = (
            f"the sink {name!r} is delivered by worker processes, which do not know how full the queues of "
        )
        yield (*path, "queue"), problem + "the applications are; use after instead"


def _no_return(name: str, config: RoutingConfig, resolve: Callable[[str], Any]) -> Iterator[Contradiction]:
    fallback = config.sinks[name].fallback
    if fallback is None:
        return
    path, other = ("sinks", name, "fallback", "return"), config.sinks[fallback.to]
    try:
        lacking = lacking_for_retention(resolve(other.type), archive=True)
    except MissingDependency:  # where another process delivers, this one need not have the driver
        lacking = None
    if lacking:
        problem = f"return reads events from {fallback.to!r} and deletes them there, and of sinks of type "
        advice = f"{other.type} {lacking}; remove return, or let a sink of type sqlite be the fallback"
        yield path, problem + advice
    used = [f"the route {route.name!r}" for route in config.routes if fallback.to in route.to]
    used += [
        f"the sink {one!r}"
        for one, sink in config.sinks.items()
        if one != name and sink.fallback is not None and sink.fallback.to == fallback.to
    ]
    if used:
        problem = (
            f"return deletes in {fallback.to!r} what has come back to {name!r}, and {used[0]} sends there "
        )
        yield (
            path,
            problem + "too, whose events it would delete with it; give this fallback a sink of its own",
        )
