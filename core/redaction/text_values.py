"""Where the value behind a name and its sign ends: quoted, wrapped, a container, a header's line, bare words.

A value is read once and left behind, so that a text is read once too, however many names it has. Where it is
open whether a value has ended, it goes on: rather a word too many is masked than half a secret left. A quote
that never closes reaches to the end, because texts are cut.
"""

from __future__ import annotations

import re

from logweir.redaction.headers import has_masked_parameters, header_span
from logweir.redaction.names import Secrecy
from logweir.redaction.prose import is_hidden_at, is_placeholder, is_said, plain_value
from logweir.redaction.scan import OF_MATCH, Scan
from logweir.redaction.text_places import Place, Span, behind
from logweir.redaction.values import is_kept

__all__ = ["secret_span"]

_QUOTE = re.compile(
    r"'\"'\"'|'\\''|&quot;|&#3[49];|&apos;|\\u002[27]|\\x2[27]"
    r"|(?:[bBuUrRfF@NnE$]{0,2})(?P<escapes>\\{0,32})(?P<quote>\"\"\"|'''|[\"'`“«„])"
)
_CLOSING = {"“": "”", "«": "»", "„": "“"}
# A quote that a word follows is an apostrophe of the value; '' and '"'"' and '\'' are one, to SQL and shells.
_QUOTED = {
    "'": re.compile(r"(?:[^'\\]|\\'''?(?!\w)|\\.|''|'\"'\"'|'\\''|'(?=\w))*+", re.DOTALL),
    '"': re.compile(r"(?:[^\"\\]|\\.|\"\"(?!\s*[,:}\])])|\"(?=\w))*+", re.DOTALL),
    "`": re.compile(r"(?:[^`\\]|\\.)*+", re.DOTALL),
}
_ESCAPED_QUOTE = {quote: re.compile(rf"\\*{quote}") for quote in "\"'`"}

_NAME_AND_SIGN = r"(?:amp;|#38;|u0026)?[\"']?[\w.\-\[\]$%]{1,64}+[\"']?[ ]?(?:=|:(?!//))"
#: Behind a semicolon or a comma also names of several words, as in ``Password=…;User Id=…``.
_NAMES_AND_SIGN = rf"(?:{_NAME_AND_SIGN}|[A-Za-z]\w{{0,32}}(?:[ ][A-Za-z]\w{{0,32}}){{1,2}}[ ]?=)"
#: A sign that ends values ends this one only where something new begins behind it.
_BARE_SIGNS = (
    r"[^\s\"'`,;&|)\]}>\\<]"
    rf"|[,;&|](?![\s,;&|)\]}}\"'`\\]|\Z|[ ]?{_NAMES_AND_SIGN})"
    r"|[)\]}>\"'`](?=\w)|<(?![/\w])"
    r"|\\(?!\\*[\"'`]|[nrt](?:[\s\\]|\Z|[\w.-]{1,64}+\s?[=:])|u00(?:2[267]|3[ce]))"
)
_BARE = re.compile(rf"(?:{_BARE_SIGNS})*+")
_BARE_LINE = re.compile(
    rf"(?:{_BARE_SIGNS}|[ \t]++(?!#|[ \t]|\Z|{_NAME_AND_SIGN})(?=[^\s\"'`,;&|)\]}}>\\<]))*+"
)
_MORE_OF_MANY = re.compile(rf"(?:,[ ]?(?!{_NAME_AND_SIGN})(?:{_BARE_SIGNS})++)*+")
#: A name of its own, as in ``auth: method=password``.
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w{0,30}=(?:\w|\*{3})")
_ALREADY = re.compile(r"(?:[A-Za-z][\w-]{1,24}+[ \t]+)?\*{3}\.?(?![^\s\"'`,;&|)\]}>\\<])")

_WRAPPER = re.compile(r"[A-Za-z_][\w.]{0,63}+(?=[\(\[{])")
#: A quote that closes the text of a prompt, as in ``getpass('Password: ')``.
_PROMPT_ENDS = re.compile(r"\\{0,16}[\"'](?<= .)(?=[,)\]}]|\Z)")
_BLANKS = re.compile(r"[ \t]*+")
_UNBROKEN = re.compile(r"\S*+")
_BINARY = re.compile(r"(?:<<(?=\"))?")  # of Erlang
_PHP_TYPE = re.compile(r"(?:string\(\d{1,9}\) (?=\"))?")
_OPENERS = "([{"
_IN_CONTAINER = re.compile(r"\"(?:[^\"\\]|\\.)*+\"?|'(?:[^'\\]|\\.)*+'?|[()\[\]{}]", re.DOTALL)
_NAMES_INSIDE = re.compile(
    r"\"(?:[^\"\\]|\\.)*+\"?(\s*+:)?|'(?:[^'\\]|\\.)*+'?(\s*+:)?|(\w\s?+[=:])|[()\[\]{}]", re.DOTALL
)
#: A name in a container that says no more than the container's own.
_VALUE_INSIDE = re.compile(
    r"[vVsSdDrRcCkKpPoOnN](?<![\w-].)(?i:(?<=v)alue|(?<=s)ecret(?:_value)?|(?<=d)ata|(?<=r)aw|(?<=c)ontent"
    r"|(?<=k)ey|(?<=p)lain(?:_?text)?|(?<=o)ld|(?<=n)ew)\\{0,16}[\"']?\s?[:=]"
)
#: In a session it opens the session, unless it is a number.
_ID_INSIDE = re.compile(
    r"[iI](?<![\w-].)[dD]\\{0,16}[\"']?\s?[:=]\s?+(?!\\{0,16}[\"']?\d{1,18}\\{0,16}[\"']?[\s,)}\]])"
)
#: What a plan of changes says it will be.
_CHANGED = re.compile(r"([\"']) (?:->|=>) [\"']([^\"'\n]{1,512}+)(?=\1)")
_ANGLES = re.compile(r"<(?!/)([^<>\r\n]{1,512}+)>")
_ONE_WORD = re.compile(r"[A-Za-z_-]{1,32}")
_SAYS_WHAT_IT_IS = re.compile(r"\w=| at 0x")
_NEAR = 256
_SHORTEST_CODE = 6
_LONGEST_WALKED = 4096
_LOOKS_FOR_A_VALUE = 4  # beside the one for its name

_BLOCK = re.compile(r"(?:!\S+[ ]+)?[|>][+-]?\d?[+-]?[ \t]*(?:#[^\n]*)?\r?\n(?=([ \t]*))")
_LIST = re.compile(r"[ \t]*\r?\n([ \t]*)-[ ]+(?=[^\s:=]+[ \t]*(?:\r?\n|\Z))")
_MAPPING = re.compile(
    r"\r?\n([ \t]+)[\w.\-]{1,128}+:[ \t]+[^\s*|>&{\[][^\n]*+(?:\n\1[\w.\-]{1,128}+:[ \t]+[^\n]*+)*+(?=\n|\Z)"
)
_TAG = re.compile(r"(?:![\w!/:.-]*|&\w+)[ \t]+(?=\S)")


def secret_span(place: Place, scan: Scan) -> Span | None:
    """Return where the secret begins and ends; ``None`` where there is none, or it is masked already."""
    for _ in range(_LOOKS_FOR_A_VALUE):
        scan.look()
    text, at = place.text, behind(_BLANKS, place.text, place.at)
    if at >= len(text):
        return None
    if text[at] in "\r\n|>!":
        block = _block(place, at) or _mapping(place, at)
        if block is not None or text[at] in "\r\n":
            return block if block is not None else _on_next_line(place, at, scan)
        tag = _TAG.match(text, at)
        at = tag.end() if tag else at
    if place.quote and text[at] == place.quote and not text[at + 1 : at + 2].isalnum():
        return None
    if place.colon and _PROMPT_ENDS.match(text, at):
        return None
    return _on_line(place, behind(_PHP_TYPE, text, at), scan)


def _on_line(place: Place, at: int, scan: Scan) -> Span | None:
    text = place.text
    at = behind(_BINARY, text, at)
    quote = _QUOTE.match(text, at)
    if quote is not None:
        return _quoted(place, quote, scan)
    if is_hidden_at(text, at) or text.startswith("ConvertTo-SecureString", at):
        return None  # the second is a command, which is read by itself
    if text[at] in _OPENERS:
        return _container(place, at, at, scan)
    if text[at] == "<":
        return _angles(place, at)
    wrapper = _WRAPPER.match(text, at)
    return _container(place, at, wrapper.end(), scan) if wrapper is not None else _bare(place, at)


# --- quoted ------------------------------------------------------------------------------------------------


def _quoted(place: Place, match: re.Match[str], scan: Scan) -> Span | None:
    text, start = place.text, match.end()
    end = _end_of_quoted(text, match, scan)
    value = text[start : min(end, start + _LONGEST_WALKED)]
    changed = _CHANGED.match(text, end)
    if changed is not None and not is_placeholder(changed[2]):
        return start, changed.end(2)
    if not value.strip() or is_placeholder(value) or _ALREADY.fullmatch(value):
        return None
    if is_kept(value, place.secrecy) or (place.secrecy is Secrecy.CREDENTIAL and _says_nothing(value)):
        return None
    return start, end


def _says_nothing(value: str) -> bool:
    """Whether a parser quotes what it met, such as a brace, beside the word *token*."""
    return not any(map(str.isalnum, value)) or (value.isdigit() and len(value) < _SHORTEST_CODE)


def _end_of_quoted(text: str, match: re.Match[str], scan: Scan) -> int:
    quote, escapes = match["quote"], len(match["escapes"] or "")
    if quote is None:  # written as an entity or an escape, and closed by the same
        end = text.find(match.group(), match.end())
    elif len(quote) == 3:  # noqa: PLR2004 - a triple quote
        end = text.find(quote, match.end())
        if end < 0:
            return behind(_UNBROKEN, text, match.end())
    elif quote in _CLOSING:
        end = text.find(_CLOSING[quote], match.end())
    elif not escapes:
        return behind(_QUOTED[quote], text, match.end())
    else:
        end = _end_of_escaped(text, match.end(), quote, escapes, scan)
    return len(text) if end < 0 else end


def _end_of_escaped(text: str, at: int, quote: str, escapes: int, scan: Scan) -> int:
    """Return where a quoted text within quoted texts ends.

    Each level doubles the backslashes and adds one: a quote closes if it has as many as the opening one, or
    so many more that they stand for whole backslashes of the value; with fewer an outer text ends. Python's
    repr of JSON doubles the backslash of a quote in a value and not the quote's own: a word follows that one.
    """
    for found in _ESCAPED_QUOTE[quote].finditer(text, at):
        run = found.end() - found.start() - 1
        ends = run < escapes or run % (2 * (escapes + 1)) == escapes
        if ends and not (run > escapes and text[found.end() : found.end() + 1].isalnum()):
            return found.end() - 1 - min(run, escapes)
        scan.look()
    return -1


# --- containers --------------------------------------------------------------------------------------------


def _container(place: Place, start: int, opening: int, scan: Scan) -> Span | None:
    """Mask a container as a whole; beside a credential's name only one of plain values, others are walked."""
    text = place.text
    if place.secrecy is Secrecy.CREDENTIAL and not place.many and _is_walked(place, opening):
        return None
    end = _end_of_container(text, opening, scan)
    inside = text[opening + 1 : min(end - 1, opening + _LONGEST_WALKED)].strip(" \t\r\n,\"'[](){}buU")
    if not inside or is_placeholder(inside):
        return None
    if is_kept(plain_value(inside), place.secrecy) and text[start : start + 5].lower() not in {
        "byte",
        "bytes",
    }:
        return None
    return start, _without_full_stop(text, start, behind(_BARE, text, end))


def _angles(place: Place, at: int) -> Span | None:
    """Mask what an object says about itself, as in ``<Token abc>``; ``<password>`` stands for a value."""
    found = _ANGLES.match(place.text, at)
    if found is None or _ONE_WORD.fullmatch(found[1]):
        return None
    if place.secrecy is Secrecy.CREDENTIAL and _SAYS_WHAT_IT_IS.search(found[1]):
        return None
    return at, behind(_BARE, place.text, found.end())


def _is_walked(place: Place, opening: int) -> bool:
    """Whether a container has names of its own, by which its values are judged."""
    text = place.text
    if _VALUE_INSIDE.search(text, opening, opening + _NEAR):
        return False
    if place.session and _ID_INSIDE.search(text, opening, opening + _NEAR):
        return False
    for found in _NAMES_INSIDE.finditer(text, opening + 1, opening + _LONGEST_WALKED):
        if any(found.groups()):
            return True
        if found.group() in ")]}":
            return False
    return False


def _end_of_container(text: str, opening: int, scan: Scan) -> int:
    depth = 0
    for found in _IN_CONTAINER.finditer(text, opening):
        scan.pay(OF_MATCH)
        sign = found.group()
        if sign in "([{":
            depth += 1
        elif sign in ")]}":
            depth -= 1
            if not depth:
                return found.end()
    return len(text)


# --- lines -------------------------------------------------------------------------------------------------


def _block(place: Place, at: int) -> Span | None:
    """Return the lines of a block of YAML, or the items of a list, that belong to the name."""
    text = place.text
    found = _BLOCK.match(text, at)
    start = found.end() if found else -1
    if found is None:
        found = _LIST.match(text, at)
        if found is None or len(found[1]) < place.indent:
            return None
        start = found.end()
    elif len(found[1]) <= place.indent:
        return None
    least = len(found[1])
    end = start
    while end < len(text):
        next_line = text.find("\n", end) + 1 or len(text)
        rest = text[next_line : next_line + least + 1]
        end = next_line
        if next_line == len(text) or (rest.strip() and len(rest) - len(rest.lstrip(" \t")) < least):
            break
        if text[found.start()] in "\r\n" and rest[least:] != "-" and rest.strip():
            break
    start += len(found[1]) if text[found.start()] not in "\r\n" else 0
    end = start + len(text[start:end].rstrip())
    return None if is_placeholder(text[start:end]) else (start, end)


def _mapping(place: Place, at: int) -> Span | None:
    """Return the lines of a mapping below the plural of a password's name, which are one secret each."""
    if not place.many or place.secrecy is not Secrecy.SECRET:
        return None
    found = _MAPPING.match(place.text, at)
    if found is None or len(found[1]) <= place.indent:
        return None
    lines = found.group().rstrip()
    return (found.start(1) + len(found[1]), at + len(lines))


def _on_next_line(place: Place, at: int, scan: Scan) -> Span | None:
    """A quoted value may stand on the line behind the name."""
    while at < len(place.text) and place.text[at] in " \t\r\n":
        at += 1
    at = behind(_PHP_TYPE, place.text, at)
    quote = _QUOTE.match(place.text, at)
    return _quoted(place, quote, scan) if quote is not None and quote["quote"] in {'"', "'"} else None


def _bare(place: Place, at: int) -> Span | None:
    text = place.text
    end = behind(_BARE, text, at)
    if end == at or _ALREADY.match(text, at):
        return None
    word = text[at:end] if end - at <= _LONGEST_WALKED else ""
    if is_placeholder(word) or text.startswith("//", at):
        return None
    if place.header and has_masked_parameters(text, at):
        return None
    if place.header and (line := header_span(place, at, end)) is not None:
        return line
    if word and _is_no_value(place, at, word):
        return None
    if place.line and place.secrecy is Secrecy.SECRET:
        end = behind(_BARE_LINE, text, at)
    if place.many:
        end = behind(_MORE_OF_MANY, text, end)
    return at, _without_full_stop(text, at, end)


def _is_no_value(place: Place, at: int, word: str) -> bool:
    """Whether a bare word says how things stand."""
    secrecy = place.secrecy
    number = word.rstrip(".")
    is_code = number.isdigit() and len(number) >= _SHORTEST_CODE and not place.counts
    if is_kept(number if is_code else plain_value(number), secrecy):
        return True
    if secrecy is Secrecy.CREDENTIAL and (
        not any(map(str.isalnum, word)) or (place.colon and _ASSIGNMENT.match(word))
    ):
        return True
    return place.colon and is_said(place.text, at, at + len(word), secrecy)


def _without_full_stop(text: str, at: int, end: int) -> int:
    """Leave the full stop of a sentence where it is."""
    return end - 1 if end - at > 1 and text[end - 1] == "." and text.find(".", at, end) == end - 1 else end
