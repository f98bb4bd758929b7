"""The command ``logweir``: its sub-commands, and how errors reach a person.

Wrong input ends with exit code 2, a failed run with 1; both with one clear message on stderr and no
traceback. A reader of our output that has seen enough (``| head``) is no failure. With
``LOGWEIR_TRACEBACK=1`` in the environment, an error that nobody foresaw is shown in full.
"""

from __future__ import annotations

import importlib
import os
import select
import shutil
import sys
from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from logweir.cli.printable import printable
from logweir.errors import UNKNOWN_FILE, ConfigError, LogweirError, MissingDependency

__all__ = ["app", "main"]

_WRONG_INPUT = 2
_FAILED = 1
_ROOM_FOR_TABLES = 80
_HELP = {"help_option_names": ["-h", "--help"]}


#: The commands in the order of the help: where each is, and what it is for, as its own help says. A command
#: is imported when it is run; for the list of all, what stands here is enough.
COMMANDS = {
    "demo": ("demo:demo", "Drive a real order service and show what landed where."),
    "run": ("run:run", "Route the lines of files (or stdin) to the sinks of routing.yaml."),
    "worker": ("worker:worker", "Deliver to sinks whose events leave the application by disk or broker."),
    "init": (
        "init:init",
        "Write a commented routing.yaml that runs with no server, and its JSON Schema for editors.",
    ),
    "check": ("check:check", "Validate routing.yaml and probe every sink."),
    "explain": (
        "explain:explain",
        "Say where an event goes, and why; what is stored of it is shown by `logweir redact`.",
    ),
    "graph": ("graph:graph", "Print the routes as a Mermaid flowchart, from the log call to the sinks."),
    "test": (
        "route_tests:check_routes",
        "Test the routes: what becomes of given events, beside what is expected; nothing is stored.",
    ),
    "redact": ("redact:redact", "Show an event as it would be stored, and which rule masks what."),
    "schema": (
        "schema:schema",
        "Print the JSON Schema of routing.yaml, for editors, or the DDL of one of its sinks.",
    ),
    "query": ("query:query", "Find events in one sink, or in all that can be read back."),
    "trace": (
        "query:trace",
        "Show one trace across all sinks, each event once, with the sinks that have it.",
    ),
    "tail": (
        "tail:tail",
        "Follow the events of one sink, or of all that can be read back; ends by Ctrl-C.",
    ),
    "migrate": (
        "migrate:migrate",
        "Copy all events of one sink into another, and prove that they are there.",
    ),
    "archive": (
        "archive:archive",
        "Archive old events as Parquet, verified before they are deleted from the sink.",
    ),
    "restore": (
        "archive:restore",
        "Put archived events back into a sink; what it has already is left alone.",
    ),
    "verify": (
        "verify:verify",
        "Verify the chains of audit rows; names each row that was changed, deleted, moved or inserted.",
    ),
    "broker": ("broker:broker", "Brokers: what carries events to worker processes."),
    "top": ("top:top", "Watch the sinks of a running process, or of all processes of a service."),
    "bench": ("bench:bench", "Measure backends under your load, and choose one."),
    "dlq": ("dlq:dlq", "Dead letters: what no sink would take, with the reason."),
}


class _Commands(TyperGroup):
    """Imports a command and runs it, and turns logweir's errors into a message and an exit code."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = {name: TyperCommand(name, help=text) for name, (_, text) in COMMANDS.items()}
        self._lists = False

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; only its name and purpose while the list of all is written."""
        if self._lists or cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        return _fit(_imported(COMMANDS[cmd_name][0]))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help without importing the commands."""
        _fit(self)
        self._lists = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._lists = False

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (ConfigError, MissingDependency) as error:
            _print_error(_message(error, ctx.obj))
            raise typer.Exit(_WRONG_INPUT) from None
        except (LogweirError, OSError) as error:
            if isinstance(error, BrokenPipeError) and _nobody_reads(sys.stdout):
                # Whoever read our output has seen enough. What is buffered goes nowhere when Python ends.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise typer.Exit from None
            _print_error(str(error))
            raise typer.Exit(_FAILED) from None


def _fit(command: Any) -> Any:
    """Return the command, whose help has no table on a narrow terminal: there it would cut the names."""
    if shutil.get_terminal_size().columns < _ROOM_FOR_TABLES:
        command.rich_markup_mode = None
        for below in getattr(command, "commands", {}).values():
            _fit(below)
    return command


def _nobody_reads(stream: Any) -> bool:
    """Whether a stream is a pipe or socket whose other end is closed, which a sink's connection is not."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # a test's, or closed
        return False
    poll = select.poll()
    poll.register(descriptor, 0)
    return bool(poll.poll(0))


def _imported(place: str) -> Any:
    """Return the command at ``module:name`` below ``logweir.cli``."""
    module, _, name = place.partition(":")
    found = getattr(importlib.import_module(f"logweir.cli.{module}"), name)
    if isinstance(found, typer.Typer):
        return typer.main.get_command(found)
    alone = typer.Typer(add_completion=False, context_settings=_HELP)
    alone.command()(found)
    return typer.main.get_command(alone)


app = typer.Typer(
    name="logweir",
    cls=_Commands,
    no_args_is_help=True,
    context_settings=_HELP,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - slow to import, and seldom asked

        typer.echo(f"logweir {version('logweir')}, Python {sys.version.partition(' ')[0]}")
        raise typer.Exit


@app.callback()
def _logweir(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Route structured logs: audit and tracing, each to the store that suits it."""


def main() -> None:
    """Run the command line."""
    try:
        app()
    except Exception as error:
        if os.environ.get("LOGWEIR_TRACEBACK"):
            raise
        from logweir.redaction.reasons import masked  # noqa: PLC0415 - slow to import, and seldom needed

        reason = masked(f"{type(error).__name__}: {error}")
        _print_error(f"unexpected {reason}; LOGWEIR_TRACEBACK=1 in the environment shows where")
        sys.exit(_FAILED)


def _message(error: LogweirError, file: str | None) -> str:
    if not isinstance(error, ConfigError):
        return str(error)
    # What shows only once the file is loaded, such as audit rows that are gone, does not know where it was.
    problems = [
        replace(item, file=file) if file and item.file == UNKNOWN_FILE else item for item in error.problems
    ]
    if len(problems) == 1:
        return str(problems[0])
    return "\n  ".join([f"{len(problems)} problems in the configuration:", *map(str, problems)])


def _print_error(message: str) -> None:
    """Write to stderr; lines are not broken, because programs and editors read places out of them."""
    text = Text("logweir: ", style="bold red").append(printable(message), style="default not bold")
    Console(stderr=True, soft_wrap=True, highlight=False).print(text)
