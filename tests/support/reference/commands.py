"""The page of the command line: every command with its arguments, options and exit codes, from the typer app."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import typer

from logweir.cli import app as command_line

HEAD = """\
# The command line

`logweir` reads `routing.yaml` in the current directory, or the file of `-c`. Every command has `--help`, which says what stands here;
`logweir --version` prints the version, `logweir --install-completion` lets your shell complete commands and options.

## Exit codes

What a program or a script can go by; each command below says what its own 1 means.

| code | meaning |
|---|---|
| 0 | done; nothing is wrong |
| 1 | the command did its work, and what it found or did is not well; or it could not be done: one message on stderr says why |
| 2 | the input is wrong: an option, an argument, a name that does not exist, routing.yaml, or a driver that is not installed |
| 130 | ended by Ctrl-C |
| 143 | ended by SIGTERM, of `logweir demo` and `logweir run` (which come to an orderly end first) |

A reader that closes the pipe early (`logweir query | head`) is no failure. An error that nobody foresaw is one line too;
`LOGWEIR_TRACEBACK=1` in the environment shows where it happened.
"""

#: What exit code 1 means; where a command is not named, only that it could not be done.
EXIT_1 = {
    "demo": "an event is missing, or was stored twice",
    "run": "a sink took nothing for `--timeout` seconds, or an event was dropped",
    "worker": "a worker process did not end by itself",
    "check": "a sink is down, or the dead letters cannot be read",
    "test": "a case failed",
    "query": "a sink could not be read; what the others have is shown",
    "trace": "a sink could not be read; what the others have is shown",
    "migrate": "an event was refused by the target, or is missing there",
    "archive": "something was not archived as it should be, and nothing was deleted for it",
    "restore": "a file or a row of the archive has a problem",
    "verify": "a row was changed, deleted, moved or inserted, a sink could not be read, or a process of `--jobs` ended before its work was done",
    "broker status": "nobody consumes, or more lags than `--max-lag`; 2 if the broker refuses what routing.yaml asks for",
    "bench run": "something could not be measured",
    "dlq list": "a broker does not answer",
    "dlq show": "a broker does not answer",
    "dlq replay": "a letter is left of those that were asked for, or a broker does not answer",
    "dlq drop": "a broker does not answer",
}


def page() -> str:
    """The text of the page."""
    parts = [HEAD]
    for name, command in leaves():
        parts.append("\n".join(_section(name, command)))
    return "\n".join(parts)


def leaves() -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its name below ``logweir``."""
    root = typer.main.get_command(command_line.app)
    context = typer.Context(root)
    for name in command_line.COMMANDS:
        command = root.get_command(context, name)
        if hasattr(command, "commands"):
            for below, one in command.commands.items():
                yield f"{name} {below}", one
        else:
            yield name, command


def _section(name: str, command: Any) -> Iterator[str]:
    arguments = [each for each in command.params if each.param_type_name == "argument" and not each.hidden]
    options = [each for each in command.params if each.param_type_name == "option" and not each.hidden]
    words = " ".join(["logweir", name, *(_usage(each) for each in arguments)])
    yield from (f"## logweir {name}", "", f"`{words}`", "")
    yield from (_markdown(inspect.cleandoc(command.help or "")), "")
    rows = [_row(each) for each in (*arguments, *options)]
    if rows:
        yield from (*rows, "")
    if name in EXIT_1:
        yield from (f"Exit code 1: {EXIT_1[name]}.", "")


def _usage(argument: Any) -> str:
    word = argument.metavar or argument.name.upper()
    word = word if word.startswith("[") or argument.required else f"[{word}]"
    return f"{word}..." if argument.nargs == -1 and not word.endswith("...") else word


def _row(parameter: Any) -> str:
    spelled = ", ".join(f"`{_spelled(parameter, name)}`" for name in _names(parameter))
    text = _markdown(" ".join((parameter.help or "").split()))
    return f"- {spelled}: {text}{_default(parameter)}{_choices(parameter)}"


def _names(parameter: Any) -> list[str]:
    if parameter.param_type_name == "argument":
        return [parameter.metavar or parameter.name.upper()]
    return [*sorted(parameter.opts, key=len), *parameter.secondary_opts]


def _spelled(parameter: Any, name: str) -> str:
    """An option with what it takes, once."""
    longest = max(_names(parameter), key=len)
    takes = parameter.param_type_name == "option" and not (parameter.is_flag or parameter.count)
    return f"{name} {parameter.metavar or name.lstrip('-').upper()}" if takes and name == longest else name


def _choices(parameter: Any) -> str:
    choices = getattr(parameter.type_descriptor, "choices", ())
    return f" One of {', '.join(f'`{each}`' for each in choices)}." if choices else ""


def _default(parameter: Any) -> str:
    value = parameter.default
    if parameter.required:
        return " Required."
    if value is None or callable(value) or value in ("", [], ()) or value is False:
        return ""
    return f" `{parameter.opts[0] if value is True else getattr(value, 'value', value)}` by default."


def _markdown(text: str) -> str:
    """Help as Markdown: what is an option is code."""
    return re.sub(r"(?<![`\w-])--[a-z][\w-]*", r"`\g<0>`", text.replace("``", "`"))
