"""Variables in routing.yaml: ``${VAR}``, ``${VAR:-default}``, ``${file:path}``; ``$$`` is a dollar sign.

A file's content is taken without its last line end, as secrets mounted by Docker and Kubernetes have one.
Relative files are looked for beside routing.yaml.

A variable in the user or the password of a URL may hold any text: what cannot stand there is written as
``%XX``. A value that has been written so already is taken as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

__all__ = ["InterpolationError", "files_named_in", "interpolate", "is_one_variable", "variables_in"]

# `$$` comes first, so that `$${NAME}` is the text `${NAME}`; a `$` with nothing behind it is left alone.
_VARIABLE = re.compile(r"\$(?:\$|\{(?:([^{}]*)\})?)")
_UNCLOSED = "a ${ here is not closed by a }; write ${NAME}, ${NAME:-default} or ${file:path}, or $$ for $"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: What stands before the host of a URL, as it is written: with its variables.
_USERINFO = re.compile(r"://((?:\$\{[^{}]*\}|[^/?#\s{}])*)@")
#: As encoders write it: with %XX for what needs it, and for nothing else. No encoder writes %41 for an A.
_ENCODED = re.compile(
    r"(?:[\w.~!$&'()*+,;=-]|%(?![46][1-9A-F]|[57][0-9A]|3[0-9]|2[DE]|5F|7E)[0-9A-F]{2})+",
    re.ASCII | re.IGNORECASE,
)


class InterpolationError(ValueError):
    """A variable cannot be filled in; the message says which and what to do."""


def interpolate(text: str, environment: Mapping[str, str], directory: Path) -> str:
    """Fill in the variables of one value.

    Raises:
        InterpolationError: A variable is missing or malformed, or a file cannot be read.
    """
    credentials = [match.span(1) for match in _USERINFO.finditer(text)]

    def filled(match: re.Match[str]) -> str:
        value = _fill(match, environment, directory)
        for start, end in credentials:
            if match[1] is not None and start <= match.start() and match.end() <= end:
                return _credentials(value, whole=match.span() == (start, end))
        return value

    # One pass: what a variable brings in is never looked at again, so a secret may hold `${` or `$$`.
    return _VARIABLE.sub(filled, text)


def is_one_variable(text: str) -> bool:
    """Whether a value is one variable and nothing else."""
    match = _VARIABLE.fullmatch(text)
    return match is not None and match[1] is not None


def files_named_in(text: str) -> list[str]:
    """The files whose content would be filled in."""
    variables = (match[1] or "" for match in _VARIABLE.finditer(text))
    return [inner.removeprefix("file:") for inner in variables if inner.startswith("file:")]


def variables_in(text: str) -> list[str]:
    """The variables and files that would be filled in: ``NAME`` or ``file:path``, without defaults."""
    inner = ((match[1] or "").partition(":-")[0] for match in _VARIABLE.finditer(text))
    return [name for name in inner if name.startswith("file:") or _NAME.fullmatch(name)]


def _fill(match: re.Match[str], environment: Mapping[str, str], directory: Path) -> str:
    inner = match[1]
    if match[0] == "$$":
        return "$"
    if inner is None:
        raise InterpolationError(_UNCLOSED)
    if inner.startswith("file:"):
        return _file(inner.removeprefix("file:"), directory)
    name, separator, default = inner.partition(":-")
    if not _NAME.fullmatch(name):
        raise InterpolationError(
            "a ${...} here is no variable; write ${NAME}, ${NAME:-default} or ${file:path}, or $$ for $"
        )
    value = environment.get(name)
    # As in a shell, `:-` also replaces an empty value; without it an empty one is what was asked for.
    if value is None or (not value and separator):
        if separator:
            return default
        raise InterpolationError(f"the variable {name} is not set; set it, or write ${{{name}:-default}}")
    return value


def _credentials(value: str, *, whole: bool) -> str:
    """Write a value as it may stand before the host of a URL.

    Args:
        value: A user, a password, or a part of one.
        whole: Whether it may be both, with a colon between them.
    """
    if whole and ":" in value:
        user, _, password = value.partition(":")
        return f"{_credentials(user, whole=False)}:{_credentials(password, whole=False)}"
    encoded = "%" in value and _ENCODED.fullmatch(value)
    return value if encoded else quote(value, safe="")


def _file(name: str, directory: Path) -> str:
    path = directory / name
    if path.exists() and not path.is_file():  # reading a pipe would wait for ever
        what = "it is a folder" if path.is_dir() else "it is a pipe or a device"
        raise InterpolationError(f"the file {name} cannot be read: {what}; name a file with the value in it")
    # One line end only: a key may well end in an empty line, and `strip` would take blanks of a password.
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InterpolationError(f"the file {name} cannot be read: {reason}") from None
