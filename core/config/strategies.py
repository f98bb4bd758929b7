"""Strategies: classify rules and routes for the three stages through which most services go.

``explicit`` (V1) audits what says so itself. ``hybrid`` (V2) adds rules that find what must be audited.
``separated`` (V3) sends audit to the relational store and tracing to the stores that search fast. All use
sinks by name: ``audit_db`` and ``logs``; ``separated`` also ``search``, which gets errors, and ``documents``,
which gets all tracing, where they are declared.

What a preset adds comes after the rules and routes of the file, so that those win: a route of the preset
whose name is taken, or which can get no event any more, is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from logweir.config.models import ClassifyRule, MatchConfig, RouteConfig
from logweir.config.reachability import covering

__all__ = ["STRATEGIES", "classify_rules", "routes"]

#: The names of the strategies, in the order of the stages.
STRATEGIES = ("explicit", "hybrid", "separated")

_AUDIT_RULES = [
    {"event": ["fund.*", "payment.*", "permission.*", "role.*"]},
    {"field": {"name": "user_role", "in": ["admin", "root"]}},
]


def classify_rules(strategy: str) -> list[ClassifyRule]:
    """Return the classify rules that a strategy adds."""
    if strategy == "explicit":
        return []
    return [ClassifyRule.model_validate({"kind": "audit", "match": match}) for match in _AUDIT_RULES]


def routes(strategy: str, own: Sequence[RouteConfig], sinks: Collection[str]) -> list[RouteConfig]:
    """Return the routes that a strategy adds.

    Args:
        strategy: Its name.
        own: The routes of the file.
        sinks: The names of the declared sinks.
    """
    added: list[RouteConfig] = []
    taken = {route.name for route in own}
    for route in _routes(strategy, sinks):
        if route.name not in taken and not covering([*own, *added], route.match):
            added.append(route)
    return added


def _routes(strategy: str, sinks: Collection[str]) -> list[RouteConfig]:
    audit = _route("audit", {"kind": "audit"}, ["audit_db"])
    if strategy != "separated":
        return [audit, _route("tracing", {"kind": "tracing"}, ["logs"])]
    everything_to = ["logs", "documents"] if "documents" in sinks else ["logs"]
    errors_to = ["search", *everything_to] if "search" in sinks else everything_to
    return [
        audit,
        _route("errors", {"kind": "tracing", "level": ">=error"}, errors_to),
        _route("rest", {"kind": "tracing"}, everything_to),
    ]


def _route(name: str, match: dict[str, str], to: list[str]) -> RouteConfig:
    return RouteConfig(name=name, match=MatchConfig.model_validate(match), to=to)
