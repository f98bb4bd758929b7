"""Secrets in tables of text: a column with a secret name, of psql and mysql, PowerShell, or a file of commas.

A table is a header, a line of dashes, and rows as wide; a file of commas has its names in its first line.
"""

from __future__ import annotations

import re
from itertools import pairwise

from logweir.redaction.names import Secrecy
from logweir.redaction.prose import is_placeholder
from logweir.redaction.scan import Scan
from logweir.redaction.text_places import Span
from logweir.redaction.values import is_kept

__all__ = ["mask_tables"]

_RULE = re.compile(r"[ \t]*[+|]?[-=+| :]*(?:-{3}|={3}|--)[-=+| :]*")
_DASHES = re.compile(r"(?:-{2,}|={2,})")
_CELL = re.compile(r"[^|\u2502]*")
_NAME = re.compile(r"[\"']?[^\W\d][\w. /@-]{0,63}[\"']?")
_SEPARATORS = ",;\t"
_LONGEST_LINE = 4096
_MOST_LINES = 2000


def mask_tables(text: str, scan: Scan) -> str:
    """Mask the cells of columns with secret names."""
    if "\n" not in text:
        return text
    lines = text.split("\n")
    if len(lines) > _MOST_LINES:
        return text
    spans = _file_of_separators(lines, scan)
    if "--" in text or "==" in text:
        spans += _tables(lines, scan)
    if not spans:
        return text
    parts, done = [], 0
    for start, end in sorted(spans):
        if start >= done:
            parts += [text[done:start], scan.found("table: column")]
            done = end
    return "".join([*parts, text[done:]])


def _tables(lines: list[str], scan: Scan) -> list[Span]:
    spans: list[Span] = []
    offsets = _offsets(lines)
    for number, (header, rule) in enumerate(pairwise(lines)):
        if len(header) > _LONGEST_LINE or not _RULE.fullmatch(rule) or not header.strip():
            continue
        scan.look()
        bars = "|" in header or "\u2502" in header
        columns = [] if bars else [dash.span() for dash in _DASHES.finditer(rule)]
        cells = _bars(header) if bars else _columns(header, columns)
        secret = _secret([header[start:end] for start, end in cells], scan)
        if not secret:
            continue
        for row in range(number + 2, len(lines)):
            line = lines[row].rstrip("\r")
            if not line.strip():
                break
            if _RULE.fullmatch(line):
                continue
            found = _bars(line) if bars else _columns(line, columns)
            if len(found) != len(cells):
                break
            scan.look()
            spans += _chosen(line, found, secret, offsets[row])
    return spans


def _file_of_separators(lines: list[str], scan: Scan) -> list[Span]:
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None or len(lines[first]) > _LONGEST_LINE:
        return []
    header = lines[first].rstrip("\r")
    separator = next((sign for sign in _SEPARATORS if sign in header), "")
    names = header.split(separator) if separator else []
    if len(names) < 2 or not all(_NAME.fullmatch(name.strip()) for name in names):  # noqa: PLR2004 - a table
        return []
    secret = _secret(names, scan)
    if not secret:
        return []
    spans: list[Span] = []
    offsets = _offsets(lines)
    for row in range(first + 1, len(lines)):
        line = lines[row].rstrip("\r")
        cells = _separated(line, separator)
        if len(cells) != len(names):
            break
        scan.look()
        spans += _chosen(line, cells, secret, offsets[row])
    return spans


def _secret(names: list[str], scan: Scan) -> dict[int, Secrecy]:
    judged = {
        number: scan.secrecy(name.strip(" \t\r\"'")) for number, name in enumerate(names) if name.strip()
    }
    return {number: secrecy for number, secrecy in judged.items() if secrecy}


def _chosen(line: str, cells: list[Span], secret: dict[int, Secrecy], offset: int) -> list[Span]:
    spans = []
    for number, secrecy in secret.items():
        start, end = cells[number]
        value = line[start:end]
        start, end = (
            start + len(value) - len(value.lstrip(" \t\"'")),
            end - len(value) + len(value.rstrip(" \t\"'")),
        )
        word = line[start:end]
        if start < end and not is_placeholder(word) and not is_kept(word, secrecy):
            spans.append((offset + start, offset + end))
    return spans


def _offsets(lines: list[str]) -> list[int]:
    offsets, at = [], 0
    for line in lines:
        offsets.append(at)
        at += len(line) + 1
    return offsets


def _bars(line: str) -> list[Span]:
    return [cell.span() for cell in _CELL.finditer(line) if cell.end() > cell.start()]


def _columns(line: str, columns: list[Span]) -> list[Span]:
    """Return the cells below the dashes; each reaches to the next, and the last to the end."""
    ends = [start for start, _ in columns[1:]] + [len(line)]
    return [
        (min(start, len(line)), min(end, len(line))) for (start, _), end in zip(columns, ends, strict=True)
    ]


def _separated(line: str, separator: str) -> list[Span]:
    cells: list[Span] = []
    start, quoted = 0, False
    for at, sign in enumerate(line):
        if sign == '"':
            quoted = not quoted
        elif sign == separator and not quoted:
            cells.append((start, at))
            start = at + 1
    return [*cells, (start, len(line))]
