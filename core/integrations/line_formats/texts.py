"""Lines that are text: the patterns of known formats, logfmt, and time and level in any other line. Pure."""

from __future__ import annotations

import re
from datetime import tzinfo
from typing import Any

from logweir.integrations.line_formats.table import PRESETS, Preset
from logweir.integrations.line_formats.values import LEVEL_NAMES, TIME_SHAPES, text_time

__all__ = ["Texts", "found_level", "found_time"]

_LONGEST = 16_384
_TEXTS = tuple(
    (pattern.begins, pattern.contains, re.compile(pattern.regex, re.DOTALL), preset)
    for preset in PRESETS
    for pattern in preset.patterns
)
_DIGITS = 18

#: Where a line may say its time and its level: before its message.
_HEAD = 96
_BEFORE_TIME = re.compile(r"(?:[A-Z]{4,8}:? +)?[\[(<\"']?")
_TIME_BEFORE = tuple(re.compile(shape.pattern, shape.flags) for shape in TIME_SHAPES)
_EPOCH = re.compile(r"\d{10}(?:\.\d{1,9})?(?= )|\d{13}(?= )")
#: Upper case alone is a level in a text; in brackets, or behind `level=`, other spellings are, too.
_WORDS = re.compile(r"(?<![\w=.-])[A-Z]{3,13}(?![\w=.-])")
_UPPER = {
    name.upper(): level.name for name, level in LEVEL_NAMES.items() if name not in {"default", "config"}
}
_MARKED = re.compile(r"[\[(<]\s*([A-Za-z]{3,13})\s*[\])>]|\b(?:level|lvl|severity)=\"?([A-Za-z]+)")
_KLOG = re.compile(r"([IWEF])(\d\d)(\d\d) (\d\d:\d\d:\d\d\.\d{1,9}) ")
_KLOG_LEVELS = {"I": "info", "W": "warning", "E": "error", "F": "critical"}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LOGFMT_BEGINS = re.compile(r"(?:time|ts|level|lvl|msg)=")
_LOGFMT = re.compile(r'([^\s="]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))(?:\s+|$)')
_ESCAPED = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class Texts:
    """Recognises lines of text; the format of the line before is tried first.

    Args:
        preset: The format of all lines; None to recognise each.
        own: An expression of the user's, whose groups are fields.
    """

    def __init__(self, preset: Preset | None, own: str | None) -> None:
        known = [entry for entry in _TEXTS if preset is None or entry[3] is preset]
        # What was asked for comes first; a line of another format is recognised all the same.
        rest = (
            [entry for entry in _TEXTS if entry not in known]
            if preset is not None and preset.patterns
            else []
        )
        self._patterns = [*known, *rest]
        self._own = re.compile(own, re.DOTALL) if own else None

    def fields_of(self, text: str) -> tuple[dict[str, Any], Preset | None] | None:
        """The fields of a line and its format (None for the user's own); None where it fits no pattern."""
        if self._own is not None and (match := self._own.fullmatch(text)) is not None:
            return {name: value for name, value in match.groupdict().items() if value is not None}, None
        if len(text) > _LONGEST:
            return None
        for index, (begins, contains, pattern, preset) in enumerate(self._patterns):
            if contains not in text or (begins and text[0] not in begins):
                continue
            match = pattern.fullmatch(text)
            if match is not None:
                if index:
                    self._patterns.insert(0, self._patterns.pop(index))
                return _typed(match, preset), preset
        fields = _logfmt(text) if _LOGFMT_BEGINS.match(text) is not None else None
        return None if fields is None else (fields, None)


def _typed(match: re.Match[str], preset: Preset) -> dict[str, Any]:
    return {
        name: int(value) if name in preset.numbers and value.isdecimal() and len(value) < _DIGITS else value
        for name, value in match.groupdict().items()
        if value is not None and value != "-"
    }


def _logfmt(text: str) -> dict[str, Any] | None:
    """The fields of ``key=value key="other value"``; None if anything else stands between them."""
    fields: dict[str, Any] = {}
    position = 0
    # Each where the one before ended: a search for the next in a long text that has none is quadratic.
    while (match := _LOGFMT.match(text, position)) is not None and match[1] not in fields:
        position = match.end()
        quoted = match[2]
        fields[match[1]] = (
            match[3]
            if quoted is None
            else _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]), quoted)
        )
    return fields if position == len(text) and len(fields) > 1 else None


def found_time(text: str, zone: tzinfo) -> int | None:
    """The time at the beginning of a line."""
    head = text[:_HEAD]
    if head[1:2].isdecimal() and (klog := _KLOG.match(head)) is not None and "01" <= klog[2] <= "12":
        return text_time(f"{_MONTHS[int(klog[2]) - 1]} {int(klog[3]):2d} {klog[4]}", zone)
    before = _BEFORE_TIME.match(head)
    begins = before.end() if before is not None else 0
    for shape in _TIME_BEFORE:
        match = shape.match(head, begins) or (shape.match(head, 1) if begins > 1 else None)
        if match is not None:
            return text_time(match[0], zone)
    match = _EPOCH.match(head, begins)
    return None if match is None else text_time(match[0], zone)


def found_level(text: str) -> str | None:
    """The level before the message of a line."""
    head = text[:_HEAD]
    if head[1:2].isdecimal() and (klog := _KLOG.match(head)) is not None:
        return _KLOG_LEVELS[klog[1]]
    for word in _WORDS.findall(head):
        if word in _UPPER:
            return _UPPER[word]
    if "[" in head or "=" in head or "(" in head or "<" in head:
        for inside, said in _MARKED.findall(head):
            if (known := _UPPER.get((inside or said).upper())) is not None:
                return known
    return None
