"""The LogQL that the sink sends, and no other: a selector of equal labels, line filters, equal labels or metadata.

Everything else is refused as Loki refuses what it cannot parse: this is no query engine.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from servers.loki_double.decoding import Entry
from servers.loki_double.labels import BadLabels, Labels, parse_labels, unquoted

_QUERY = re.compile(r'(\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})')
_STAGE = re.compile(
    r'\s*(?:(?P<line>\|=|\|~)|\|\s*(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=)\s*(?P<text>"(?:[^"\\]|\\.)*")'
)


class ParseError(ValueError):
    """The text is not of the LogQL that is known here."""


@dataclass(frozen=True)
class LogQuery:
    """A parsed query."""

    selector: Labels
    lines: list[Callable[[str], object]] = field(default_factory=list)
    equal: list[tuple[str, str]] = field(default_factory=list)

    def selects(self, labels: Labels) -> bool:
        """Whether a stream is meant."""
        return set(self.selector) <= set(labels)

    def takes(self, labels: dict[str, str], entry: Entry) -> bool:
        """Whether an entry of a selected stream passes every filter."""
        if not all(holds(entry.line) for holds in self.lines):
            return False
        if not self.equal:
            return True
        known = {**labels, **dict(entry.metadata)}
        return all(known.get(name, "") == value for name, value in self.equal)


def parsed(text: str) -> LogQuery:
    """Read a query.

    Raises:
        ParseError: It is anything else.
    """
    selector = _QUERY.match(text)
    if selector is None:
        raise ParseError(f"parse error at line 1, col 1: syntax error: unexpected {text[:20]!r}")
    try:
        query = LogQuery(parse_labels(selector[1]))
        position = selector.end()
        while position < len(text):
            stage = _STAGE.match(text, position)
            if stage is None:
                raise ParseError(f"parse error at line 1, col {position + 1}: syntax error: unexpected text")
            _add(query, stage)
            position = stage.end()
    except (BadLabels, re.error) as error:
        raise ParseError(f"parse error : {error}") from None
    if not query.selector:
        # Loki docs, LogQL > Log stream selector: a selector needs a matcher that is not empty.
        raise ParseError("parse error : queries require at least one regexp or equality matcher")
    return query


def _add(query: LogQuery, stage: re.Match[str]) -> None:
    value = unquoted(stage["text"])
    if stage["name"]:
        query.equal.append((stage["name"], value))
    elif stage["line"] == "|=":
        query.lines.append(lambda line: value in line)
    else:
        query.lines.append(re.compile(value).search)
