"""Words behind a secret's name and a colon that say how things stand, as in ``password: must not be empty``.

A message that people read is kept, a value is not. Behind a password's name only words that begin an
English phrase are believed; behind a token's name, which is often a parser's or a session's, so is any plain
word that another one follows.
"""

from __future__ import annotations

import re

from logweir.redaction.names import Secrecy

__all__ = ["is_hidden_at", "is_placeholder", "is_said", "plain_value"]

_SAYS = frozenset(
    """
    a absent accepted access already also an and any are as at attempt bad be because been before blank
    but by can can't cannot changed check contains could created did differs disabled do does does's
    doesn't don't eight either empty enabled enter error every exceeded expected expired expires expiry
    failed failure field for format found from given hardcoded has hasn't have header if ignored in
    inactive incomplete incorrect insufficient invalid is isn't it its just key's length less likely
    loaded locked lookup malformed match matches may mismatch missing more must need needed needs
    neither never new no non none nor not nothing of old on one only option or please present provided
    raise rejected removed require required requires reset resets return revoked same set shall should
    since so some still stored supplied than that the their there these they this to too type unable
    unauthorized unchanged undefined under unexpected unknown unset unsupported until unused updated use
    used user user's uses using valid value verification verified was wasn't weak were when where which
    while will with without won't would wrong yes you your
    bool bytes int optional secretbytes secretstr str string union
    """.split()  # noqa: SIM905 - two hundred quoted words are harder to read
)
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]{1,3})?")
_AND_ANOTHER_WORD = re.compile(
    r"[.,!?;:]?[ \t]+[^\W\d_]+(?:['\u2019][^\W\d_]{1,3})?(?![\w=:@/+.-]*[\d_=:@/+])|[ \t]+\d{1,6}[ \t]+[a-z]"
    r"|[.,!?;:]?[ \t]+\*{3}"
)
_PLAIN = re.compile(r"[A-Z]?[a-z]{1,15}")
_PLACEHOLDER = re.compile(
    r"[*•●xX]{3,}|\*{3}(?:\.{3})?|"
    r"(?i:<[\w -]{0,12}(?:redacted|masked|hidden|secret|removed|filtered|omitted)[\w -]{0,12}>"
    r"|\[[\w -]{0,12}(?:redacted|masked|hidden|removed|filtered|omitted)[\w -]{0,12}\])"
    r"|%s|\?|%\(\w{1,64}\)s|\$\d{1,3}|\{\}|\$\{\w{1,64}\}|\$[A-Z][A-Z_]{2,64}|\{\{ ?[\w.]{1,64} ?\}\}"
)
_HIDDEN = re.compile(rf"(?:{_PLACEHOLDER.pattern})(?=[\s\"'`,;&|)\]}}>\\<]|\Z)")
_NUMBER = re.compile(r"[+-]?\d{1,18}(?:\.\d{1,18})?")
_LITERALS: dict[str, object] = {
    "none": None, "null": None, "nil": None, "undefined": None, "nan": None,
    "<nil>": None, "true": True, "false": False,
}  # fmt: skip
_LONGEST_KEPT = 64


def is_placeholder(value: str) -> bool:
    """Whether a value stands for one that is not shown: ``***``, ``[REDACTED]``, ``%s``, ``${PASSWORD}``."""
    return len(value) <= _LONGEST_KEPT and _PLACEHOLDER.fullmatch(value) is not None


def is_hidden_at(text: str, at: int) -> bool:
    """Whether such a placeholder stands at this place of a text."""
    return _HIDDEN.match(text, at) is not None


def plain_value(word: str) -> object:
    """Return what a bare word of a text stands for: ``None``, a boolean, a number, or itself."""
    lowered = word.lower()
    if lowered in _LITERALS:
        return _LITERALS[lowered]
    if _NUMBER.fullmatch(word):
        return float(word) if "." in word else int(word)
    return word


def is_said(text: str, start: int, end: int, secrecy: Secrecy) -> bool:
    """Whether a bare word behind a name and a colon is the beginning of a sentence and no value."""
    if end - start > _LONGEST_KEPT:
        return False
    word = _WORD.match(text, start, end)
    if word is None or text[word.end() : end].strip(".,!?;:"):
        return False
    if word.group().lower().replace("\u2019", "'") in _SAYS:
        return True
    if secrecy is Secrecy.SECRET or not _PLAIN.fullmatch(word.group()):
        return False
    return _AND_ANOTHER_WORD.match(text, word.end()) is not None
