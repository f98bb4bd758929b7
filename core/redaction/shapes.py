"""Known shapes: secrets that show by their form alone, whatever stands around them.

Each shape has a cheap probe; :mod:`logweir.redaction.patterns` joins the probes of all into one search. A
shape that could match by chance checks itself, as an IBAN by its check digits.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass

from logweir.redaction.scan import MASK, Scan

__all__ = ["SHAPES", "Pattern"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A kind of secret that can be found in a text.

    Attributes:
        start: The set of first characters of the probe, as inside ``[...]``.
        rest: What follows that character when the text is worth a closer look.
        shortest: No shorter text holds such a secret.
        redact: Masks every secret in a text; may ask the scan whether a name is secret.
    """

    start: str
    rest: str
    shortest: int
    redact: Callable[[str, Scan], str]


def _substitution(
    regex: str, replacement: str | Callable[[re.Match[str]], str] = MASK, flags: re.RegexFlag = re.ASCII
) -> Callable[[str, Scan], str]:
    compiled = re.compile(regex, flags)
    return lambda text, _scan: compiled.sub(replacement, text)


def _mask_basic(match: re.Match[str]) -> str:
    """Mask Basic credentials, which decode to ``user:password``; plain English after *basic* does not."""
    scheme, token = match.groups()
    try:
        decoded = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_")
    except (binascii.Error, ValueError):
        decoded = b""
    return f"{scheme}{MASK}" if b":" in decoded or token.endswith("=") else match.group()


_mask_bearer_tokens = _substitution(
    r"\b(bearer\s+)(?!(?:tokens?|auth\w*|schemes?|headers?|realm|errors?|credentials?|is|was|not|required|missing"
    r"|invalid|expired|of|and|or|in|for|the|with|a)(?![\w.~+/-]))[\w.~+/=-]+",
    rf"\g<1>{MASK}",
    re.ASCII | re.IGNORECASE,
)
_mask_basic_tokens = _substitution(r"\b(basic\s+)([\w+/-]{4,}={0,2})", _mask_basic, re.ASCII | re.IGNORECASE)


def _mask_authorization(text: str, scan: Scan) -> str:
    return _mask_basic_tokens(_mask_bearer_tokens(text, scan), scan)


def _mask_iban(match: re.Match[str]) -> str:
    text = match.group()
    ends = [i for i in range(len(text), 14, -1) if i == len(text) or text[i] == " "]
    for end in ends:
        compact = text[:end].replace(" ", "")
        moved = compact[4:] + compact[:4]
        if 15 <= len(compact) <= 34 and int("".join(str(int(c, 36)) for c in moved)) % 97 == 1:  # noqa: PLR2004 - the standard's numbers
            return MASK + text[end:]
    return text


_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
SHAPES = {
    "private_key": Pattern(
        r"\-",
        "----BEGIN [A-Z0-9 ]*PRIVATE KEY",
        26,
        _substitution(
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)",
            flags=re.ASCII | re.DOTALL,
        ),
    ),
    "bearer_token": Pattern("Bb", r"[Ee][Aa][Rr][Ee][Rr]\s|[Aa][Ss][Ii][Cc]\s", 8, _mask_authorization),
    "jwt": Pattern(
        "e", r"yJ[\w-]{5,}\.", 15, _substitution(r"(?<![\w-])eyJ[\w-]{5,}\.[\w-]{3,}(?:\.[\w-]*)*")
    ),
    "aws_key": Pattern(
        "A",
        r"(?:KIA|SIA)[A-Z0-9]{16}",
        20,
        _substitution(r"(?<![A-Z0-9])A(?:KIA|SIA)[A-Z0-9]{16}(?![A-Z0-9])"),
    ),
    "email": Pattern(
        "@",
        r"[\w-]+\.",
        5,
        _substitution(r"(?<![\w.%+-])[\w.%+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"),
    ),
    "iban": Pattern(
        "A-Z",
        r"[A-Z]\d\d ?[A-Z0-9]",
        15,
        _substitution(r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])", _mask_iban),
    ),
    "ipv4": Pattern(
        "0-9",
        r"[0-9.]{5}",
        7,
        _substitution(rf"(?<![\d.])(?:{_OCTET}\.){{3}}{_OCTET}(?!\.?\d)"),
    ),
}
