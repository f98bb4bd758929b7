"""``logweir explain``: which rule decides the kind of an event, which routes take it, and why."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from logweir.capture.asking import snapshotter_of
from logweir.capture.capture import Capture
from logweir.cli.event_argument import parsed_event
from logweir.cli.options import ROUTING_FILE, ConfigOption
from logweir.cli.printable import printable
from logweir.config import strategies
from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.event import LEVELS, Kind
from logweir.integrations.log_lines import Parsed
from logweir.routing.classifier import Classifier, Decision, take_explicit
from logweir.routing.router import Explanation, Router

__all__ = ["explain"]

_EXAMPLE = 'write an object such as \'{"event": "fund.refund"}\''
_STYLES = {"matched": "green", "sampled out": "yellow", "not matched": "dim", "not reached": "dim"}


def explain(
    event: Annotated[str, typer.Argument(help="The event as a JSON object, as a log line would hold it.")],
    config: ConfigOption = ROUTING_FILE,
) -> None:
    """Say where an event goes, and why; what is stored of it is shown by ``logweir redact``."""
    settings = load_config(config)
    parsed = _parsed(event)
    decision, explanation = _explain(settings, parsed)
    console = Console(highlight=False)
    console.print(
        Text(printable(f"kind: {decision.kind.value} ({_why(decision, settings)})")), soft_wrap=True
    )
    console.print(_table(explanation))
    console.print(Text(f"sinks: {', '.join(explanation.sinks) or 'none'}"), soft_wrap=True)
    _, masked = snapshotter_of(settings.redact, settings.limits).explain(dict(parsed.fields), parsed.name)
    if masked:
        places = ", ".join(dict.fromkeys(place.path for place in masked))
        shown = f"masked: {places}; logweir redact shows what is stored, and by which rules"
        console.print(Text(printable(shown)), soft_wrap=True)


def _parsed(event: str) -> Parsed:
    parsed = parsed_event(event, _EXAMPLE)
    _refuse_unknown(parsed)
    return parsed


def _refuse_unknown(parsed: Parsed) -> None:
    """A level or kind that logging would not know is a slip here: the answer would be about another event."""
    for key, known in (("level", LEVELS), ("kind", [kind.value for kind in Kind])):
        value = parsed.fields.get(key)
        if value is not None and parsed.own is None and value not in known:
            raise typer.BadParameter(f"{key} {value!r} is none that is known; write {', '.join(known)}")


def _explain(config: RoutingConfig, parsed: Parsed) -> tuple[Decision, Explanation]:
    classifier = Classifier(config.classify)
    fields = dict(parsed.fields)
    if parsed.own is not None:
        fields["kind"] = parsed.own.kind.value
    decision = classifier.explain(parsed.level, parsed.name, fields)
    capture = Capture(
        config.service,
        config.env,
        take_explicit,
        classifier.classify,
        snapshotter_of(config.redact, config.limits),
    )
    made = capture(parsed.name, fields, parsed.level, event_id=parsed.event_id)
    router = Router(config.routes, {name: name for name in config.sinks})
    return decision, router.explain(made)


def _why(decision: Decision, config: RoutingConfig) -> str:
    """The reason, with the conditions of the rule that decided."""
    if decision.rule is None:
        return decision.reason
    reason = decision.reason
    own = len(config.classify) - len(strategies.classify_rules(config.strategy or "explicit"))
    if decision.rule >= own:
        reason = f"rule {decision.rule - own + 1} of strategy {config.strategy}"
    match = config.classify[decision.rule].match.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return f"{reason}, match: {json.dumps(match, ensure_ascii=False)}"


def _table(explanation: Explanation) -> Table:
    """Reasons quote events and patterns: they are text, never markup."""
    table = Table("route", "verdict", "why", "sinks")
    for step in explanation.steps:
        verdict = Text(step.verdict, style=_STYLES.get(step.verdict, ""))
        table.add_row(Text(step.route), verdict, Text(printable(step.reason)), Text(", ".join(step.sinks)))
    return table
