"""Rules that span keys: what is valid key by key and still cannot be meant. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from logweir.config.fallbacks import Contradiction, find_wrong_fallbacks
from logweir.config.models import MatchConfig, RouteConfig, RoutingConfig
from logweir.config.queue_plan import audit_routes, delivered_elsewhere
from logweir.config.reachability import covering
from logweir.event import Kind
from logweir.settings.brokers import missing_extra
from logweir.settings.suggestions import did_you_mean
from logweir.sinks.contract import SinkConfig
from logweir.sinks.registry import is_idempotent

__all__ = ["RouteAt", "find_contradictions", "find_doubts", "find_unkept_promises"]


@dataclass(frozen=True, slots=True)
class RouteAt:
    """A route and its position in the list."""

    index: int
    route: RouteConfig


def find_contradictions(routes: Sequence[RouteAt], sinks: Mapping[str, SinkConfig]) -> list[Contradiction]:
    """Return what cannot work, each with the path of the key to fix."""
    return [
        *_unknown_sinks(routes, sinks),
        *_duplicate_names(routes),
        *_unreachable(routes),
        *_dropped_audit(routes, sinks),
        *_missing_clients(sinks),
        *find_wrong_fallbacks(sinks),
    ]


def find_unkept_promises(config: RoutingConfig) -> list[Contradiction]:
    """Return what audit calls are to wait for and never learn, with the path of the key to fix."""
    if config.audit.acknowledge != "stored":
        return []
    audited = {name for route in audit_routes(config.routes) for name in route.to}
    text = (
        "acknowledge: stored waits for the sink {!r}, to which another process delivers (deliver: elsewhere, "
        "or a broker) that does not report back to the caller; use durable, or deliver: here"
    )
    unreported = sorted(audited & delivered_elsewhere(config))
    return [(("audit", "acknowledge"), text.format(name)) for name in unreported]


def find_doubts(config: RoutingConfig) -> list[str]:
    """Return what works and is probably not meant, for ``logweir check``."""
    doubts = []
    if not audit_routes(config.routes):
        doubts.append("no route takes audit events; add one with match: {kind: audit}")
    if not covering(config.routes, MatchConfig(kind=Kind.TRACING)):
        doubts.append(
            "some tracing events are taken by no route; they are counted as unrouted and not stored"
        )
    audited = {name for route in audit_routes(config.routes) for name in route.to}
    doubts += [
        f"audit events wait in memory for the sink {name!r} and are lost with the process; "
        "say queue: {type: disk}"
        for name, sink in config.sinks.items()
        if name in audited
        and ("memory" in {sink.queue.type, sink.queue.local} or sink.queue.when_full == "spill")
    ]
    doubts += [
        f"audit events go to the sink {name!r}, whose store keeps an event twice that is sent twice (at "
        "least once); send audit to a store that knows ids"
        for name, sink in config.sinks.items()
        if name in audited and not is_idempotent(sink.type)
    ]
    used = {name for route in config.routes for name in route.to}
    used |= {sink.fallback.to for sink in config.sinks.values() if sink.fallback is not None}
    doubts += [f"no route sends to the sink {name!r}" for name in config.sinks if name not in used]
    doubts += [
        f"the fallback of the sink {name!r} is {sink.fallback.to!r} of type null, which forgets all it gets"
        for name, sink in config.sinks.items()
        if sink.fallback is not None and config.sinks[sink.fallback.to].type == "null"
    ]
    doubts += [
        f"the sink {name!r} gives events up after {sink.retry.max_attempts} attempts, which may be before "
        "its fallback gets them; remove retry.max_attempts"
        for name, sink in config.sinks.items()
        if sink.fallback is not None and sink.retry.max_attempts is not None
    ]
    doubts += [
        f"redact.except: the name {name!r} is no secret's, so that this changes nothing"
        for name in config.redact.needless_exceptions()
    ]
    return doubts


def _unknown_sinks(routes: Sequence[RouteAt], sinks: Mapping[str, SinkConfig]) -> Iterator[Contradiction]:
    for item in routes:
        for position, name in enumerate(item.route.to):
            if name not in sinks:
                hint = did_you_mean(name, sinks) or "declare it under sinks"
                yield (
                    ("routes", item.index, "to", position),
                    f"route {item.route.name!r} sends to {name!r}, which is not declared; {hint}",
                )


def _duplicate_names(routes: Sequence[RouteAt]) -> Iterator[Contradiction]:
    seen: set[str] = set()
    for item in routes:
        if item.route.name in seen:
            yield (
                ("routes", item.index, "name"),
                f"two routes are named {item.route.name!r}; rename one of them",
            )
        seen.add(item.route.name)


def _unreachable(routes: Sequence[RouteAt]) -> Iterator[Contradiction]:
    for position, item in enumerate(routes):
        above = covering([earlier.route for earlier in routes[:position]], item.route.match)
        if above:
            names = " and ".join(repr(route.name) for route in above)
            verb = "takes" if len(above) == 1 else "take"
            message = f"route {item.route.name!r} is never reached: {names} {verb} its events first; "
            yield ("routes", item.index), message + "move it up, narrow the other, or let that one continue"


def _missing_clients(sinks: Mapping[str, SinkConfig]) -> Iterator[Contradiction]:
    for name, sink in sinks.items():
        if (extra := missing_extra(sink.queue.type)) and not sink.queue.is_forwarded_elsewhere:
            message = f"queue type {sink.queue.type!r} needs a client that is not installed; type: "
            yield ("sinks", name, "queue", "type"), f"{message}pip install 'logweir[{extra}]'"


def _dropped_audit(routes: Sequence[RouteAt], sinks: Mapping[str, SinkConfig]) -> Iterator[Contradiction]:
    auditing = audit_routes([item.route for item in routes])
    for name, sink in sinks.items():
        policy = sink.queue.when_full
        feeding = [route for route in auditing if name in route.to]
        if policy not in {"drop_newest", "drop_oldest"} or not feeding:
            continue
        route = feeding[0]
        hint = "use block"
        if route.match.kind is not Kind.AUDIT:
            hint += ", or send audit elsewhere: add kind: tracing to the route's match"
        yield (
            ("sinks", name, "queue", "when_full"),
            f"when_full: {policy} would drop audit events of route {route.name!r}; {hint}",
        )
