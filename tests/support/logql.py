"""A parser for the LogQL of the dashboards: whether an expression is well formed, and which names it uses.

It knows the part of the language that the dashboards use, refuses everything else, and evaluates nothing: a
real Loki does that. Source of the grammar: Loki's documentation, "LogQL: Log query language", its pages "Log
queries" and "Metric queries".
"""

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<range>\[\d+[smhd]\])|(?P<number>\d+(?:\.\d+)?)"""
    r"""|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<op>\|=|\|~|!=|!~|=~|[={}(),|/]))"""
)
_AGGREGATIONS = {"sum", "topk"}
_RANGE_FUNCTIONS = {"rate", "count_over_time", "quantile_over_time"}
_MATCHERS = {"=", "!=", "=~", "!~"}
_TEMPLATE_NAME = re.compile(r"\{\{\s*\.(\w+)\s*\}\}")


class Malformed(ValueError):
    """The expression is not of the part of LogQL that is known here."""


@dataclass
class Names:
    """The names of an expression.

    Attributes:
        streams: Labels that select streams.
        paths: What ``json`` takes out of the line, by dotted path.
        made: Names that exist behind the pipeline's stages only.
        used: Names that filters, templates, ``unwrap`` and groupings refer to.
    """

    streams: set[str] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)
    made: set[str] = field(default_factory=lambda: {"__error__"})
    used: set[str] = field(default_factory=set)

    @property
    def stored(self) -> set[str]:
        """Names that must be labels or structured metadata."""
        return self.streams | (self.used - self.made)


def names_of(expression: str) -> Names:
    """Parse an expression.

    Raises:
        Malformed: It is not one.
    """
    parser = _Parser(_tokens(expression))
    parser.expression()
    parser.end()
    return parser.names


def _tokens(text: str) -> list[tuple[str, str]]:
    found, position = [], 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            raise Malformed(f"unexpected text: {text[position:]!r}")
        found.append((match.lastgroup or "", match[match.lastgroup or 0]))
        position = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0
        self.names = Names()

    def end(self) -> None:
        if self._at != len(self._tokens):
            raise Malformed(f"unexpected {self._tokens[self._at][1]!r}")

    def expression(self) -> None:
        """A metric, or the quotient of two, or a log query."""
        self._operand()
        while self._take("/"):
            self._operand()

    def _operand(self) -> None:
        if self._sees("{"):
            self._log_query()
            return
        name = self._name()
        if name in _AGGREGATIONS:
            self._grouping()
            self._need("(")
            if name == "topk":
                self._kind("number")
                self._need(",")
            self.expression()
            self._need(")")
            self._grouping()
        elif name in _RANGE_FUNCTIONS:
            self._need("(")
            if name == "quantile_over_time":
                self._kind("number")
                self._need(",")
            self._log_query()
            self._kind("range")
            self._need(")")
            self._grouping()
        else:
            raise Malformed(f"unknown function {name!r}")

    def _grouping(self) -> None:
        if self._take("by"):
            self._need("(")
            self.names.used.add(self._name())
            while self._take(","):
                self.names.used.add(self._name())
            self._need(")")

    def _log_query(self) -> None:
        self._need("{")
        self._matcher(self.names.streams)
        while self._take(","):
            self._matcher(self.names.streams)
        self._need("}")
        while True:
            if self._take("|=") or self._take("|~"):
                self._kind("string")
            elif self._take("|"):
                self._stage()
            else:
                return

    def _matcher(self, names: set[str]) -> None:
        names.add(self._name())
        if self._next()[1] not in _MATCHERS:
            raise Malformed("a matcher needs one of = != =~ !~")
        self._kind("string")

    def _stage(self) -> None:
        if self._take("json"):
            self._extraction()
            while self._take(","):
                self._extraction()
        elif self._take("unwrap"):
            self.names.used.add(self._name())
        elif self._take("line_format"):
            template = self._kind("string")
            self.names.used.update(set(_TEMPLATE_NAME.findall(template)))
        else:
            self._matcher(self.names.used)

    def _extraction(self) -> None:
        self.names.made.add(self._name())
        self._need("=")
        self.names.paths.add(self._kind("string")[1:-1])

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise Malformed("the expression ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _sees(self, text: str) -> bool:
        return self._at < len(self._tokens) and self._tokens[self._at][1] == text

    def _take(self, text: str) -> bool:
        seen = self._sees(text)
        self._at += seen
        return seen

    def _need(self, text: str) -> None:
        found = self._next()[1]
        if found != text:
            raise Malformed(f"{text!r} is needed where {found!r} stands")

    def _name(self) -> str:
        return self._kind("name")

    def _kind(self, kind: str) -> str:
        found, text = self._next()
        if found != kind:
            raise Malformed(f"a {kind} is needed where {text!r} stands")
        return text
