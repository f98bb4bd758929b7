"""Values in texts about SQL: parameters of exceptions, rows of error messages, passwords in statements.

Parameters without names, ``[parameters: ('bob', 'S')]``, and rows, ``Failing row contains (...)``, may hold
anything and are masked as a whole; those with names, and the columns of an ``INSERT``, by their names.
"""

from __future__ import annotations

import re

from logweir.redaction.names import Secrecy
from logweir.redaction.scan import Scan
from logweir.redaction.text_names import judged
from logweir.redaction.text_places import Place, Span
from logweir.redaction.text_values import secret_span
from logweir.redaction.vocabulary import part_of

__all__ = ["mask_sql_parameters"]

_PARAMETERS = re.compile(r"\[parameters: (?=[(\[])(?!\[\{)|Failing row contains (?=\()")
#: Of a statement in the log of a server or a library: all of them, for nothing tells which is which.
_NUMBERED = re.compile(r"[pP]arameters: (?=\$1 = )|inding parameter \[?\(?\d{1,4}[^\n]{0,80}? - \[")
_VALUES = re.compile(r"(?:(?:, )?\$\d{1,4} = (?:'(?:[^']|'')*+'|[^\s,]++))+|[^\]\n]++")
_ARGUMENTS = re.compile(
    r"(?:args|params|parameters|arguments)[=:] ?(?=[(\[])|(?:%s|\?|\$\d)[ )]{0,4}[\"'],\s?(?=[(\[])"
)
_WORDS = {word: part_of(word) for word in ("SELECT ", "INSERT ", "UPDATE ", "DELETE ")}
_STATED = ("password", "identified", "addlogin")
_STATEMENT = re.compile(
    r"[iIpPsS](?<![\w'\"\-].)(?i:"
    r"(?<=i)dentified\s+(?:with\s+\S{1,64}+\s+)?(?:by|as)\s+(?:password\s+)?"
    r"|(?<=p)assword(?:\s+|\s*\(\s*)(?=')"
    r"|(?<=s)et\s+password\s+for\s+\S{1,128}+\s*=\s*(?:password\s*\(\s*)?)(?:values\s+)?(?=[bBnNeE]?['\"])"
    r"|[iI](?<!\w.)(?i:dentified\s+by\s+)(?!(?i:values?|password|external\w*|global\w*)\b)(?=\w)"
    r"|[sS](?<!\w.)(?i:p_(?:addlogin\s+N?'[^']{1,128}+'\s*,\s*|password\s+(?:NULL|N?'[^']{0,128}+')\s*,\s*))(?=N?')"
)
_DUPLICATE = re.compile(r"Duplicate entry \\?'(.{1,512}?)\\?' for key \\?'([\w.\-]{1,128}+)")
_INSERT = re.compile(
    r"[iIrR](?<!\w.)(?i:(?:(?<=i)nsert|(?<=r)eplace)\s+(?:\w+\s+)?into)\s+[\w.\"`\[\]]{1,200}+\s*\(([^()]{1,4000}+)\)\s*(?i:VALUES)\s*(?=\()"
)
_NAME = re.compile(r"[^\s,\"`\[\]]+")
_ITEM = re.compile(
    r"(?:[eEbBnNxX]?'(?:[^'\\]|\\.|'')*+'?|\((?:[^()']|'(?:[^'\\]|\\.|'')*+'?)*+\)?|[^(),'])*+", re.DOTALL
)
_LITERAL = re.compile(r"\s*(?:\w{1,32}\()?(?:[eEbBnNxX]?'|\d)")


def mask_sql_parameters(text: str, scan: Scan) -> str:
    """Mask the values of statements, parameters and rows."""
    if "(" in text:
        if "[parameters: " in text or "Failing row" in text:
            text = _masked(text, _PARAMETERS, scan)
        if any(scan.may_hold(part) and word in text for word, part in _WORDS.items()):
            text = _masked(text, _ARGUMENTS, scan)
        if scan.may_hold("into") and "into" in text.lower():
            text = _mask_inserts(text, scan)
    if scan.may_hold("arameter") and "arameter" in text:
        text = _mask_numbered(text, scan)
    if any(map(scan.may_hold, _STATED)) and (
        "'" in text or '"' in text or "DENTIFIED" in text or "dentified" in text
    ):
        lowered = text.lower()
        if any(word in lowered for word in _STATED):
            text = _masked(text, _STATEMENT, scan)
    return _mask_duplicates(text, scan) if scan.may_hold("duplicate") and "'" in text else text


def _masked(text: str, pattern: re.Pattern[str], scan: Scan) -> str:
    """Mask the value behind each match."""
    parts, done = [], 0
    for match in pattern.finditer(text):
        scan.look()
        if match.start() < done:
            continue
        span = secret_span(Place(text, match.end(), Secrecy.SECRET), scan)
        if span is not None:
            parts += [text[done : span[0]], scan.found("sql: parameters")]
            done = span[1]
    return "".join([*parts, text[done:]]) if parts else text


def _mask_numbered(text: str, scan: Scan) -> str:
    parts, done = [], 0
    for match in _NUMBERED.finditer(text):
        values = _VALUES.match(text, match.end())
        if values is None or values.group() in {"***", "null"} or match.start() < done:
            continue
        scan.look()
        parts += [text[done : match.end()], scan.found("sql: parameters")]
        done = values.end()
    return "".join([*parts, text[done:]]) if parts else text


def _mask_duplicates(text: str, scan: Scan) -> str:
    """The value stands before the name of its key."""
    if "Duplicate entry" not in text:
        return text

    def masked(match: re.Match[str]) -> str:
        scan.look()
        if not scan.secrecy(match[2]) or match[1] == "***":
            return match.group()
        return match.group().replace(match[1], scan.found(f"text: {match[2]}"), 1)

    return _DUPLICATE.sub(masked, text)


def _mask_inserts(text: str, scan: Scan) -> str:
    """Mask the literals of an INSERT that stand in columns with secret names."""
    parts, done = [], 0
    for match in _INSERT.finditer(text):
        if match.start() < done:
            continue
        scan.look()
        columns = _NAME.findall(match[1])
        secret = judged(columns, scan)
        if not secret:
            continue
        for start, end in _literals(text, match.end(), [name in secret for name in columns], scan):
            parts += [text[done:start], f"'{scan.found('sql: column')}'"]
            done = end
    return "".join([*parts, text[done:]]) if parts else text


def _literals(text: str, at: int, secret: list[bool], scan: Scan) -> list[Span]:
    spans: list[Span] = []
    column = 0
    while text[at : at + 1] == "(" or (column and text[at : at + 1] == ","):
        column = 0 if text[at] == "(" else column
        item = _ITEM.match(text, at + 1)
        end = item.end() if item else at + 1
        if column < len(secret) and secret[column] and _LITERAL.match(text, at + 1, end):
            scan.look()
            start = at + 1 + len(text[at + 1 : end]) - len(text[at + 1 : end].lstrip())
            if text[start:end] != "'***'":
                spans.append((start, start + len(text[start:end].rstrip())))
        column += 1
        at = end
        if text[at : at + 1] == ")":
            column = 0
            at += 1
            while text[at : at + 1] in {",", " ", "\n"}:
                at += 1
    return spans
