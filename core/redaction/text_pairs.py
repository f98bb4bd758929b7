"""Names and values in texts that no sign joins: pairs, objects of a name and a value, forms, reports.

``('Authorization', 'S')``, ``["password", "S"]``; ``name="x-api-key" value="S"``, in either order; a part of
a multipart form; the field and the input in a report of pydantic or FastAPI.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterator

from logweir.redaction.names import Secrecy
from logweir.redaction.scan import Scan
from logweir.redaction.text_names import judged, mask_behind, value_behind
from logweir.redaction.text_places import Place, Span, lowered
from logweir.redaction.text_values import secret_span

__all__ = ["mask_pairs"]

_PAIR = re.compile(r"[(\[]\s{0,8}[bBuU]?\\{0,16}[\"']([\w.\-]{1,128}+)\\{0,16}[\"']\s?,\s{0,8}")
_PAIR_END = re.compile(r"\\{0,16}[\"']?(?:>>)?\s{0,8}(?:[)\]}]|\Z)")
#: What joins the two in Erlang, Lisp and Clojure, serialized PHP, and where one stands for a missing other.
_JOINED = re.compile(
    r"[{(:s](?:(?<=\{)\s?(?=[\w\"'.\-]{1,128}\s?,)|(?<=\()(?=[\w\-]{1,128} \. )"
    # What is followed by a sign of its own is the next name and no value: `:password "password": "S"`.
    r"|(?<=:)(?<![\w:]:)(?=[\w\-?!]{1,64} {1,8}\"(?![^\"\n]{0,128}\"\s?[:=][\s\"']))"
    r"|(?<=s):\d{1,4}:(?=\\?\"))"
    r"\\?[\"']?([\w.\-]{1,128}+)\\?[\"'\])]{0,4}"
    r"(?:\s?,\s{0,8}(?:<<)?(?=[\"'])| \. (?=\\?\")| {1,8}(?=\")|;s:\d{1,9}:(?=\\?\"))"
)
_INSTEAD = re.compile(r"(?<![\w.])([\w.]{1,128}+)[\"'\])]{0,4} (?:\|\||\?\?|or) (?=[\"'])")
_INSTEADS = tuple(f" {sign} {quote}" for sign in ("||", "??", "or") for quote in "\"'")
_NAME_ITSELF = re.compile(r"[A-Za-z_]{1,64}")

# As in `texts`: the reversed text is searched from the sign backwards.
_NAME_KEYS = (
    "name key header field variable var env param parameter option setting property attribute attr label "
    "path id k n"
)
_VALUE_KEYS = (
    "value val v data raw content secretstring secret_string default default_value new_value newvalue "
    "old_value"
)
#: What it was and what it is: more than one of them may stand beside a name.
_CHANGE_KEYS = "old new before after previous current fromstring tostring old_value new_value"
_REVERSED_KEYS = "|".join(
    key[::-1] for key in {*_NAME_KEYS.split(), *_VALUE_KEYS.split(), *_CHANGE_KEYS.split()}
)
#: In lower case, for each letter would be tried in both.
_KEY = re.compile(rf"[=:]\s?[\"'\\]{{0,17}}+(?=\w)({_REVERSED_KEYS})(?!\w)")
_NAMED = re.compile(
    r"\s{0,8}\\{0,16}[\"']?(?:/(?:[\w.\-~]{1,64}+/){0,8}+)?([\w.\-]{1,128}+)\\{0,16}[\"']?(?=[\s,;/}>\\])"
)
_ANOTHER_OBJECT = re.compile(r"[{}<>]")
_BEHIND, _BEFORE = 200, 1024

_LOCATION = re.compile(
    r"loc\\{0,16}[\"']?\s?[:=]\s{0,8}[(\[](?:[^()\[\]]{0,200},)?\s{0,8}\\{0,16}[\"']([\w.\-]{1,128}+)\\{0,16}[\"']\s?,?\s{0,8}[)\]]"
)
_INPUT_NEXT = re.compile(r"[^{}<>]{0,400}?(?<!\w)input\\{0,16}[\"']?\s?[:=]")
_FIELD_REPORT = re.compile(
    r"(?:\n|\\n)[ \t]*((?:[\w\-]{1,64}+\.)*+[\w\-]{1,64}+)(?:\r?\n|\\n)[^\n\\]{0,400}?\binput_value="
)

_END_OF_LINE = r"(?:\r?\n|\\r\\n|\\n)"
_FORM_PART = re.compile(
    rf"name=\\{{0,16}}\"([\w.\-\[\]]{{1,128}}+)\\{{0,16}}\"[^\r\n\\]{{0,200}}+"
    rf"(?:{_END_OF_LINE}[^\r\n\\:]{{1,64}}+:[^\r\n\\]{{0,200}}+){{0,4}}+{_END_OF_LINE}{_END_OF_LINE}"
)
_BOUNDARY = re.compile(rf"{_END_OF_LINE}--")


def mask_pairs(text: str, scan: Scan) -> str:
    """Mask the values of names that stand beside them, without a sign between."""
    if "," in text:
        text = mask_behind(text, _PAIR, scan, _second)
        if "loc" in text:
            text = mask_behind(text, _LOCATION, scan, _input)
    text = mask_behind(text, _JOINED, scan)
    if any(sign in text for sign in _INSTEADS):
        text = mask_behind(text, _INSTEAD, scan)
    if "input_value=" in text:
        text = mask_behind(text, _FIELD_REPORT, scan)
    if "name=" in text:
        text = mask_behind(text, _FORM_PART, scan, _part)
    return _mask_beside(text, scan)


def _second(match: re.Match[str], secrecy: Secrecy, scan: Scan) -> Span | None:
    span = value_behind(match, secrecy, scan)
    if span is None or _PAIR_END.match(match.string, span[1]) is None:
        return None
    word = match.string[span[0] : span[1]][:65]  # a list of names, such as those of missing fields
    return None if _NAME_ITSELF.fullmatch(word) and scan.secrecy(word) else span


def _input(match: re.Match[str], secrecy: Secrecy, scan: Scan) -> Span | None:
    found = _INPUT_NEXT.match(match.string, match.end())
    return value_behind(found, secrecy, scan) if found else None


def _part(match: re.Match[str], _secrecy: Secrecy, _scan: Scan) -> Span | None:
    at = match.end()
    boundary = _BOUNDARY.search(match.string, at)
    end = boundary.start() if boundary else len(match.string)
    return (at, end) if end - at > 0 and match.string[at:end] != "***" else None


def _mask_beside(text: str, scan: Scan) -> str:
    """Mask the value of an object that has a secret name as the value of ``name``, in either order."""
    backwards = lowered(text).replace("\u017f", "s").replace("\u0131", "i")[::-1]
    keys = [
        (len(text) - key.start(), len(text) - key.end(), key[1][::-1]) for key in _KEY.finditer(backwards)
    ]
    if not keys:
        return text
    values = [(start, at) for at, start, key in reversed(keys) if key in _IS_VALUE]
    changes = {at for at, _, key in keys if key in _IS_CHANGE}
    named = [
        (start, _NAMED.match(text, at))
        for at, start, key in reversed(keys)
        if values and key not in _IS_VALUE
    ]
    secret = judged([name[1] for _, name in named if name], scan)
    if not secret:
        return text
    parts, done = [], 0
    for start, name in named:
        if name is None or name[1] not in secret or start < done:
            continue
        scan.look()
        for span in _beside(text, (values, changes), (start, name.end()), secret[name[1]], scan):
            if span[0] >= done:
                parts += [text[done : span[0]], scan.found(f"text: {name[1]}")]
                done = span[1]
    return "".join([*parts, text[done:]]) if parts else text


def _beside(
    text: str, known: tuple[list[Span], set[int]], name: Span, secrecy: Secrecy, scan: Scan
) -> Iterator[Span]:
    """Yield the value behind a name, or else before it, within one object; of changes each."""
    values, changes = known
    index = first = bisect(values, (name[1], 0))
    end = name[1]
    while index < len(values) and values[index][0] - end <= _BEHIND:
        start, at = values[index]
        if (index > first and at not in changes) or _ANOTHER_OBJECT.search(text, end, start):
            break
        span = secret_span(_value(text, at, secrecy), scan)
        if span is not None:
            yield span
        end = max(at, span[1] if span else at)
        index += 1
        if at not in changes:
            return
    if index == first and index and name[0] - values[index - 1][0] <= _BEFORE:
        start, at = values[index - 1]
        if not _ANOTHER_OBJECT.search(text, at, name[0]):
            span = secret_span(_value(text, at, secrecy), scan)
            if span is not None and span[1] <= name[0]:
                yield span


def _value(text: str, at: int, secrecy: Secrecy) -> Place:
    """The place of a value beside its name; a container there is the value as a whole."""
    return Place(text, at, secrecy, many=text[at : at + _NEAR].lstrip()[:1] in {"{", "[", "("})


_NEAR = 8
_IS_CHANGE = frozenset(_CHANGE_KEYS.split())
_IS_VALUE = frozenset(_VALUE_KEYS.split()) | _IS_CHANGE
