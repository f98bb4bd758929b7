"""The few forms of LogQL that logweir sends: one selector of equalities, line filters and label filters.

Source: Loki docs, LogQL > Log queries: stream selector, line filter, label filter. All else is refused as
Loki refuses what it cannot parse.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from servers.loki_double.labels import NAME, Labels
from servers.loki_double.quoting import QUOTED, unquote

_MATCHER = re.compile(rf"\s*({NAME})\s*=\s*({QUOTED})\s*")
_EMPTY = re.compile(r"{\s*}")
_LINE_FILTER = re.compile(rf"\s*(\|=|\|~)\s*({QUOTED})")
_LABEL_FILTER = re.compile(rf"\s*\|\s*({NAME})\s*=\s*({QUOTED})")
#: What Python's expressions have and RE2 has not: looking around and back.
_NOT_RE2 = re.compile(r"\(\?(?:=|!|<[=!])|\\[1-9]")

Passes = Callable[[str, Mapping[str, str]], bool]


class ParseError(Exception):
    """The query is not one that is understood."""


@dataclass(frozen=True)
class LogQuery:
    """A query of lines."""

    matchers: Labels
    filters: tuple[Passes, ...] = ()

    def selects(self, labels: Labels) -> bool:
        """Whether a stream is one of those asked for; a label that is missing is empty."""
        known = dict(labels)
        return all(known.get(name, "") == value for name, value in self.matchers)

    def passes(self, line: str, labels: Mapping[str, str]) -> bool:
        """Whether a line passes all filters."""
        return all(passes(line, labels) for passes in self.filters)


def parse(text: str) -> LogQuery:
    """Read a query.

    Raises:
        ParseError: It has another form.
    """
    matchers, position = _selector(text)
    filters: list[Passes] = []
    while text[position:].strip():
        match = _LINE_FILTER.match(text, position)
        if match is not None:
            filters.append(_line_filter(match[1], _unquoted(text, match, 2)))
        else:
            match = _LABEL_FILTER.match(text, position)
            if match is None:
                raise _unexpected(text, position)
            filters.append(_label_filter(match[1], _unquoted(text, match, 2)))
        position = match.end()
    return LogQuery(matchers, tuple(filters))


def parse_selector(text: str) -> LogQuery:
    """Read a query that has no filters, as ``match[]`` does.

    Raises:
        ParseError: It has another form.
    """
    query = parse(text)
    if query.filters:
        raise ParseError("parse error : only label matchers are supported")
    return query


def _selector(text: str) -> tuple[Labels, int]:
    """The matchers, and where they end."""
    position = len(text) - len(text.lstrip())
    if not text.startswith("{", position):
        raise _unexpected(text, position)
    matchers: list[tuple[str, str]] = []
    while not matchers or text.startswith(",", position):
        if _EMPTY.match(text, position) and not matchers:
            raise _all_empty()
        match = _MATCHER.match(text, position + 1)
        if match is None:
            raise _unexpected(text, position + 1)
        matchers.append((match[1], _unquoted(text, match, 2)))
        position = match.end()
    if not text.startswith("}", position):
        raise _unexpected(text, position)
    # LogQL > Log queries > Log stream selector: one matcher at least that does not match what is empty.
    if not any(value for _, value in matchers):
        raise _all_empty()
    return tuple(matchers), position + 1


def _all_empty() -> ParseError:
    return ParseError(
        "parse error : queries require at least one regexp or equality matcher that does not have an "
        'empty-compatible value. For instance, app=~".*" does not meet this requirement, but app=~".+" will'
    )


def _line_filter(operator: str, wanted: str) -> Passes:
    if operator == "|=":
        return lambda line, labels: wanted in line
    if _NOT_RE2.search(wanted):
        raise ParseError(
            f"parse error : error parsing regexp: invalid or unsupported Perl syntax: `{wanted}`"
        )
    try:
        pattern = re.compile(wanted, re.ASCII)
    except re.error as error:
        raise ParseError(f"parse error : error parsing regexp: {error}") from None
    return lambda line, labels: pattern.search(line) is not None


def _label_filter(name: str, wanted: str) -> Passes:
    return lambda line, labels: labels.get(name, "") == wanted


def _unquoted(text: str, match: re.Match[str], group: int) -> str:
    try:
        return unquote(match[group])
    except ValueError as error:
        raise ParseError(f"{_place(text, match.start(group))}: {error}") from None


def _unexpected(text: str, position: int) -> ParseError:
    rest = text[position:].split()
    position = text.index(rest[0], position) if rest else len(text)
    return ParseError(f"{_place(text, position)}: syntax error: unexpected {rest[0] if rest else '$end'}")


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    return f"parse error at line {line}, col {column}"
