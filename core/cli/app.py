"""The command ``logweir``: its sub-commands, and how errors reach a person.

Wrong input ends with exit code 2, a failed run with 1; both with one clear message on stderr and no
traceback. With ``LOGWEIR_TRACEBACK=1`` in the environment, an error that nobody foresaw is shown in full.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from logweir.cli.archive import archive, restore
from logweir.cli.bench import bench
from logweir.cli.check import check
from logweir.cli.demo import demo
from logweir.cli.dlq import dlq
from logweir.cli.explain import explain
from logweir.cli.init import init
from logweir.cli.migrate import migrate
from logweir.cli.printable import printable
from logweir.cli.query import query, trace
from logweir.cli.redact import redact
from logweir.cli.run import run
from logweir.cli.schema import schema
from logweir.cli.tail import tail
from logweir.cli.top import top
from logweir.cli.verify import verify
from logweir.errors import ConfigError, LogweirError, MissingDependency

__all__ = ["app", "main"]

_WRONG_INPUT = 2
_FAILED = 1


class _Commands(TyperGroup):
    """Runs a command, and turns logweir's errors into a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (ConfigError, MissingDependency) as error:
            _print_error(_message(error))
            raise typer.Exit(_WRONG_INPUT) from None
        except BrokenPipeError:
            raise  # whoever read our output has seen enough; typer ends quietly
        except (LogweirError, OSError) as error:
            _print_error(str(error))
            raise typer.Exit(_FAILED) from None


app = typer.Typer(
    name="logweir",
    help="Route structured logs: audit and tracing, each to the store that suits it.",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_COMMANDS = (
    demo,
    run,
    init,
    check,
    explain,
    redact,
    schema,
    query,
    trace,
    tail,
    migrate,
    archive,
    restore,
    verify,
    top,
)
for command in _COMMANDS:
    app.command()(command)
app.add_typer(bench, name="bench")
app.add_typer(dlq)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except Exception as error:
        if os.environ.get("LOGWEIR_TRACEBACK"):
            raise
        _print_error(
            f"unexpected {type(error).__name__}: {error}; LOGWEIR_TRACEBACK=1 in the environment shows where"
        )
        sys.exit(_FAILED)


def _message(error: LogweirError) -> str:
    if isinstance(error, ConfigError) and len(error.problems) > 1:
        return "\n  ".join(
            [f"{len(error.problems)} problems in the configuration:", *map(str, error.problems)]
        )
    return str(error)


def _print_error(message: str) -> None:
    """Write to stderr; lines are not broken, because programs and editors read places out of them."""
    text = Text("logweir: ", style="bold red").append(printable(message), style="default not bold")
    Console(stderr=True, soft_wrap=True, highlight=False).print(text)
