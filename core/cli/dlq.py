"""``logweir dlq``: list, show, replay and drop what no sink would take."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from logweir.cli.dead_letter_options import JsonOption, LimitOption, with_selection
from logweir.cli.dead_letter_tables import as_json, described, kept, listed
from logweir.cli.options import ROUTING_FILE, ConfigOption, checked_seconds
from logweir.cli.printable import json_printable, printable
from logweir.cli.screen import Screen
from logweir.cli.sinks import require_sink
from logweir.cli.tables import counts_by_name
from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.delivery.dead_letters import Selection
from logweir.settings.suggestions import no_such
from logweir.stores.all_dead_letters import AllDeadLetters, all_dead_letters
from logweir.stores.replay import Outcome
from logweir.stores.replay import replay as replay_letters

__all__ = ["dlq"]

_AT_ONCE = 500
#: Unreadable letters that are named one by one.
_NAMED = 10

dlq = typer.Typer(
    name="dlq",
    help="Dead letters: what no sink would take, with the reason.",
    no_args_is_help=True,
    add_completion=False,
)


@dlq.command("list")
@with_selection(ids=False)
def list_letters(
    selection: Selection,
    limit: LimitOption = 50,
    as_lines: JsonOption = False,
    config: ConfigOption = ROUTING_FILE,
) -> None:
    """List dead letters, oldest first."""
    settings = load_config(config)
    with _letters(settings, selection) as letters:
        found = letters.read(selection, limit=limit)
        if as_lines:
            for letter in found:
                typer.echo(as_json(letter))
            return
        console = Screen(highlight=False)
        if found:
            console.print(listed(found))
        if (count := letters.count(selection)) > len(found):
            console.print(f"{len(found):,} of {count:,}; --limit shows more")
        console.print(Text(kept(letters.look(), settings.dead_letters)), soft_wrap=True)


@dlq.command()
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="A letter, or an event.")],
    as_lines: JsonOption = False,
    config: ConfigOption = ROUTING_FILE,
) -> None:
    """Show a dead letter with all that is in it."""
    settings = load_config(config)
    selection = Selection(ids=(letter_id,))
    console = Screen(highlight=False)
    with _letters(settings, selection) as letters:
        for letter in letters.read(selection):
            if as_lines:
                typer.echo(as_json(letter))
            else:
                console.print(described(letter), soft_wrap=True)


@dlq.command()
@with_selection(ids=True)
def replay(
    selection: Selection,
    limit: LimitOption = None,
    to: Annotated[str | None, typer.Option("--to", help="Another sink than the letters' own.")] = None,
    timeout: Annotated[
        float,
        typer.Option(
            help="Seconds that a sink may go without an answer.", min=0.01, callback=checked_seconds
        ),
    ] = 60.0,
    as_lines: JsonOption = False,
    config: ConfigOption = ROUTING_FILE,
) -> None:
    """Send dead letters to their sink again; those that it has now are removed."""
    settings = load_config(config)
    if to is not None:
        require_sink(to, settings)
    with _letters(settings, selection) as letters:
        if not selection.ids and selection.sink is None:
            selection = replace(selection, events_only=True)
        outcome = _replay(settings, letters, selection, to, limit, timeout)
        if as_lines:
            typer.echo(_outcome_as_json(outcome))
        else:
            _report(outcome, letters)
        if not outcome.complete:
            raise typer.Exit(1)


def _replay(
    settings: RoutingConfig,
    letters: AllDeadLetters,
    selection: Selection,
    to: str | None,
    limit: int | None,
    timeout: float,
) -> Outcome:
    count = letters.count(selection)
    console = Console(stderr=True)
    with Progress(
        TextColumn("replaying"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("", total=count if limit is None else min(count, limit))
        return asyncio.run(
            replay_letters(
                settings,
                letters,
                selection,
                to=to,
                limit=limit,
                timeout=timeout,
                progress=lambda done: progress.advance(task, done),
            )
        )


@dlq.command()
@with_selection(ids=True)
def drop(
    selection: Selection,
    limit: LimitOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Without any condition.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_lines: JsonOption = False,
    config: ConfigOption = ROUTING_FILE,
) -> None:
    """Delete dead letters for good."""
    settings = load_config(config)
    if everything == (selection != Selection()):
        raise typer.BadParameter("say which letters by their ids or by conditions, or --all")
    with _letters(settings, selection) as letters:
        count = letters.count(selection)
        count = count if limit is None else min(count, limit)
        if count and not yes:
            _confirm(count)
        typer.echo(_dropped(_drop(letters, selection, limit), as_lines=as_lines))


@contextmanager
def _letters(settings: RoutingConfig, selection: Selection) -> Iterator[AllDeadLetters]:
    """The letters of this host and of the brokers; the command fails where one of these does not answer."""
    with all_dead_letters(settings, selection.sink) as letters:
        console = Console(stderr=True, highlight=False)
        for sink, reason in letters.silent.items():
            note = f"sink {sink!r}: its broker cannot be asked for dead letters: {reason}"
            console.print(Text(printable(note)), soft_wrap=True)
        for sink, number in letters.unreadable.items():
            note = f"sink {sink!r}: letters in its broker that this release cannot read: {number:,}"
            console.print(Text(printable(note)), soft_wrap=True)
        _require(letters, selection, settings)
        yield letters
        if letters.silent:
            raise typer.Exit(1)


def _confirm(count: int) -> None:
    if not _is_terminal():
        raise typer.BadParameter(f"this would delete letters for good: {count:,}; confirm with --yes")
    typer.confirm(f"Delete letters for good: {count:,}?", abort=True)


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _drop(letters: AllDeadLetters, selection: Selection, limit: int | None) -> int:
    gone = 0
    while limit is None or gone < limit:
        size = _AT_ONCE if limit is None else min(_AT_ONCE, limit - gone)
        page = letters.read(selection, limit=size)
        if not page:
            break
        gone += letters.remove([letter.id for letter in page])
    return gone


def _dropped(count: int, *, as_lines: bool) -> str:
    return json.dumps({"dropped": count}) if as_lines else f"letters dropped: {count:,}"


def _require(letters: AllDeadLetters, selection: Selection, settings: RoutingConfig) -> None:
    """Refuse sinks that nobody knows, and ids that name nothing: mistyped, or somebody was faster."""
    sink = selection.sink
    if sink and sink not in settings.sinks:
        known = [
            name for name in letters.look().letters if name
        ]  # of sinks that are not declared any more, too
        if sink not in known:
            names = dict.fromkeys((*settings.sinks, *known))
            raise typer.BadParameter(no_such("sink", sink, names))
    for one in selection.ids:
        if not letters.count(Selection(ids=(one,))):
            raise typer.BadParameter(f"there is no dead letter {one!r}; see `logweir dlq list`")


def _outcome_as_json(outcome: Outcome) -> str:
    return json_printable(
        json.dumps(
            {
                "stored": dict(outcome.stored),
                "refused": dict(outcome.refused),
                "not_answered": dict(outcome.waiting),
                "no_such_sink": dict(outcome.homeless),
                "not_replayable": outcome.unreadable,
                "errors": outcome.unanswered,
            },
            ensure_ascii=False,
        )
    )


def _report(outcome: Outcome, letters: AllDeadLetters) -> None:
    console = Screen(highlight=False)
    sinks = list(dict.fromkeys([*outcome.stored, *outcome.refused, *outcome.waiting, *outcome.homeless]))
    if sinks:
        counts = {
            sink: {
                "stored": outcome.stored[sink],
                "refused again": outcome.refused[sink],
                "not answered": outcome.waiting[sink],
            }
            for sink in sinks
        }
        console.print(counts_by_name(console, "sink", counts))
    for line in _notes(outcome, letters):
        console.print(Text(printable(line)), soft_wrap=True)


def _notes(outcome: Outcome, letters: AllDeadLetters) -> list[str]:
    notes = [f"sink {sink!r}: {reason}" for sink, reason in outcome.unanswered.items()]
    notes += [
        f"sink {sink!r} is not declared, letters left: {count:,}; --to sends them to another one"
        for sink, count in outcome.homeless.items()
    ]
    notes += [f"{one}: {why}" for one, why in list(outcome.unreadable.items())[:_NAMED]]
    if len(outcome.unreadable) > _NAMED:
        notes.append(f"letters that cannot be read either: {len(outcome.unreadable) - _NAMED:,}")
    if lines := letters.look().letters.get("", 0):
        notes.append(f"unreadable lines that wait: {lines:,} (`logweir dlq list --sink -`)")
    if not notes and not outcome.stored and not outcome.refused:
        notes.append("nothing to replay")
    return notes
