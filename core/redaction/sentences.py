"""Secrets within sentences: ``the password is hunter2``, ``A temporary password is generated for bob: S``.

No sign joins name and value, or other words stand between, so the value itself must show: it is quoted, or it
mixes letters, digits and signs as no word does, or it is a code's digits. A password that is a plain word stays
there. Messages that name a value before its field are read here too: ``Invalid value "S" for parameter "password"``.
"""

# ruff: noqa: E501 - tables of expressions, one form a row
from __future__ import annotations

import re

from logweir.redaction.command_words import mask_places, places
from logweir.redaction.names import Secrecy
from logweir.redaction.prose import is_placeholder
from logweir.redaction.scan import Scan

__all__ = ["SENTENCE_PROBES", "mask_sentences"]

_NAME = r"(?:pass(?:words?|wd|phrase|code)|pwd|secret|token|key|pin|otp|(?<=code )code|code|credentials)"
_LINKS = r"(?:is|was|are|to|now|as|has|been|have|set|reset|changed|updated|generated|for [\w.@-]{1,64})"
_BARE = r"[^\s\"'`=,;()\[\]{}<>]{4,256}+"
_STATED = re.compile(
    rf"(?<![\w-])((?:[\w-]{{1,24}}[ ]){{0,3}}?(?i:{_NAME}))[ ](?!(?i:code|key|token)\b)(?:{_LINKS}:?[ ]){{0,5}}"
    rf"(?:([\"'`])(?P<quoted>[^\s\"'`]{{1,256}}+)\2(?!\w)|(?P<bare>{_BARE}))"
)
_LINKED = re.compile(r"[ ](?:is|was|are|to|now|as):?[ ](?:[\"'`])?\Z")
_PASSWORD = re.compile(r"(?i:pass(?:words?|wd|phrase|code))\Z")
_MIXED = re.compile(
    r"(?=[^\d]*\d)(?=[^A-Za-z]*[A-Za-z])(?!(?:sha|argon|pbkdf|utf|base)-?\d)(?!\d+[A-Za-z]{1,7}\Z).{7,}"
    r"|(?=.*[a-z][A-Z]\w*[a-z]\w*[A-Z])\w{8,}|\d{6,12}"
)
_LONG_MIXED = re.compile(r"(?=(?:\D*\d){2})(?=(?:[^A-Za-z]*[A-Za-z]){2})[\w.~+/=-]{10,}")
_CODE = re.compile(r"\d{4,10}|(?=[A-Z-]*\d)[A-Z0-9]{4,}(?:-[A-Z0-9]{3,}){0,3}")

_DIGITS = r"(?P<b1>(?<![\w.])(?:[A-Z]{1,3}-)?\d{4,8})(?![\w.])"
_KIND = r"(?:[\w-]{1,24} ){0,3}(?i:code|otp|pin|passcode|password)"
#: A value that is mixed as no word is.
_RANDOM = r"(?P<b1>(?=\S{0,63}\d)(?=\S{0,63}[A-Za-z])[^\s\"'`<>]{7,127}[^\s\"'`<>.]|(?=\S{0,63}[*#!$^&%@])[^\s\"'`<>]{7,127}[^\s\"'`<>.])(?![^\s\"'`<>.])"
#: Of passwords, whose word must be there.
_PASSWORDS = places(
    [
        (": ", rf"[pP](?i:ass(?:word|phrase))(?: [\w@.()'\[\]/%-]{{1,64}}){{1,10}} ?(?<!user)(?<!host)(?<!from)(?<!reason)(?<!error)(?<!id)(?<! ip)(?<!at): {_RANDOM}"),
        (": ", r"[pP](?<!ailed .)(?<!nvalid .)(?<!rong .)(?<!ncorrect .)(?<!ad .)(?i:ass(?:word|phrase|code)) for (?:[\w-]{1,32} ){0,3}(?:\"[^\"\n]{1,200}\"|'[^'\n]{1,200}'|\S{1,200}?)(?: is)?: (?P<b1>(?=\S{0,63}\d)(?=\S{0,63}[A-Za-z])[^\s\"'`<>,;]{6,128})(?=[\"']?\s*$)"),
        (":\n", rf"[pP](?i:ass(?:word|phrase))[^\n:=]{{0,160}}:\n{{1,2}}[ \t]*{_RANDOM}[ \t]*$"),
        ("assword", rf"New value: {_RANDOM}"),
        ("PASSWORD ", r"(?<!\w)PASSWORD [\w-]{1,64} = (?P<b1>\S{1,256}+)"),
        (" to: ", r"[pP](?i:assword)[^\n:]{0,80}? (?:set|reset|changed) to: (?P<b1>[^\s\"']{4,256}+)$"),
        (" to ", rf"[pP](?i:assword)[^\n:]{{0,80}}? (?:set|reset|changed) to {_RANDOM}"),
        (" to ", r"[pP](?i:assword)[^\n:]{0,80}? (?:from|to) ([\"'])(?P<b1>[^\"'\s]{1,256}+)\1(?: to ([\"'])(?P<b2>[^\"'\s]{1,256}+)\3)?"),
        (" changed from ", rf"[pP](?i:assword)[^\n:]{{0,80}}? changed from {_RANDOM} to (?P<b2>\S{{4,256}}+)"),
    ],
    re.MULTILINE,
)  # fmt: skip
_PLACES = places(
    [
        ("ogin attempt", r"ogin attempt \[(?:b')?[^\s/\]]{0,128}?'?/(?:b')?(?P<b1>(?:[^\]\n']|'(?!\])){1,256}+)'?\]"),
        ("redential", rf"(?i:credentials?) [\w.@-]{{1,64}}:{_RANDOM}"),
        (" as ", rf"(?i:logg?ing in|log in|login|authenticat\w{{1,6}}|connect\w{{0,4}}) as [\w.@-]{{1,64}}:{_RANDOM}", r" as [\w.@-]{1,64}:"),
        (" is your ", rf"{_DIGITS} is your {_KIND}\b"),
        (" as your ", rf"{_DIGITS} as your {_KIND}\b"),
        ("code ", r"(?i:enter) (?:the |this |your )?(?i:code):? (?P<b1>(?=[A-Z-]{0,16}\d|[A-Z]{3,8}-[A-Z])[A-Z0-9]{3,12}(?:-[A-Z0-9]{3,12}){0,3})(?![\w-])"),
        ("oken now: ", rf"token now: {_RANDOM}"),
    ],
    re.MULTILINE,
)  # fmt: skip
_BEFORE = re.compile(
    r"([\"'`])(?P<value>[^\"'`\n]{1,256}+)\1 (?:for|in|of) (?:(?:the|column|field|parameter|option|argument|property|key|setting) ){0,2}"
    r"(?:([\"'`])-{0,2}([\w.-]{1,128}+)\3|(?:option|argument|flag) -{1,2}([\w-]{1,64}+))"
    r"|String \"(?P<value2>[^\"\n]{1,256}+)\"[^\n]{0,80}?\(through reference chain: [^\n)]{0,400}?\[\"([\w.-]{1,128}+)\"\]\)"
)
_ARGUMENT = re.compile(r"argument (?:-\w, ?|-\w/)?--([\w-]{1,64}+): invalid [\w ]{1,32}: '([^'\n]{1,256}+)'")

# What these expressions need, and most long texts have not: they try at each word, or at each quote.
_NAMES_THAT_STATE = [
    *("password", "passwords", "passwd", "passphrase", "passcode"),
    *("pwd", "secret", "token", "key", "pin", "otp", "code", "credentials"),
]
_SIGNS_BEFORE = [
    "reference chain: ",
    *(f"{quote} {word} " for quote in "\"'`" for word in ("for", "in", "of")),
]
_ANY_NAME = re.compile(rf"(?i:{'|'.join(_NAMES_THAT_STATE)}) ")

_WORDS_OF_A_LOOK, _OF_STATING = 2, 20
SENTENCE_PROBES = (
    ("Nn", r"(?<=[iI][Nn]) as [\w.@-]{1,64}:"),
    ("Ww", r"(?<=(?i:pass)[Ww])(?i:(?:or)?d)[\s]"),
    ("Pp", r"(?i:in|tp) (?:code )?(?:is|was) |(?<=(?i:ot)[Pp]) (?:is|was|for) "),
    ("Kk", r"(?i:ey|en) (?:is|was) "),
    ("0-9", r" (?:is|as) your "),
    ("Cc", r"(?i:ode) (?:is|was|[A-Z0-9-]{4})"),
    ("Gg", r"(?<=(?i:in)[Gg]) in as [\w.@-]{1,64}:"),
    (r"\[", r"[\w'.@-]{1,64}/"),
)


def mask_sentences(text: str, scan: Scan) -> str:
    """Mask the secrets that sentences name."""
    if _may_state(text, scan):
        scan.pay(len(text))
        text = _STATED.sub(lambda match: _stated(match, scan), text)
    for _ in range((text.count("assword") + text.count("ASSWORD")) // _WORDS_OF_A_LOOK):
        scan.look()
    if scan.secrecy("password"):
        if scan.may_hold("pass"):
            text = mask_places(text, _PASSWORDS, scan, said=True)
        text = mask_places(text, _PLACES, scan, said=True)
    if ("' " in text or '" ' in text or "` " in text or "chain: " in text) and any(
        sign in text for sign in _SIGNS_BEFORE
    ):
        text = _BEFORE.sub(lambda match: _before(match, scan), text)
    if "argument -" in text:
        text = _ARGUMENT.sub(lambda match: _argued(match, scan), text)
    return text


def _may_state(text: str, scan: Scan) -> bool:
    if scan.words is None and not _ANY_NAME.search(text):
        return False
    names = [name for name in _NAMES_THAT_STATE if scan.may_hold(name)]
    if not names:
        return False
    lowered = text.lower()
    count = sum(lowered.count(f"{name} ") for name in names)
    scan.pay(_OF_STATING * count)
    return count > 0


def _stated(match: re.Match[str], scan: Scan) -> str:
    scan.look()
    value = match["quoted"] or match["bare"]
    full_stop = "." if match["bare"] and value.endswith(".") else ""
    value = value.removesuffix(".") if match["bare"] else value
    if is_placeholder(value) or not (name := _secret_name(match[1], scan)):
        return match.group()
    start, end = match.span("quoted" if match["quoted"] else "bare")
    before, behind = match.string[match.start() : start], match.string[end : match.end()]
    if match["bare"] and not _is_shown(
        value, match[1], scan.secrecy(name), linked=_LINKED.search(before) is not None
    ):
        return match.group()
    if match["quoted"] and not _PASSWORD.search(match[1]) and not _LONG_MIXED.fullmatch(value):
        return match.group()
    return f"{before}{scan.found(f'text: {name}')}{full_stop}{behind}"


def _secret_name(words: str, scan: Scan) -> str:
    """Return the shortest end of some words that is a secret's name."""
    split = words.split(" ")
    for count in range(1, len(split) + 1):
        name = " ".join(split[-count:])
        if scan.secrecy(name):
            return name
    return ""


def _is_shown(value: str, words: str, secrecy: Secrecy, *, linked: bool) -> bool:
    last = words.rpartition(" ")[2].lower()
    if _PASSWORD.search(words):
        return _MIXED.fullmatch(value) is not None
    if last in {"code", "otp", "pin"}:
        return linked and _CODE.fullmatch(value) is not None
    return (linked or secrecy is Secrecy.CREDENTIAL) and _LONG_MIXED.fullmatch(value) is not None


def _before(match: re.Match[str], scan: Scan) -> str:
    name = match[4] or match[5] or match[7]
    group = "value" if match["value"] else "value2"
    scan.look()
    if not scan.secrecy(name) or is_placeholder(match[group]):
        return match.group()
    start, end = match.start(group) - match.start(), match.end(group) - match.start()
    return f"{match.group()[:start]}{scan.found(f'text: {name}')}{match.group()[end:]}"


def _argued(match: re.Match[str], scan: Scan) -> str:
    scan.look()
    if not scan.secrecy(match[1]) or is_placeholder(match[2]):
        return match.group()
    return f"{match.group()[: match.start(2) - match.start()]}{scan.found(f'text: {match[1]}')}'"
