"""Authorization schemes in texts: ``Bearer …``, ``Basic …``, ``Digest …`` and their kin, but not prose.

What follows the word decides: ``bearer token missing`` and ``token expired`` say how things stand. Behind the
name *authorization* any known scheme's value is secret, whatever it looks like.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable

from logweir.redaction.scan import MASK, Scan
from logweir.redaction.text_places import lowered
from logweir.redaction.vocabulary import part_of

__all__ = ["SCHEME_PROBES", "mask_schemes"]

#: What is no value: another scheme, and words of a sentence.
_SAYS = (
    r"(?i:(?:bearer|basic|digest|token|api-?key|key|negotiate|ntlm|sso-key|sws|oauth|pat|hawk)(?=[ \t])"
    r"|tokens?|auth\w*|schemes?|headers?|realm|errors?|credentials?(?!=)|is|was|has|not|no|required|missing|must"
    r"|cannot|invalid|expired|denied|failed|failure|wrong|revoked|of|and|or|in|for|the|with|a|to|on|by|from|at"
    r"|as|s)(?![\w.~+/-])"
)
_SCHEME = re.compile(
    r"[ABDGHNOPSTKabdghnopstk](?<![\w][A-Za-z])"
    r"(?i:(?P<bearer>(?<=b)earer)|(?P<basic>(?<=b)asic)"
    r"|(?P<params>(?<=d)igest|(?<=h)awk|(?<=o)auth|(?<=a)ws4-hmac-sha256|(?<=t)oken|(?<=s)ignature)(?=\s+\w+=)"
    r"|(?P<other>(?<=t)oken|(?<=a)pi-?key|(?<=n)egotiate|(?<=n)tlm|(?<=s)sws|(?<=o)auth|(?<=g)enieKey|(?<=p)at"
    r"|(?<=k)ey|(?<=h)awk))"
    rf"[ \t]+(?!{_SAYS})(?P<value>[^\s\"',;<>(){{}}\[\]*\\]++)(?!\*)",
    re.ASCII,
)
#: What is looked for first, with a blank where the word alone is in too many others.
_WORDS = (
    *("bearer", "basic", "digest", "hawk", "oauth", "aws4-hmac-sha256", "token", "signature", "negotiate"),
    *("ntlm", "sws", "apikey", "api-key", "geniekey", "key ", "key\t", "pat ", "pat\t"),
)
_ANY_WORD = re.compile("|".join(_WORDS))
_PARTS = {word: part_of(word) for word in _WORDS}
_SHORT = 512
_OF_WORD, _OF_SCHEME = 12, 90
_PARAMETER = re.compile(
    r"[a-zA-Z](?<!\w\w)(?i:(?<=r)esponse|(?<=n)once|(?<=c)nonce|(?<=m)ac|(?<=s)ignature|(?<=o)auth_(?:token|signature)"
    r"|(?<=t)oken)=(\"?)(?!\*\*\*)[^\s\",]+",
    re.ASCII,
)
_BEHIND_NAME = re.compile(r"authorization[\"'\\]*\s*[:=]\s*[\"'\\]*\Z", re.IGNORECASE)
_LOOKS_RANDOM = re.compile(r"(?=[A-Za-z+/._~-]*\d)[\w.~+/-]{8,}={0,2}|[\w.~+/-]{24,}={0,2}", re.ASCII)
_PARAMETERS_LENGTH = 2048

#: The first is a letter of the scheme that is rare in ordinary words; the rest is in either case.
SCHEME_PROBES = (
    ("Bb", r"(?i:earer|asic)[ \t]"),
    ("Kk", r"(?i:en|ey)[ \t]"),
    ("Gg", r"(?i:est|eniekey)[ \t]"),
    ("Nn", r"(?i:egotiate|tlm)[ \t]"),
    ("Ss", r"(?i:sws)[ \t]"),
    ("Pp", r"(?i:at)[ \t]"),
    ("Hh", r"(?i:awk)?[ \t]"),
    ("Mm", r"(?i:ac-sha256)[ \t]"),
)


def _is_basic(value: str) -> bool:
    """Whether it decodes to ``user:password``, which plain English behind *basic* does not."""
    try:
        decoded = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_")
    except (binascii.Error, ValueError):
        decoded = b""
    return b":" in decoded or value.endswith("=")


def _places_of(words: Iterable[str], text: str, scan: Scan) -> list[int]:
    """Return where words begin in a text, in order, in whatever case."""
    lower = lowered(text)
    if len(lower) < _SHORT:
        return [found.start() for found in _ANY_WORD.finditer(lower)]
    places = []  # of a long text: str.find is faster than re, but for its first call
    for word in words:
        if not scan.may_hold(_PARTS[word]):
            continue
        count = lower.count(word)
        scan.pay(count * _OF_WORD)
        at = -1
        for _ in range(count):
            at = lower.find(word, at + 1)
            places.append(at)
    return sorted(places)


def mask_schemes(text: str, scan: Scan) -> str:
    """Mask what follows an authorization scheme."""
    result, done, read = [], 0, 0
    for at in _places_of(_WORDS, text, scan):
        match = _SCHEME.match(text, at) if at >= read else None
        if match is None:
            continue
        scan.pay(_OF_SCHEME)
        read = match.end()
        start, end = match.span("value")
        if match["value"].startswith(MASK):
            continue
        if match["params"]:
            end = min(len(text), start + _PARAMETERS_LENGTH)
            result += [
                text[done:start],
                _PARAMETER.sub(lambda found: _parameter(found, scan), text[start:end]),
            ]
        elif _is_credential(match, text):
            result += [text[done:start], scan.found("shape: authorization")]
        else:
            continue
        done = end
    return "".join([*result, text[done:]]) if result else text


def _is_credential(match: re.Match[str], text: str) -> bool:
    if match["bearer"] or _BEHIND_NAME.search(text, max(0, match.start() - 24), match.start()):
        return True
    value = match["value"]
    return _is_basic(value) if match["basic"] else _LOOKS_RANDOM.fullmatch(value) is not None


def _parameter(match: re.Match[str], scan: Scan) -> str:
    return f"{match.group().partition('=')[0]}={match[1]}{scan.found('shape: authorization')}"
