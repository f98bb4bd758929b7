"""What would become of an event: its kind, what is masked in it, its routes and sinks. Nothing is stored.

It is made by the very parts that a runtime is made of, so that ``logweir explain`` and ``logweir test``
answer as the application would. Only ``sample`` may be fixed, for an answer that is always the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from logweir.capture.enriching import EnrichingCapture
from logweir.config.models import RouteConfig, RoutingConfig
from logweir.event import Event, Kind
from logweir.redaction.scan import Masked
from logweir.routing.classifier import Classifier, Decision
from logweir.routing.router import Explanation, Router
from logweir.runtime.pipeline import capture_of
from logweir.runtime.shown_conditions import ShownConditions

__all__ = ["Outcome", "Sampling", "Trial", "Verdict", "id_of_seed"]

#: What ``sample`` does: ``always`` keeps, ``never`` leaves out; ``by id`` is as in production.
Sampling = Literal["always", "never", "by id"]
Verdict = Literal["routed", "sampled", "unrouted"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What would become of one event.

    Attributes:
        event: As it would be stored.
        decision: Its kind, and why.
        routing: Each route's answer, and the sinks.
        masked: Each secret in it.
    """

    event: Event
    decision: Decision
    routing: Explanation
    masked: tuple[Masked, ...]

    @property
    def routes(self) -> tuple[str, ...]:
        """The routes that take it."""
        return tuple(step.route for step in self.routing.steps if step.verdict == "matched")

    @property
    def verdict(self) -> Verdict:
        """Whether it goes to sinks, was left out by ``sample``, or no route takes it."""
        if self.routing.sinks:
            return "routed"
        left_out = any(step.verdict == "sampled out" for step in self.routing.steps)
        return "sampled" if left_out else "unrouted"


class Trial:
    """Says what a configuration would do with events.

    Args:
        config: The configuration.
        sampling: What ``sample`` does.

    Attributes:
        conditions: What of the configuration's conditions may be shown.
    """

    def __init__(self, config: RoutingConfig, sampling: Sampling = "by id") -> None:
        self._static = config.fields
        self._classifier = Classifier(config.classify)
        self._capture = capture_of(config, self._classifier)
        routes = [_sampling_as(route, sampling) for route in config.routes]
        self.conditions = ShownConditions(self._capture.snapshot)
        self._router = Router(routes, {name: name for name in config.sinks}, self.conditions.is_secret)

    def __call__(
        self,
        name: str,
        fields: Mapping[str, Any],
        level: str,
        kind: Kind | None = None,
        event_id: str | None = None,
    ) -> Outcome:
        """Say what would become of the event of one call.

        Args:
            name: What happened.
            fields: Those of the call.
            level: Its level.
            kind: What the call says about its kind, where that is not among its fields.
            event_id: Its id, by which it is sampled where it has no trace.
        """
        given = dict(fields)
        if kind is not None:
            given["kind"] = kind.value
        # What the rules see: static fields, and what the functions of `enrich` have added.
        seen = {**self._static, **given}
        if isinstance(self._capture, EnrichingCapture):
            seen = {**self._static, **self._capture.enrichers(name, dict(given), level)}
        decision = self._classifier.explain(level, name, seen)
        event = self._capture(name, given, level, event_id=event_id)
        _, masked = self._capture.snapshot.explain(seen, name)
        return Outcome(event, decision, self._router.explain(event), tuple(masked))


def id_of_seed(seed: int, name: str) -> str:
    """Return an event id that is always the same for a seed and a name."""
    digest = hashlib.sha256(f"{seed}:{name}".encode("utf-8", "backslashreplace")).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-7{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"


def _sampling_as(route: RouteConfig, sampling: Sampling) -> RouteConfig:
    if sampling == "by id" or route.sample in {0.0, 1.0}:  # which is certain in production, too
        return route
    return route.model_copy(update={"sample": 1.0 if sampling == "always" else 0.0})
