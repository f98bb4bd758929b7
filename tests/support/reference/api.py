"""The pages of the Python API: one for each public module, whose docstrings Sphinx puts in."""

import ast
import re
from collections.abc import Iterator

from support.public_api import Definition, Listing, find, first_paths, public_paths


def pages() -> dict[str, str]:
    """The text of each page, by its name below docs/reference/api."""
    modules: dict[str, dict[str, Definition]] = {}
    for path, definition in public_paths().items():
        modules.setdefault(path.rpartition(".")[0], {})[path] = definition
    found = {f"{module}.md": "\n".join(_module(module, names)) for module, names in modules.items()}
    return {**found, "types.md": "\n".join(_types())}


def _module(module: str, names: dict[str, Definition]) -> Iterator[str]:
    yield from (f"# {module}", "", "```{eval-rst}", f".. automodule:: {module}", "   :no-members:")
    if module in public_paths():  # a function has the name of its module
        yield "   :no-index:"
    yield ""
    for path, definition in names.items():
        first = first_paths()[definition]
        if path == first:
            yield from (*_directive(path, definition), "")
        else:
            yield from (f"``{path.rpartition('.')[2]}`` is :py:obj:`{first}`.", "")
    yield from ("```", "")


def _types() -> Iterator[str]:
    yield from ("# Types that others name", "")
    yield from ("What the other pages name and no public module exports.", "", "```{eval-rst}")
    listing = Listing()
    listing.text()
    named = listing.named()
    for definition in sorted(named, key=lambda one: (one.name.casefold(), one.module)):
        path = f"{definition.module}.{definition.name}"
        if named[definition] and _is_model(named[definition][0]):
            yield from (
                f".. py:class:: {path}",
                "",
                "   A part of routing.yaml; its keys are in the configuration.",
                "",
            )
        elif named[definition] and not definition.name.startswith("_") and not _is_variable(definition):
            yield from (*_directive(path, definition), "")
    yield from ("```", "")


def _is_variable(definition: Definition) -> bool:
    """Whether it is a ``TypeVar`` or the like, of no use to a reader."""
    return bool(re.match(r"\w+ = (TypeVar|ParamSpec)\(", ast.unparse(definition.nodes[0])))


def _is_model(line: str) -> bool:
    return line.endswith(("class (BaseModel)", "class (SinkConfig)"))


def _directive(path: str, definition: Definition) -> Iterator[str]:
    match definition.nodes[0]:
        case ast.ClassDef(bases=bases):
            yield f".. autoclass:: {path}"
            if any(
                find(definition.module, ast.unparse(base).partition("[")[0]) in first_paths()
                for base in bases
            ):
                yield "   :show-inheritance:"
            if any("Enum" in ast.unparse(base) for base in bases):
                yield "   :undoc-members:"
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield f".. autofunction:: {path}"
        case _:
            yield from (f".. autodata:: {path}", "   :no-value:")
