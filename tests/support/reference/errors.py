"""The page of the error classes, from the docstrings of core/errors.py."""

import inspect
import re
from collections.abc import Iterator

from logweir import errors

HEAD = """\
# Errors

What logweir raises: one class for each thing that a caller can do about it. A message gives the fact, the place and the next step, and never a
secret. All are in `logweir.errors`, most in `logweir` too. In a command an error is one line, and its exit code is 2 for `ConfigError` and
`MissingDependency`, 1 for the others: see [the command line](commands.md#exit-codes).
"""


def page() -> str:
    """The text of the page."""
    classes = [found for name in errors.__all__ if issubclass(found := getattr(errors, name), Exception)]
    return "\n".join([HEAD, *("\n".join(_section(one)) for one in sorted(classes, key=_place))])


def _place(error: type) -> list[str]:
    """Classes stand behind their base."""
    return [each.__name__ for each in reversed(error.__mro__)]


def _section(error: type[Exception]) -> Iterator[str]:
    yield from (f"## {error.__name__}", "")
    base = error.__bases__[0]
    if base is not Exception:
        yield from (f"A [{base.__name__}](#{base.__name__.lower()}).", "")
    yield from (_markdown(inspect.cleandoc(error.__doc__ or "")), "")


def _markdown(text: str) -> str:
    """A Google docstring as Markdown: its sections are lists."""
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text).replace("``", "`")
    lines = []
    for line in text.splitlines():
        found = re.match(r"    (\w+): (.*)", line)
        if re.fullmatch(r"(Args|Attributes):", line):
            lines += ["Attributes:", ""]
        elif found:
            lines.append(f"- `{found[1]}`: {found[2]}")
        else:
            lines.append(line)
    return "\n".join(lines)
