"""``logweir graph``: classification, routes, queues and sinks as a flowchart, in Mermaid's language.

It says types and names, never a url or another option of a sink; what a condition compares with is masked as
in an event. Labels are texts: what Mermaid could take for anything else is written as its entity.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import typer

from logweir.capture.asking import snapshotter_of
from logweir.cli.options import ROUTING_FILE, ConfigOption
from logweir.cli.printable import printable
from logweir.config.loading import load_config
from logweir.config.models import MatchConfig, RouteConfig, RoutingConfig
from logweir.config.queue_plan import QueuePlan, plan_queue
from logweir.routing.conditions import compile_match
from logweir.runtime.shown_conditions import ShownConditions

__all__ = ["flowchart", "graph"]

#: What a label may hold as it is; non-ASCII letters may stand, too.
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,_-/:*")
#: The most characters of a condition; a list of a hundred names says no more than its beginning.
_LONGEST = 200


def graph(config: ConfigOption = ROUTING_FILE) -> None:
    """Print the routes as a Mermaid flowchart, from the log call to the sinks."""
    for line in flowchart(load_config(config)):
        typer.echo(line)


def flowchart(config: RoutingConfig) -> Iterator[str]:
    """Yield the lines of the flowchart of a configuration."""
    words = _Words(config)
    yield "flowchart TB"
    yield f"    event([{_label('an event')}])"
    yield from _classification(config, words)
    yield from _routes(config, words)
    yield from _sinks(config)


def _classification(config: RoutingConfig, words: _Words) -> Iterator[str]:
    yield f"    subgraph classification [{_label('classification')}]"
    yield f"        said{{{_label('does the call say its kind?')}}}"
    for number, rule in enumerate(config.classify, 1):
        yield f"        rule{number}{{{_label(words.of(rule.match))}}}"
    yield f"        audit([{_label('audit')}])"
    yield f"        tracing([{_label('tracing')}])"
    yield "    end"
    yield "    event --> said"
    yield _edge("said", "audit", "audit")
    yield _edge("said", "tracing", "tracing")
    steps = ["said", *(f"rule{number}" for number in range(1, len(config.classify) + 1)), "tracing"]
    for number, rule in enumerate(config.classify, 1):
        yield _edge(f"rule{number}", rule.kind.value, "yes")
    for before, after in itertools.pairwise(steps):
        yield _edge(before, after, "no")


def _routes(config: RoutingConfig, words: _Words) -> Iterator[str]:
    yield f"    subgraph routes [{_label('routes')}]"
    for number, route in enumerate(config.routes, 1):
        yield f"        route{number}{{{_label(f'route {route.name}', words.of(route.match))}}}"
    yield "    end"
    yield "    audit --> route1"
    yield "    tracing --> route1"
    edges = [
        edge for number, route in enumerate(config.routes, 1) for edge in _edges_of(route, number, config)
    ]
    for name, text in (("unrouted", "unrouted: counted"), ("sampled", "sampled out: counted")):
        if any(edge.endswith(f" {name}") for edge in edges):
            yield f"    {name}([{_label(text)}])"
    yield from edges


def _edges_of(route: RouteConfig, number: int, config: RoutingConfig) -> Iterator[str]:
    here = f"route{number}"
    queues = {name: f"queue{position}" for position, name in enumerate(config.sinks, 1)}
    last = number == len(config.routes)
    after = "unrouted" if last else f"route{number + 1}"
    for name in dict.fromkeys(route.to):
        yield _edge(here, queues[name], "yes" if route.sample == 1 else f"{route.sample:g} of the traces")
    if route.sample < 1:
        yield _edge(here, "sampled", "the other traces")
    if route.continue_ and not last:
        yield _edge(here, after, "yes, too")
    if route.match != MatchConfig():  # which takes everything
        yield _edge(here, after, "no")


def _sinks(config: RoutingConfig) -> Iterator[str]:
    yield f"    subgraph delivery [{_label('queues and sinks')}]"
    for number, (name, sink) in enumerate(config.sinks.items(), 1):
        yield f"        queue{number}[/{_label(*_of_queue(plan_queue(name, config)))}/]"
        yield f"        sink{number}[({_label(name, sink.type)})]"
    yield f"        dead[({_label('dead letters')})]"
    yield "    end"
    for number, name in enumerate(config.sinks, 1):
        plan = plan_queue(name, config)
        worker = plan.is_elsewhere or plan.config.goes_over_a_broker
        yield (
            _edge(f"queue{number}", f"sink{number}", "logweir worker")
            if worker
            else (f"    queue{number} --> sink{number}")
        )
        yield f"    sink{number} -.->|{_label('rejected')}| dead"
        if (fallback := config.sinks[name].fallback) is not None:
            other = [*config.sinks].index(fallback.to) + 1
            yield f"    sink{number} -.->|{_label('while it is down')}| sink{other}"


def _of_queue(plan: QueuePlan) -> Iterator[str]:
    """A queue in words: where events wait, and what happens when it is full."""
    over = f", then {plan.config.type}" if plan.config.goes_over_a_broker else ""
    yield f"queue: {plan.type}{over}"
    full = f"spill to disk, then {plan.at_last}" if plan.when_full == "spill" else plan.when_full
    yield f"at most {plan.bounds.events} events"
    yield f"when full: {full.replace('_', ' ')}"


class _Words:
    """Says conditions in words, without secrets."""

    def __init__(self, config: RoutingConfig) -> None:
        self._snapshot = snapshotter_of(config.redact, config.limits)
        self._is_secret = ShownConditions(self._snapshot).is_secret

    def of(self, match: MatchConfig) -> str:
        """The conditions of a match."""
        words = self._snapshot.text(compile_match(match, self._is_secret).describe())
        return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"


def _edge(before: str, after: str, text: str) -> str:
    return f"    {before} -->|{_label(text)}| {after}"


def _label(*lines: str) -> str:
    """A label of some lines."""
    return f'"{"<br/>".join(_escaped(line) or "(empty)" for line in lines)}"'


def _escaped(text: str) -> str:
    return "".join(_characters(printable(text).replace("\n", " ")))


def _characters(text: str) -> Iterable[str]:
    for char in text:
        yield char if char in _PLAIN or not char.isascii() else f"#{ord(char)};"
