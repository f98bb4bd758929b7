"""Sinks with fallbacks, in histories that have them: each sink one of its own, to which no route leads."""

from __future__ import annotations

from random import Random
from typing import Any

__all__ = ["fallback_of", "is_fallback", "with_fallbacks"]

Sinks = dict[str, dict[str, Any]]


def with_fallbacks(sinks: Sinks, chance: Random, *, returns: bool) -> Sinks:
    """The same sinks, each with a fallback."""
    given = {"after": chance.choice([0, 0.5, 3]), "return": returns}
    others = {fallback_of(name): {"type": "simulated", "queue": {"type": "disk"}} for name in sinks}
    return {
        name: {**sink, "fallback": {"to": fallback_of(name), **given}} for name, sink in sinks.items()
    } | others


def fallback_of(name: str) -> str:
    """The name of a sink's fallback."""
    return f"{name}!"


def is_fallback(name: str) -> bool:
    """Whether a sink is another one's fallback."""
    return name.endswith("!")
