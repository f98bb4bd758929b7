"""Modules of the user's that routing.yaml names: found beside the file, too, and imported where it says so.

A command such as ``logweir check`` runs in a process that has imported nothing of the application, and whose
search path has neither the current directory nor the folder of routing.yaml. Both are appended, never put in
front, and only when a module that is named is found nowhere else.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import AfterValidator

__all__ = ["FunctionPath", "find_beside", "find_function", "import_named"]

_DOTTED = re.compile(r"([A-Za-z_]\w*)(?:\.\w+)*:[A-Za-z_]\w*")


def find_beside(data: dict[str, Any], directory: Path) -> None:
    """Let modules that ``data`` names be found in ``directory`` and in the current one."""
    if any(not _is_found(name) for name in _named(data)):
        for place in (str(directory.absolute()), str(Path.cwd())):
            if place not in sys.path:
                sys.path.append(place)


def import_named(imports: Any) -> Iterator[tuple[int, str]]:
    """Import the modules under ``imports``, which register sinks; yield each that fails, with its fault."""
    for index, name in enumerate(imports if isinstance(imports, list) else ()):
        if isinstance(name, str):
            try:
                import_module(name)
            except Exception as error:  # noqa: BLE001 - importing runs code of the user's, which may raise anything
                yield index, f"the module {name!r} cannot be imported: {type(error).__name__}: {error}"


def find_function(path: str) -> Callable[..., Any]:
    """Return the function that a dotted path such as ``package.module:function`` names.

    Raises:
        ValueError: It names none.
    """
    module_name, _, name = path.partition(":")
    try:
        function = getattr(import_module(module_name), name)
    except Exception as error:  # noqa: BLE001 - importing runs code of the user's, which may raise anything
        raise ValueError(f"{path!r} names no function ({error}); write package.module:function") from None
    if not callable(function):
        what = type(function).__name__
        raise ValueError(f"{path!r} names no function but {what}")  # noqa: TRY004 - a value of a key
    if inspect.iscoroutinefunction(function):
        raise ValueError(f"{path!r} is an async function, which cannot answer at once; name a plain one")
    return cast("Callable[..., Any]", function)


def _names_a_function(path: str) -> str:
    find_function(path)
    return path


#: A key whose value names a function: it is imported when the file is loaded.
FunctionPath = Annotated[str, AfterValidator(_names_a_function)]


def _named(data: dict[str, Any]) -> Iterator[str]:
    """The top-level names of all modules in it."""
    imports = data.get("imports")
    for name in imports if isinstance(imports, list) else ():
        yield str(name).partition(".")[0]
    sinks = data.get("sinks")
    options = [raw for raw in (sinks.values() if isinstance(sinks, dict) else ()) if isinstance(raw, dict)]
    rules = data.get("classify")
    own = (_function_of(data.get("redact")), data.get("enrich"))
    for holder in (*options, *(rules if isinstance(rules, list) else ()), *own):
        for text in _texts(holder):
            if match := _DOTTED.fullmatch(text):
                yield match[1]


def _function_of(redact: Any) -> Any:
    return redact.get("function") if isinstance(redact, dict) else None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _is_found(name: str) -> bool:
    try:
        return name in sys.modules or find_spec(name) is not None
    except (ImportError, ValueError):
        return False
