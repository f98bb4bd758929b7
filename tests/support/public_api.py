"""The public API as text, read from the source without importing it: ``make api`` writes it, a test compares it.

One line for each name, function, field, attribute and method, with types and defaults as they are written in the
source. Nothing is evaluated, so the text is the same on every Python and machine, and it does not matter where the
private modules lie: a name is listed below the first public path that leads to it. Members that come from a private
base class are listed as the class's own. At the end stand the types which public lines name and which no public
module exports; models of routing.yaml among them only by name, for its JSON Schema is a snapshot of them.
"""

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SNAPSHOT = ROOT / "docs" / "reference" / "public-api.txt"
#: What users may import, the shortest paths first; ``.*`` stands for all modules below.
PUBLIC = (
    "logweir",
    "logweir.context",
    "logweir.encoding",
    "logweir.errors",
    "logweir.sinks.contract",
    "logweir.sinks.query_match",
    "logweir.testing",
    "logweir.testing.*",
    "logweir.integrations.*",
    "logweir.integrations.django",
    "logweir.integrations.sqlalchemy",
)

HEADER = """\
# The public API of logweir: a line for each name that users may rely on, types and defaults as in the source.
# `make api` writes this file, and a test compares it. Fields and attributes keep their order; methods are sorted.
"""
UNEXPORTED = """\
# Types that the lines above name and that no public module exports. The fields of models are in routing.schema.json.
"""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Assignment = ast.Assign | ast.AnnAssign

#: Decorators that change what a caller sees.
_TELLING = {
    "abstractmethod", "asynccontextmanager", "block", "cached_property", "classmethod", "contextmanager", "dataclass",
    "final", "overload", "property", "pytest.fixture", "runtime_checkable", "staticmethod",
}  # fmt: skip


@dataclass(frozen=True)
class Definition:
    """Where a name is defined; only an overloaded function has several nodes."""

    module: str
    name: str
    nodes: tuple[ast.stmt, ...]


# -- finding ------------------------------------------------------------------------------------------


def path_of(module: str) -> Path:
    """Where a module's text lies, by the folders that pyproject.toml names; it need not exist."""
    folders = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-dir"]
    package = max((name for name in folders if f"{module}.".startswith(f"{name}.")), key=len)
    path = ROOT.joinpath(folders[package], *module.removeprefix(package).split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def statements(module: str) -> tuple[ast.stmt, ...]:
    """What stands at the top level of a module of ours, also below ``if`` and ``try``; nothing for one of others."""
    if module.partition(".")[0] != "logweir" or not path_of(module).exists():
        return ()
    return tuple(_flat(ast.parse(path_of(module).read_text(encoding="utf-8")).body))


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        if isinstance(statement, ast.If | ast.Try):
            yield from _flat(statement.body)
        else:
            yield statement


@cache
def find(module: str, name: str) -> Definition | None:
    """Follow a name from a module to its definition; None if it is not one of ours."""
    nodes: list[ast.stmt] = []
    for statement in statements(module):
        match statement:
            case ast.ImportFrom(module=str(source)):
                for alias in statement.names:
                    if name == (alias.asname or alias.name):
                        return find(source, alias.name)
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef() if statement.name == name:
                nodes.append(statement)
            case ast.Assign() | ast.AnnAssign() if name in _targets(statement):
                nodes.append(statement)
    return Definition(module, name, tuple(_called(nodes))) if nodes else None


def exported(module: str) -> list[str]:
    """The names of a module's ``__all__``."""
    lists = [
        each for each in statements(module) if isinstance(each, Assignment) and "__all__" in _targets(each)
    ]
    return sorted(ast.literal_eval(lists[0].value)) if lists and lists[0].value else []


@cache
def public_paths() -> dict[str, Definition]:
    """Every public path, and what it leads to."""
    paths = {}
    for pattern in PUBLIC:
        package = pattern.removesuffix(".*")
        below = sorted(path.stem for path in path_of(package).parent.glob("*.py") if path.stem != "__init__")
        for module in [package] if package == pattern else [f"{package}.{name}" for name in below]:
            for name in exported(module):
                definition = find(module, name)
                assert definition is not None, f"{module}.{name} is in __all__ and defined nowhere"
                paths[f"{module}.{name}"] = definition
    return paths


@cache
def first_paths() -> dict[Definition, str]:
    """The path below which each public definition is listed."""
    return {definition: path for path, definition in reversed(public_paths().items())}


# -- writing ------------------------------------------------------------------------------------------


class Listing:
    """Writes the lines, and remembers which types of ours they name."""

    def __init__(self) -> None:
        self._named: dict[Definition, None] = {}

    def text(self) -> str:
        """The whole snapshot: a section for each public module, and one for what they name."""
        sections: dict[str, list[str]] = {}
        for path, definition in public_paths().items():
            first = first_paths()[definition]
            lines = self._lines(path, definition) if path == first else [f"{path}: same as {first}"]
            sections.setdefault(path.rpartition(".")[0], []).extend(lines)
        return "\n".join(
            [HEADER, *("\n".join(lines) + "\n" for lines in sections.values()), self._unexported()]
        )

    def _unexported(self) -> str:
        return UNEXPORTED + "".join(f"{line}\n" for each in sorted(self.named().values()) for line in each)

    def named(self) -> dict[Definition, list[str]]:
        """The types that no public module exports, of those that the lines so far name, with their own lines."""
        found: dict[Definition, list[str]] = {}
        while waiting := [each for each in self._named if each not in found and each not in first_paths()]:
            found.update({each: list(self._given(each)) for each in waiting})
        return found

    def _given(self, definition: Definition) -> Iterator[str]:
        """The lines of a type that users are given; what its methods name leads no further."""
        name, node = definition.name, definition.nodes[0]
        if not isinstance(node, ast.ClassDef):
            yield from self._lines(name, definition)
        elif any(
            "BaseModel" in ast.unparse(base)
            for _, each in _lineage(definition.module, node)
            for base in each.bases
        ):
            yield f"{name}: class (BaseModel)"
        elif not name.startswith("_"):
            yield from self._class(name, definition.module, node, follow_methods=False)

    def _lines(self, path: str, definition: Definition) -> Iterator[str]:
        module = definition.module
        for node in definition.nodes:
            match node:
                case ast.ClassDef():
                    yield from self._class(path, module, node)
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    yield f"{path}: {self._function(module, node)}"
                case ast.AnnAssign(annotation=annotation):
                    yield f"{path}: {self._type(module, annotation)}"
                case ast.Assign(value=value):
                    yield f"{path} = {self._type(module, value)}"

    def _class(
        self, path: str, module: str, node: ast.ClassDef, *, follow_methods: bool = True
    ) -> Iterator[str]:
        arguments = [*self._bases(module, node), *(ast.unparse(keyword) for keyword in node.keywords)]
        yield f"{path}: {_decorators(node)}class" + (f" ({', '.join(arguments)})" if arguments else "")
        attributes: dict[str, str] = {}
        methods: dict[str, list[str]] = {}
        for where, each in _lineage(module, node):
            attributes.update(self._attributes(where, each))
            methods.update((self if follow_methods else Listing())._methods(where, each))
        yield from (f"{path}.{name}{rest}" for name, rest in attributes.items())
        yield from (f"{path}.{name}: {text}" for name in sorted(methods) for text in methods[name])

    def _bases(self, module: str, node: ast.ClassDef) -> Iterator[str]:
        """The bases as they are written; a private one is replaced by its own."""
        for base in node.bases:
            private = _private(module, base)
            yield from self._bases(*private) if private else [self._type(module, base)]

    def _attributes(self, module: str, node: ast.ClassDef) -> Iterator[tuple[str, str]]:
        """What the class body declares and what ``__init__`` sets."""
        for statement in node.body:
            if isinstance(statement, Assignment):
                value = f" = {ast.unparse(statement.value)}" if statement.value else ""
                for name in filter(_is_public, _targets(statement)):
                    yield name, self._annotation(module, statement) + value
            elif isinstance(statement, Function) and statement.name == "__init__":
                types = {argument.arg: argument.annotation for argument in _arguments(statement)}
                for each in ast.walk(statement):
                    if isinstance(each, Assignment):
                        known = types.get(each.value.id) if isinstance(each.value, ast.Name) else None
                        for name in filter(_is_public, _targets(each, of="self")):
                            yield name, self._annotation(module, each, known)

    def _annotation(self, module: str, node: Assignment, known: ast.expr | None = None) -> str:
        annotation = node.annotation if isinstance(node, ast.AnnAssign) else known
        return f": {self._type(module, annotation)}" if annotation else ""

    def _methods(self, module: str, node: ast.ClassDef) -> Iterator[tuple[str, list[str]]]:
        functions = [each for each in node.body if isinstance(each, Function) and _is_public(each.name)]
        for name in {function.name for function in functions}:
            called = _called([function for function in functions if function.name == name])
            yield name, [self._function(module, function) for function in called]

    def _function(self, module: str, node: Function) -> str:
        returns = f" -> {self._type(module, node.returns)}" if node.returns else ""
        word = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
        return f"{_decorators(node)}{word} ({', '.join(self._parameters(module, node.args))}){returns}"

    def _parameters(self, module: str, node: ast.arguments) -> Iterator[str]:
        positional = [*node.posonlyargs, *node.args]
        for number, argument in enumerate(positional, start=len(node.defaults) - len(positional)):
            yield self._parameter(module, argument, node.defaults[number] if number >= 0 else None)
            if node.posonlyargs and argument is node.posonlyargs[-1]:
                yield "/"
        if node.vararg or node.kwonlyargs:
            yield "*" + (self._parameter(module, node.vararg) if node.vararg else "")
        for argument, default in zip(node.kwonlyargs, node.kw_defaults, strict=True):
            yield self._parameter(module, argument, default)
        if node.kwarg:
            yield f"**{self._parameter(module, node.kwarg)}"

    def _parameter(self, module: str, node: ast.arg, default: ast.expr | None = None) -> str:
        annotation = f": {self._type(module, node.annotation)}" if node.annotation else ""
        return node.arg + annotation + (f" = {ast.unparse(default)}" if default else "")

    def _type(self, module: str, node: ast.expr | None) -> str:
        """The text of a type; the types of ours in it are remembered."""
        for part in ast.walk(node) if node else ():
            named = find(module, part.id) if isinstance(part, ast.Name) else None
            if named and not isinstance(named.nodes[0], Function):
                self._named[named] = None
        return ast.unparse(node) if node else ""


# -- reading the syntax tree --------------------------------------------------------------------------


def _lineage(module: str, node: ast.ClassDef) -> Iterator[tuple[str, ast.ClassDef]]:
    """The class after its private bases: what it says itself comes last."""
    for private in filter(None, (_private(module, base) for base in reversed(node.bases))):
        yield from _lineage(*private)
    yield module, node


def _private(module: str, base: ast.expr) -> tuple[str, ast.ClassDef] | None:
    """The definition of a base class of ours that is not public."""
    name = base.value if isinstance(base, ast.Subscript) else base
    found = find(module, name.id) if isinstance(name, ast.Name) else None
    if found is None or found in first_paths():
        return None
    node = found.nodes[0]
    return (found.module, node) if isinstance(node, ast.ClassDef) else None


def _called(nodes: list[Any]) -> list[Any]:
    """The overloads, if there are any, else the first definition."""
    return [
        node for node in nodes if isinstance(node, Function) and "@overload" in _decorators(node)
    ] or nodes[:1]


def _decorators(node: ast.ClassDef | Function) -> str:
    written = [ast.unparse(decorator) for decorator in node.decorator_list]
    return "".join(f"@{text} " for text in written if text.partition("(")[0] in _TELLING)


def _arguments(node: Function) -> list[ast.arg]:
    return [argument for argument in ast.walk(node.args) if isinstance(argument, ast.arg)]


def _targets(node: Assignment, of: str | None = None) -> list[str]:
    """The names that are assigned, or with ``of`` the attributes of that name."""
    names = []
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        match target:
            case ast.Name(id=name) if of is None:
                names.append(name)
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner == of:
                names.append(name)
    return names


def _is_public(name: str) -> bool:
    """Whether a member is for users: a plain name, or a method of Python's own protocols."""
    return not name.startswith("_") or (
        name.startswith("__") and "pydantic" not in name and name != "__slots__"
    )


if __name__ == "__main__":
    SNAPSHOT.write_text(Listing().text(), encoding="utf-8")
