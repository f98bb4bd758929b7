"""Which sinks chain the rows of audit, and what `audit.chain` must not be combined with. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from logweir.config.models import RoutingConfig
from logweir.config.queue_plan import audit_routes
from logweir.config.yaml_document import Path
from logweir.sinks.contract import SinkConfig
from logweir.sinks.shared.destinations import template_of
from logweir.sinks.tamper_evidence import Chained

__all__ = ["can_chain", "find_impossible_chains"]


def can_chain(sink: SinkConfig, resolve: Callable[[str], Any]) -> bool:
    """Whether a sink can chain its rows: it is relational, and its rows stand in one table."""
    return issubclass(resolve(sink.type), Chained) and template_of(sink) is None


def find_impossible_chains(
    config: RoutingConfig, resolve: Callable[[str], Any]
) -> Iterator[tuple[Path, str]]:
    """Yield where rows are to be chained and could not be."""
    if not config.audit.chain:
        return
    names = [*dict.fromkeys(name for route in audit_routes(config.routes) for name in route.to)]
    relational = [name for name in names if issubclass(resolve(config.sinks[name].type), Chained)]
    if not relational:
        problem = "audit.chain links rows of relational sinks, and no audit route leads to one; "
        advice = "send audit to a sink of type sqlite, mysql or postgresql, or remove chain"
        yield ("audit", "chain"), problem + advice
    for name in relational:
        template = template_of(config.sinks[name])
        if template is not None:
            problem = (
                f"audit.chain links the rows of one table, and {template.text!r} spreads those of the sink "
            )
            yield (
                ("sinks", name, "table"),
                f"{problem}{name!r} over many; write a fixed name, or remove chain",
            )
