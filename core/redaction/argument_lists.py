"""Commands as lists of their arguments, as ``subprocess`` takes them: ``["mysql", "-pS"]``.

Which argument is a secret is known by the program and the options before it, so the list is read as the text
that it would be in a traceback, and taken apart again.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from logweir.redaction.command_lines import PROGRAMS
from logweir.redaction.scan import MASK

__all__ = ["is_command", "masked_arguments"]

#: Beside those with options of one letter: whose secret has a place of its own, what runs
#: others, and commands of Redis.
_BY_PLACE = frozenset(
    [
        "vault",
        "cargo",
        "npm",
        "heroku",
        "htpasswd",
        "net",
        "rabbitmqctl",
        "snyk",
        "ngrok",
        "poetry",
        "composer",
        "kubectl",
        "sudo",
        "doas",
        "env",
        "nohup",
        "time",
        "timeout",
        "AUTH",
        "HELLO",
        "CONFIG",
    ]
)
_LONGEST_PROGRAM = 64
_LONGEST = 8192
_PROGRAMS = PROGRAMS | _BY_PLACE


def is_command(first: object) -> bool:
    """Return whether the first of several texts is a program to which secrets are given as arguments."""
    return type(first) is str and len(first) <= _LONGEST_PROGRAM and first.rpartition("/")[2] in _PROGRAMS


def masked_arguments(arguments: Sequence[object], redacted: Callable[[str], str]) -> Sequence[object]:
    """Return the arguments of a command without its secrets; those that are no command as they are.

    Args:
        arguments: The program first.
        redacted: Returns a text without its secrets.
    """
    texts = [argument for argument in arguments if type(argument) is str]
    if len(texts) < len(arguments) or sum(map(len, texts)) > _LONGEST:
        return arguments
    text = repr(texts)
    masked = redacted(text)
    if masked == text:
        return arguments
    try:
        read = ast.literal_eval(masked)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        read = None
    # A secret that took a quote or a comma with it: no argument can be believed to be whole.
    return read if type(read) is list and len(read) == len(texts) else [texts[0], MASK]
