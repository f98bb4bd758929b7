"""A YAML document with the place of every key and value, so that each error can name its line and column.

The document is composed into nodes and then built here, which also refuses what YAML allows and a
configuration should not have: duplicate keys, aliases that contain themselves, and aliases that expand
without end. Variables are put in after parsing, so that a value can never become structure.

A document knows which of its values must not be shown: those that came out of variables, those under a
key that names a secret, and passwords in URLs. A message made by :meth:`Document.problem` has none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from logweir.config.interpolation import InterpolationError, files_named_in, is_one_variable
from logweir.config.secret_files import Origin
from logweir.encoding.one_line import on_one_line
from logweir.errors import ConfigProblem
from logweir.redaction import messages

__all__ = ["Document", "Path", "dotted", "read_document", "value_at"]

Path = tuple[str | int, ...]

#: The most nodes a document may expand to.
_MOST_NODES = 50_000
#: How deep a document may be nested; a routing.yaml has some ten levels.
_MOST_LEVELS = 100
_SCALAR_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float"))


@dataclass(slots=True)
class Document:
    """What a file says, and where.

    Attributes:
        file: The file's name.
        data: The content, in Python's types; None if it is empty or unreadable.
        problems: What is wrong with it as a document.
        keys: The line and column of each key, by path.
        values: The line and column of each value, by path.
        filled: The text of each value that came out of a variable or a file, by path.
        files: The files that a value came out of, as they are named, by path.
        origin: The file as it was read, if it is one.
    """

    file: str
    data: Any = None
    problems: list[ConfigProblem] = field(default_factory=list)
    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)
    filled: dict[Path, str] = field(default_factory=dict)
    files: dict[Path, list[str]] = field(default_factory=dict)
    origin: Origin | None = None

    def problem(self, path: Path, message: str, *, at_key: bool = False) -> ConfigProblem:
        """Make a problem whose place is that of the key or value at ``path``, or of the nearest one above.

        Values that must not be shown are masked; a message about a key shows none.
        """
        # Values of variables are masked wherever they come from: a message may quote another key's value.
        if not at_key:
            message = messages.mask_quoted(message, self.filled.values())
            message = messages.mask(message, self._secrets_below(path))
        line, column = self._place(path, at_key=at_key)
        return ConfigProblem(on_one_line(message), on_one_line(dotted(path)), self.file, line, column)

    def must_hide(self, path: Path) -> bool:
        """Whether the value at a path must not be shown."""
        return (
            path in self.filled
            or any(isinstance(part, str) and messages.names_a_secret(part) for part in path)
            or bool(messages.secrets_in(value_at(self.data, path)))
        )

    def _secrets_below(self, path: Path) -> Iterator[str]:
        """The texts at a path, or below it, that must not be shown."""
        for place, value in _scalars(value_at(self.data, path), path):
            secrets = messages.secrets_in(value)
            if place in self.filled:
                yield self.filled[place]
            elif secrets:
                yield from secrets
            elif self.must_hide(place):
                yield str(value)

    def _place(self, path: Path, *, at_key: bool) -> tuple[int, int]:
        for length in range(len(path), -1, -1):
            part = path[:length]
            # Above the path itself the key is the better place: the value begins on the line below it.
            places = [self.keys, self.values] if at_key or length < len(path) else [self.values, self.keys]
            for known in places:
                if part in known:
                    return known[part]
        return 0, 0


def dotted(path: Path) -> str:
    """Write a path as people do: ``routes[0].match.level``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def value_at(data: Any, path: Path) -> Any:
    """Return the value at a path; None if there is none."""
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _scalars(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _scalars(inner, (*path, key))
    elif value is not None:
        yield path, value


def read_document(text: str, file: str, interpolate: Callable[[str], str]) -> Document:
    """Parse YAML and fill in variables; problems are collected, not raised.

    Args:
        text: The file's content.
        file: Its name, for messages.
        interpolate: Fills the variables of one value; raises ``InterpolationError``.
    """
    document = Document(file)
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()  # the parser and its state refer to each other
        if node is not None:
            document.data = _Builder(document, interpolate).build(node, ())
    except _TooLarge:
        document.problems.append(
            ConfigProblem(f"the file expands to more than {_MOST_NODES} values; use fewer aliases", file=file)
        )
    except yaml.MarkedYAMLError as error:
        document.problems.append(_yaml_problem(error, file, text))
    except yaml.reader.ReaderError as error:
        document.problems.append(_character_problem(error, file, text))
    except (yaml.YAMLError, ValueError) as error:
        reason = _one_line(str(error))
        document.problems.append(ConfigProblem(f"not valid YAML: {reason}", file=file, line=1, column=1))
    except RecursionError:  # aliases of aliases, or a stack that was nearly full before
        reason = "not valid YAML: it is nested too deeply"
        document.problems.append(ConfigProblem(reason, file=file, line=1, column=1))
    return document


class _Loader(yaml.SafeLoader):
    """Refuses a file of brackets alone, whose parsing takes the square of its depth, and the whole stack."""

    def fetch_flow_collection_start(self, token: type[yaml.Token]) -> None:
        super().fetch_flow_collection_start(token)
        self._refuse_depth()

    def add_indent(self, column: int) -> bool:
        deeper: bool = super().add_indent(column)
        self._refuse_depth()
        return deeper

    def _refuse_depth(self) -> None:
        if self.flow_level + len(self.indents) > _MOST_LEVELS:
            raise yaml.scanner.ScannerError(None, None, "it is nested too deeply", self.get_mark())


def _yaml_problem(error: yaml.MarkedYAMLError, file: str, text: str) -> ConfigProblem:
    mark = error.problem_mark or error.context_mark
    what = ", ".join(_one_line(part) for part in (error.context, error.problem) if part)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    if "undefined alias" in what:  # its name may be a password that begins with an asterisk
        what = "an alias, *NAME, whose anchor, &NAME, is nowhere; if it is text, put it in quotes"
    # `{url: ${URL}}` is a mapping inside a mapping to YAML, which ends in a puzzling message.
    elif "flow " in what and mark is not None and "${" in _line(text, mark.line):
        what += '; between braces or brackets, put a variable in quotes: "${NAME}"'
    elif "'\\t'" in what:
        what += "; indent with spaces, for YAML takes no tabs there"
    return ConfigProblem(f"not valid YAML: {what}", file=file, line=line, column=column)


def _character_problem(error: yaml.reader.ReaderError, file: str, text: str) -> ConfigProblem:
    before = text[: error.position]
    line = before.count("\n") + 1
    column = error.position - (before.rfind("\n") + 1) + 1
    message = (
        f"not valid YAML: the control character U+{ord(text[error.position]):04X} is not allowed; remove it"
    )
    return ConfigProblem(message, file=file, line=line, column=column)


def _line(text: str, number: int) -> str:
    """A line of the text; the last one where a mark points behind the end."""
    lines = text.splitlines() or [""]
    return lines[min(number, len(lines) - 1)]


def _one_line(text: str) -> str:
    return " ".join(text.split())


class _TooLarge(Exception):
    """The document has more nodes than a configuration can have."""


class _Builder:
    """Builds Python values from nodes, noting places and problems."""

    def __init__(self, document: Document, interpolate: Callable[[str], str]) -> None:
        self._document = document
        self._interpolate = interpolate
        self._constructor = yaml.SafeLoader("")
        self._inside: set[int] = set()
        self._count = 0

    def build(self, node: yaml.Node, path: Path) -> Any:
        # Aliases are followed each time, so nodes are counted as they are built, not as they are written:
        # nine lines of nested aliases ("billion laughs") would become 10^9 values.
        self._count_one()
        self._document.values[path] = _place(node)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        # An alias is the very node of its anchor: one that is being built right now contains itself.
        if id(node) in self._inside:
            self._complain(path, "an alias contains itself; write the value out")
            return None
        self._inside.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
            assert isinstance(node, yaml.MappingNode)  # noqa: S101 - YAML has three kinds of nodes
            return self._mapping(node, path)
        finally:
            self._inside.discard(id(node))

    def _count_one(self) -> None:
        self._count += 1
        if self._count > _MOST_NODES:
            raise _TooLarge

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, (key_node, value_node) in self._pairs(node, path).items():
            self._document.keys[*path, key] = _place(key_node)
            result[key] = self.build(value_node, (*path, key))
        return result

    def _pairs(self, node: yaml.MappingNode, path: Path) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """The pairs of a mapping: its own first, then what it merges in by ``<<`` and does not have."""
        pairs: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merged: list[yaml.Node] = []
        for key_node, value_node in node.value:
            # Nested merges expand here, before `build` sees a node, and must count as well.
            self._count_one()
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged += value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                continue
            key = self._key(key_node, path)
            if key is None:
                continue
            # YAML 1.2 forbids it, and PyYAML silently lets the last one win.
            if key in pairs:
                self._document.keys[*path, key] = _place(key_node)
                message = f"the key {key!r} is written twice; remove one of them"
                self._document.problems.append(self._document.problem((*path, key), message, at_key=True))
                continue
            pairs[key] = (key_node, value_node)
        # As YAML's merge key has it: own keys win over merged ones, earlier merges over later ones.
        for base in merged:
            for key, pair in self._merged(base, path).items():
                pairs.setdefault(key, pair)
        return pairs

    def _merged(self, base: yaml.Node, path: Path) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        if not isinstance(base, yaml.MappingNode):
            self._document.values[path] = _place(base)
            self._complain(path, "<< merges mappings; give it an alias of a mapping, or a list of them")
            return {}
        return self._pairs(base, path)

    def _key(self, node: yaml.Node, path: Path) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._document.values[path] = _place(node)
            self._complain(path, "a key must be a plain word")
            return None
        # The text as it is written: YAML 1.1 would make True out of the key `on`, and a number out of `1`.
        return str(node.value)

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        # Only the safe types have a constructor; `!!python/object` and the like end here.
        if node.tag not in self._constructor.yaml_constructors:
            self._complain(
                path, "the tag of this value is unknown; if it is text that begins with !, put it in quotes"
            )
            return None
        try:
            value = self._construct(node)
        except Exception:  # noqa: BLE001 - a scalar that is not what its tag says raises whatever it meets
            self._complain(
                path, "cannot be read as what its form or tag says; if it is text, put it in quotes"
            )
            return None
        return self._filled(value, node, path) if isinstance(value, str) and "$" in value else value

    def _construct(self, node: yaml.ScalarNode) -> Any:
        return self._constructor.construct_object(node, deep=True)

    def _filled(self, value: str, node: yaml.ScalarNode, path: Path) -> Any:
        """Fill in the variables of a text."""
        try:
            text = self._interpolate(value)
        except InterpolationError as error:
            self._complain(path, str(error))
            return None
        # Only what a variable brought in is kept back; `$$` alone fills in nothing.
        if text != value.replace("$$", "$"):
            self._document.filled[path] = text
        if files := files_named_in(value):
            self._document.files[path] = files
        # A variable that stands alone and unquoted is read as if its value were written there.
        return self._retyped(text) if node.style is None and is_one_variable(value) else text

    def _retyped(self, text: str) -> Any:
        """Read a text as YAML would read it, if it is a number, true, false or null."""
        tag = self._constructor.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
        if tag not in _SCALAR_TAGS:
            return text
        try:
            return self._construct(yaml.ScalarNode(tag, text))
        except ValueError:
            return text

    def _complain(self, path: Path, message: str) -> None:
        self._document.problems.append(self._document.problem(path, message))


def _place(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
