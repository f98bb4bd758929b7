"""``logweir explain``: which rule decides the kind of an event, which routes take it, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from logweir.cli.event_argument import parsed_event
from logweir.cli.options import ROUTING_FILE, ConfigOption
from logweir.cli.printable import json_printable, printable
from logweir.cli.screen import Screen
from logweir.cli.standard_input import standard_input
from logweir.cli.tables import table_of
from logweir.config import strategies
from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.event import LEVELS, Kind
from logweir.integrations.log_lines import Parsed
from logweir.routing.classifier import Decision
from logweir.routing.router import Explanation
from logweir.runtime.trial import Outcome, Trial
from logweir.settings.suggestions import no_such

__all__ = ["explain"]

_EXAMPLE = 'write an object such as \'{"event": "fund.refund"}\''
_STYLES = {"matched": "green", "sampled out": "yellow", "not matched": "dim", "not reached": "dim"}


def explain(
    event: Annotated[
        str,
        typer.Argument(
            help="The event as a JSON object, as a log line would hold it; - reads the lines of stdin."
        ),
    ],
    config: ConfigOption = ROUTING_FILE,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for each event, for programs.")
    ] = False,
) -> None:
    """Say where an event goes, and why; what is stored of it is shown by `logweir redact`."""
    settings = load_config(config)
    trial = Trial(settings)
    console = Screen(highlight=False)
    for parsed in _given(event):
        fields, own = parsed.fields, parsed.own
        outcome = trial(
            parsed.name, fields, parsed.level, own.kind if own else None, event_id=parsed.event_id
        )
        if as_json:
            typer.echo(json_printable(json.dumps(_document(outcome, trial, settings), ensure_ascii=False)))
        else:
            _show(outcome, trial, settings, console)


def _given(event: str) -> Iterator[Parsed]:
    """The event of the command line, or those of standard input."""
    if event != "-":
        yield _parsed(event)
        return
    for number, line in enumerate(standard_input(), 1):
        if line.strip():
            try:
                yield _parsed(line.decode("utf-8", "surrogateescape"))
            except typer.BadParameter as error:
                raise typer.BadParameter(f"line {number} of stdin: {error.message}") from None


def _parsed(event: str) -> Parsed:
    parsed = parsed_event(event, _EXAMPLE)
    _refuse_unknown(parsed)
    if not parsed.name:
        typer.echo(f"the object names no event; {_EXAMPLE.replace('an object such', 'it')}", err=True)
    return parsed


def _refuse_unknown(parsed: Parsed) -> None:
    """A level or kind that logging would not know is a slip here: the answer would be about another event."""
    for key, known in (("level", LEVELS), ("kind", [kind.value for kind in Kind])):
        value = parsed.fields.get(key)
        if value is not None and parsed.own is None and str(value) not in known:
            raise typer.BadParameter(no_such(key, str(value), known))


def _document(outcome: Outcome, trial: Trial, config: RoutingConfig) -> dict[str, Any]:
    """The answer for programs; of the event only what would be stored."""
    event, steps = outcome.event, outcome.routing.steps
    return {
        "event": event.name,
        "kind": event.kind.value,
        "level": event.level,
        "why": _why(outcome.decision, trial, config),
        "outcome": outcome.verdict,
        "routes": [
            {"route": step.route, "verdict": step.verdict, "why": step.reason, "sinks": list(step.sinks)}
            for step in steps
        ],
        "sinks": list(outcome.routing.sinks),
        "masked": [{"path": place.path, "rule": place.rule} for place in outcome.masked],
    }


def _show(outcome: Outcome, trial: Trial, config: RoutingConfig, console: Console) -> None:
    decision = outcome.decision
    why = f"kind: {decision.kind.value} ({_why(decision, trial, config)})"
    console.print(Text(printable(why)), soft_wrap=True)
    console.print(_table(outcome.routing, console))
    console.print(Text(f"sinks: {', '.join(outcome.routing.sinks) or 'none'}"), soft_wrap=True)
    if outcome.masked:
        places = ", ".join(dict.fromkeys(place.path for place in outcome.masked))
        shown = f"masked: {places}; logweir redact shows what is stored, and by which rules"
        console.print(Text(printable(shown)), soft_wrap=True)


def _why(decision: Decision, trial: Trial, config: RoutingConfig) -> str:
    """The reason, with the conditions of the rule that decided; no secret of theirs."""
    if decision.rule is None:
        return decision.reason
    reason = decision.reason
    own = len(config.classify) - len(strategies.classify_rules(config.strategy or "explicit"))
    if decision.rule >= own:
        reason = f"rule {decision.rule - own + 1} of strategy {config.strategy}"
    match = trial.conditions.masked(config.classify[decision.rule].match)
    shown = match.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return f"{reason}, match: {json.dumps(shown, ensure_ascii=False)}"


def _table(explanation: Explanation, console: Console) -> Table:
    """Reasons quote events and patterns: they are text, never markup."""
    table = table_of(console, ["route", "verdict", "why", "sinks"])
    for step in explanation.steps:
        verdict = Text(step.verdict, style=_STYLES.get(step.verdict, ""))
        table.add_row(Text(step.route), verdict, Text(printable(step.reason)), Text(", ".join(step.sinks)))
    return table
