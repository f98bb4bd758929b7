"""Where a configuration comes from: a file, whose variables are filled in, or a mapping, taken as it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from logweir.config import yaml_document as documents
from logweir.config.interpolation import interpolate, variables_in
from logweir.config.pydantic_errors import shown
from logweir.config.secret_files import Origin
from logweir.config.yaml_document import Document, read_document
from logweir.diagnostics import report
from logweir.errors import UNKNOWN_FILE, ConfigError, ConfigProblem

__all__ = ["document_of", "document_of_file"]

_LARGEST_FILE = 2**20
_DEEPEST_MAPPING = 200


def document_of(source: object) -> Document:
    """Read a source; what is wrong inside is left in the document's problems.

    Raises:
        ConfigError: The source is neither a path nor a mapping, or cannot be read at all.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        text = _text_of(path, "make one with `logweir init`")
        return document_of(Origin(path, text, path.parent, os.environ))
    if isinstance(source, Origin):
        document = read_document(
            source.text, str(source.path), lambda value: interpolate(value, source.environment, source.folder)
        )
        document.origin = source
        return document
    if isinstance(source, Mapping):
        document = Document(UNKNOWN_FILE)
        document.data = _plain(source, document, ())
        _report_variables(document.data)
        return document
    wrong = f"a configuration is a path, a mapping or a RoutingConfig, not {shown(source)}"
    raise ConfigError([ConfigProblem(wrong, file=f"<{type(source).__name__}>")])


def document_of_file(path: Path, advice: str, fill: Callable[[str], str]) -> Document:
    """Read a file.

    Args:
        path: Where it is.
        advice: What to do where it is not.
        fill: Fills the variables of one value; raises ``InterpolationError``.

    Raises:
        ConfigError: It cannot be read at all.
    """
    return read_document(_text_of(path, advice), str(path), fill)


def _text_of(path: Path, advice: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except FileNotFoundError:
        raise _one_problem(path, f"there is no such file{_looked_for(path)}; {advice}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise _one_problem(path, f"the file cannot be read: {reason}") from None
    if len(content) > _LARGEST_FILE:
        raise _one_problem(path, "the file is larger than 1 MiB; this is not a configuration")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _one_problem(path, f"the file is not UTF-8 text (byte {error.start})") from None


def _looked_for(path: Path) -> str:
    """Where a relative path begins: most files that are missing are those of another directory."""
    try:
        return "" if path.is_absolute() else f" in {Path.cwd()}"
    except OSError:  # it is deleted
        return ""


def _one_problem(path: Path, message: str) -> ConfigError:
    return ConfigError([ConfigProblem(message, file=str(path))])


def _report_variables(value: Any, path: tuple[str, ...] = ()) -> None:
    """Report what would be a variable in a file, and goes to the store as it stands in a mapping."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _report_variables(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _report_variables(inner, (*path, str(index)))
    elif isinstance(value, str):
        for name in variables_in(value):
            place = ".".join(path)
            report(
                f"variable {place} {name}",
                "the configuration is a mapping, where variables are not filled in: ${%s} of %s stays "
                "as it is; take it from os.environ, or write a file",
                name,
                place,
            )


def _plain(value: Any, document: Document, path: documents.Path) -> Any:
    """Copy mappings and lists as plain ones, so that what was given is never changed."""
    if len(path) > _DEEPEST_MAPPING:
        raise ConfigError(
            [document.problem(path[:1], "is nested too deeply, or contains itself", at_key=True)]
        )
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, document, (*path, str(key))) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, document, (*path, index)) for index, inner in enumerate(value)]
    return value
